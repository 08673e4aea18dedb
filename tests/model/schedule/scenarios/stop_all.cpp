// StoppableThread and stop_all: the whole life of threads, from start() to the report.

#include "rouse/thread/stop_all.hpp"

#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;

const ThreadOptions named{.name = "modelled"};

// One that sleeps, one that waits: both end by the stop, whenever it comes.
void ends_all(Model& model) {
  model.thread([] {
    EventPlace never(0, 0);
    std::array threads{
        StoppableThread(
            [] { check(sleep_for(forever) == WaitStatus::stopped, "the sleep is stopped"); },
            named),
        StoppableThread(
            [&never] { check(never->wait() == WaitStatus::stopped, "the wait is stopped"); },
            named)};
    for (StoppableThread& thread : threads) thread.start();
    const StopReport report = stop_all(threads, forever);
    check(report && report.stopped == 2, "both have stopped");
    for (const StoppableThread& thread : threads) check(!thread.running(), "none runs");
  });
}

// The first ends only when the second has: all are asked before one is waited for.
void ends_in_any_order(Model& model) {
  model.thread([] {
    EventPlace second_ended(0, 0);
    std::array threads{StoppableThread(
                           [&second_ended] {
                             const Shield shield;
                             check(second_ended->wait() == WaitStatus::ready, "ready");
                           },
                           named),
                       StoppableThread(
                           [&second_ended] {
                             (void)sleep_for(forever);
                             second_ended->set();
                           },
                           named)};
    for (StoppableThread& thread : threads) thread.start();
    check(static_cast<bool>(stop_all(threads, forever)), "both have stopped");
  });
}

// A thread that does not obey in time is reported, and ends when it is let go.
void reports_a_straggler(Model& model) {
  model.thread([] {
    EventPlace go(0, 0);
    StoppableThread deaf(
        [&go] {
          const Shield shield;
          check(go->wait() == WaitStatus::ready, "ready");
        },
        named);
    deaf.start();
    std::array threads{&deaf};
    const StopReport report = stop_all(threads, 1ms);
    check(!report && report.stragglers.size() == 1, "it is reported");
    go->set();
    check(static_cast<bool>(stop_all(threads, forever)), "now it has stopped");
  });
}

// Two threads stop and join the same one.
void joined_by_two(Model& model) {
  struct State {
    StoppableThread thread{[] { (void)sleep_for(forever); }, named};
    EventPlace started{0, 0};
    EventPlace joined{1, 0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.thread.start();
    s.started->set();
    check(static_cast<bool>(stop_all(std::array{&s.thread}, forever)), "stopped");
    check(!s.thread.running(), "joined");
    check(s.joined->wait() == WaitStatus::ready, "the other has joined too");
  });
  model.thread([&s] {
    check(s.started->wait() == WaitStatus::ready, "started");
    s.thread.join();
    check(!s.thread.running(), "joined");
    s.joined->set();
  });
}

// stop_all against a thread that ends by itself, and its exception, which join() throws once.
void ends_by_itself(Model& model) {
  model.thread([] {
    StoppableThread thread([] { throw std::runtime_error("ended"); }, named);
    thread.start();
    check(static_cast<bool>(stop_all(std::array{&thread}, forever)), "stopped");
    bool thrown = false;
    try {
      thread.join();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    check(thrown, "join() throws what ended it");
    thread.join();
  });
}

// stop_all while the thread is being started: it counts as not started, or is stopped and joined.
void stopped_while_it_starts(Model& model) {
  struct State {
    StoppableThread thread{[] { check(sleep_for(forever) == WaitStatus::stopped, "stopped"); },
                           named};
    EventPlace tried{0, 0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.thread.start();
    (void)s.thread.native_id();
    (void)s.tried->wait();
    s.thread.join();
  });
  model.thread([&s] {
    check(static_cast<bool>(stop_all(std::array{&s.thread}, forever)), "stopped");
    (void)s.thread.activity();
    s.tried->set();
  });
}

// What a report says of a thread belongs together: in what, on what, since when.
void activity_is_whole(Model& model) {
  model.thread([] {
    EventPlace event(0, 0);
    char address[32];
    std::snprintf(address, sizeof address, "(%p)", static_cast<void*>(&*event));
    StoppableThread thread([&event] { check(event->wait() == WaitStatus::ready, "ready"); }, named);
    thread.start();
    const ThreadActivity activity = thread.activity();
    if (activity.blocked_in.starts_with("Event::wait")) {
      check(activity.blocked_in.find(address) != std::string::npos, "it names the event");
      check(activity.blocked_for <= 2ms, "since the wait began");
    }
    event->set();
    thread.join();
  });
}

constexpr Scenario scenarios[] = {
    {"ends_all", ends_all},
    {"ends_in_any_order", ends_in_any_order},
    {"reports_a_straggler", reports_a_straggler},
    {"joined_by_two", joined_by_two},
    {"ends_by_itself", ends_by_itself},
    {"activity_is_whole", activity_is_whole},
    {"stopped_while_it_starts", stopped_while_it_starts},
};

}  // namespace

std::span<const Scenario> stop_all_scenarios() { return scenarios; }

}  // namespace rouse::test::model
