// wait_any: one wait with several nodes.

#include "rouse/wait/wait_any.hpp"

#include "rouse/wait/sleep.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"
#include "model/schedule/scenarios/told.hpp"

#include <chrono>
#include <stop_token>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;

struct Two {
  explicit Two(unsigned second_bucket) : events{{0, 0}, {second_bucket, 1}} {}

  EventPlace events[2];
  Plain<int> data[2];
  bool set[2] = {};
  std::stop_source source;

  void put(std::size_t i) {
    data[i].write(1);
    set[i] = true;
    events[i]->set();
  }
  AnyReady wait() { return wait_any(*events[0], *events[1]); }
  void was_put(std::size_t i) {
    check(set[i], "the event that is told was set");
    check(data[i].read() == 1, "its data are there");
  }
};

// Whoever is told was set, and the other is not lost.
void tells_which(Model& model, unsigned second_bucket) {
  auto& s = model.make<Two>(second_bucket);
  model.thread([&s] {
    const AnyReady any = s.wait();
    check(any.status == WaitStatus::ready, "ready");
    s.was_put(any.index);
    check(s.events[1 - any.index]->wait() == WaitStatus::ready, "the other is ready too");
    s.was_put(1 - any.index);
  });
  model.thread([&s] { s.put(0); });
  model.thread([&s] { s.put(1); });
}

// Both events go right after the wait, when both were set; one setter is still on its way.
void events_are_destroyed(Model& model, unsigned second_bucket) {
  auto& s = model.make<Two>(second_bucket);
  model.thread([&s] {
    const AnyReady any = s.wait();
    check(s.events[1 - any.index]->wait() == WaitStatus::ready, "the other is ready too");
    s.events[0].destroy();
    s.events[1].destroy();
  });
  model.thread([&s] { s.put(0); });
  model.thread([&s] { s.put(1); });
}

// Only one is ever set; the other, which was never set, is destroyed and made again.
void unset_event_is_destroyed(Model& model) {
  auto& s = model.make<Two>(0);
  model.thread([&s] {
    const AnyReady any = s.wait();
    check(any.status == WaitStatus::ready && any.index == 0, "the first is ready");
    s.events[1].destroy();
    s.events[1].make();
    check(s.events[1]->wait_for(1ms) == WaitStatus::timeout, "nobody has set the second");
  });
  model.thread([&s] { s.put(0); });
}

void same_event_twice(Model& model) {
  auto& s = model.make<Two>(1);
  model.thread([&s] {
    const AnyReady any = wait_any(*s.events[0], *s.events[0]);
    check(any.status == WaitStatus::ready, "ready");
    s.was_put(0);
    s.events[0].destroy();
  });
  model.thread([&s] { s.put(0); });
}

// Two waits with the events in the other order.
void crossed_waits(Model& model) {
  auto& s = model.make<Two>(1);
  model.thread(
      [&s] { check(wait_any(*s.events[0], *s.events[1]).status == WaitStatus::ready, "ready"); });
  model.thread(
      [&s] { check(wait_any(*s.events[1], *s.events[0]).status == WaitStatus::ready, "ready"); });
  model.thread([&s] { s.put(0); });
}

// Signal, stop and time-out together.
void ends_by_anything(Model& model) {
  auto& s = model.make<Two>(0);
  model.thread([&s] {
    const std::stop_token token = s.source.get_token();
    const AnyReady any =
        wait_any(*s.events[0], *s.events[1], std::chrono::steady_clock::time_point(1'001ms), token);
    check_truth(any.status, s.set[any.index], token);
    if (any.status == WaitStatus::ready) s.was_put(any.index);
    check(sleep_for(forever, token) == WaitStatus::stopped, "the stop is still there");
    check(s.events[1]->wait() == WaitStatus::ready, "so is the signal");
  });
  model.thread([&s] { s.put(1); });
  model.thread([&s] { s.source.request_stop(); });
}

constexpr Scenario scenarios[] = {
    {"tells_which", [](Model& model) { tells_which(model, 1); }},
    {"tells_which_in_one_bucket", [](Model& model) { tells_which(model, 0); }},
    {"events_are_destroyed", [](Model& model) { events_are_destroyed(model, 1); }},
    {"events_are_destroyed_in_one_bucket", [](Model& model) { events_are_destroyed(model, 0); }},
    {"unset_event_is_destroyed", unset_event_is_destroyed},
    {"same_event_twice", same_event_twice},
    {"crossed_waits", crossed_waits},
    {"ends_by_anything", ends_by_anything},
};

}  // namespace

std::span<const Scenario> wait_any_scenarios() { return scenarios; }

}  // namespace rouse::test::model
