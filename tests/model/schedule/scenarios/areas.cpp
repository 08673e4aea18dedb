#include "model/schedule/scenarios/areas.hpp"

namespace rouse::test::model {

std::span<const Area> areas() {
  static const Area all[] = {
      {"lock", lock_scenarios()},
      {"parker", parker_scenarios()},
      {"event", event_scenarios()},
      {"wait_any", wait_any_scenarios()},
      {"event_watch", event_watch_scenarios()},
      {"permits", permits_scenarios()},
      {"fd", fd_scenarios()},
      {"wait_hint", wait_hint_scenarios()},
      {"raise", raise_scenarios()},
      {"stop_scope", stop_scope_scenarios()},
      {"stop_all", stop_all_scenarios()},
      {"rw_lock", rw_lock_scenarios()},
      {"work_deque", work_deque_scenarios()},
      {"roster", roster_scenarios()},
      {"watch", watch_scenarios()},
      {"block_list", block_list_scenarios()},
      {"shelves", shelves_scenarios()},
      {"block_store", block_store_scenarios()},
      {"lead", lead_scenarios()},
  };
  return all;
}

}  // namespace rouse::test::model
