#pragma once
// The scenarios of the core, an area each; areas() lists them.

#include "model/schedule/explorer.hpp"

#include <span>

namespace rouse::test::model {

std::span<const Scenario> lock_scenarios();
std::span<const Scenario> parker_scenarios();
std::span<const Scenario> event_scenarios();
std::span<const Scenario> wait_any_scenarios();
std::span<const Scenario> event_watch_scenarios();
std::span<const Scenario> permits_scenarios();
std::span<const Scenario> fd_scenarios();
std::span<const Scenario> wait_hint_scenarios();
std::span<const Scenario> raise_scenarios();
std::span<const Scenario> stop_scope_scenarios();
std::span<const Scenario> stop_all_scenarios();
std::span<const Scenario> rw_lock_scenarios();
std::span<const Scenario> work_deque_scenarios();
std::span<const Scenario> roster_scenarios();
std::span<const Scenario> watch_scenarios();
std::span<const Scenario> block_list_scenarios();
std::span<const Scenario> shelves_scenarios();
std::span<const Scenario> block_store_scenarios();
std::span<const Scenario> lead_scenarios();

}  // namespace rouse::test::model
