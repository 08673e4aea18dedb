// StopScope: a tree of stops, their reasons and deadlines.

#include "rouse/wait/stop_scope.hpp"

#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"

#include <chrono>
#include <optional>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using this_thread::Bind;

// Many may ask for the stop; one decides the reason, which everybody sees who sees the stop.
void one_decides(Model& model) {
  struct State {
    StopScope scope;
    int decided = 0;
  };
  auto& s = model.make<State>();
  for (int i = 0; i < 2; ++i) {
    model.thread([&s, i] {
      if (s.scope.request_stop({StopReason::requested, i})) ++s.decided;
      check(s.scope.stop_requested(), "stopped when the call returns");
      check(s.scope.reason().kind == StopReason::requested, "with its reason");
    });
  }
  model.thread([&s] {
    if (s.scope.token().stop_requested()) {
      check(s.scope.reason().kind == StopReason::requested, "a stop that is seen has a reason");
    }
  });
  model.at_end([&s] { check(s.decided == 1, "one decides"); });
}

// Parent and child are stopped at the same time, by two threads; a wait is bound to the child.
void parent_and_child(Model& model) {
  struct State {
    StopScope parent;
    StopScope child{parent};
    int decided = 0;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    const Bind bind(s.child);
    check(sleep_for(forever) == WaitStatus::stopped, "stopped");
    check(s.child.stop_requested(), "the scope that was bound is stopped");
    check(s.child.reason().kind != StopReason::none, "with a reason");
  });
  model.thread([&s] { check(s.parent.request_stop({StopReason::signal, 1}), "alone decides"); });
  model.thread([&s] { (void)s.child.request_stop({StopReason::requested, 2}); });
  model.at_end([&s] {
    const StopReason reason = s.child.reason();
    check((reason.kind == StopReason::signal && reason.code == 1) ||
              (reason.kind == StopReason::requested && reason.code == 2),
          "one whole reason");
    check(s.parent.reason().kind == StopReason::signal, "the parent's own");
  });
}

// A child that is made, and goes, while its parent is being stopped.
void child_comes_and_goes(Model& model) {
  struct State {
    StopScope parent;
    StopScope sibling{parent};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    for (int i = 0; i < 2; ++i) {
      StopScope child(s.parent);
      const Bind bind(child);
      if (sleep_for(0s) == WaitStatus::stopped) {
        check(child.stop_requested(), "the child is stopped");
        check(child.reason().kind == StopReason::signal, "for the parent's reason");
      }
    }
    StopScope child(s.parent);
    const Bind bind(child);
    check(sleep_for(forever) == WaitStatus::stopped, "the last child is stopped");
  });
  model.thread([&s] { (void)s.parent.request_stop({StopReason::signal, 1}); });
}

// Two waits obey one deadline: the first that passes it stops the scope, and `stopped` is true for
// both when they return.
void deadline_of_two(Model& model) {
  struct State {
    StopScope scope = StopScope::with_deadline(1ms);
    StopScope child{scope};
  };
  auto& s = model.make<State>();
  for (StopScope* scope : {&s.scope, &s.child}) {
    model.thread([scope] {
      const Bind bind(*scope);
      check(sleep_for(forever) == WaitStatus::stopped, "stopped");
      check(scope->stop_requested(), "the scope that was bound is stopped");
      check(scope->reason().kind == StopReason::deadline, "by its deadline");
    });
  }
}

// A deadline against a request, on a wait with a limit of its own.
void deadline_or_request(Model& model) {
  struct State {
    StopScope scope = StopScope::with_deadline(2ms);
    bool decided = false;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    const Bind bind(s.scope);
    if (sleep_for(1ms) == WaitStatus::timeout) {
      check(detail::os::coarse_now_ns() >= 1'001'000'000, "not before the time");
    }
    check(sleep_for(forever) == WaitStatus::stopped, "stopped");
    check(s.scope.stop_requested(), "the scope is stopped");
  });
  model.thread([&s] { s.decided = s.scope.request_stop({StopReason::signal, 1}); });
  model.at_end([&s] {
    check(s.scope.reason().kind == (s.decided ? StopReason::signal : StopReason::deadline),
          "the reason is the decider's");
  });
}

// A Bind inside a Bind adds: either stop ends the wait.
void nested_binds(Model& model) {
  struct State {
    StopScope outer;
    StopScope inner;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    const Bind bind_outer(s.outer);
    {
      const Bind bind_inner(s.inner);
      check(sleep_for(forever) == WaitStatus::stopped, "stopped");
      check(s.outer.stop_requested() || s.inner.stop_requested(), "stopped only after a stop");
    }
    check(sleep_for(forever) == WaitStatus::stopped, "the outer stop comes");
    check(s.outer.stop_requested(), "the outer scope is stopped");
  });
  model.thread([&s] { (void)s.inner.request_stop(); });
  model.thread([&s] { (void)s.outer.request_stop(); });
}

// The outer stop alone ends a wait that is bound to the inner scope.
void outer_stop_reaches_inside(Model& model) {
  struct State {
    StopScope outer;
    StopScope inner;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    const Bind bind_outer(s.outer);
    const Bind bind_inner(s.inner);
    check(sleep_for(forever) == WaitStatus::stopped, "stopped");
  });
  model.thread([&s] { (void)s.outer.request_stop(); });
}

// A scope's stop against the signal that a wait under it waits for.
void stop_or_set(Model& model) {
  struct State {
    StopScope scope;
    EventPlace event{0, 0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    const Bind bind(s.scope);
    if (s.event->wait() == WaitStatus::stopped) {
      check(s.scope.stop_requested(), "stopped only after a stop");
    } else {
      check(s.event->is_set(), "ready only after set");
    }
    check(sleep_for(forever) == WaitStatus::stopped, "the stop is still there");
    while (!s.event->is_set()) detail::os::cpu_relax();
    check(s.event->wait() == WaitStatus::ready, "ready comes before stopped");
  });
  model.thread([&s] { (void)s.scope.request_stop(); });
  model.thread([&s] { s.event->set(); });
}

constexpr Scenario scenarios[] = {
    {"one_decides", one_decides},
    {"parent_and_child", parent_and_child},
    {"child_comes_and_goes", child_comes_and_goes},
    {"deadline_of_two", deadline_of_two},
    {"deadline_or_request", deadline_or_request},
    {"nested_binds", nested_binds},
    {"outer_stop_reaches_inside", outer_stop_reaches_inside},
    {"stop_or_set", stop_or_set},
};

}  // namespace

std::span<const Scenario> stop_scope_scenarios() { return scenarios; }

}  // namespace rouse::test::model
