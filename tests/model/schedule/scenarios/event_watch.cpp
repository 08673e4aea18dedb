// EventWatch: called or taken back, exactly one; the function destroys what it likes, and starts
// again.

#include "rouse/wait/event_watch.hpp"

#include "rouse/wait/event.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace rouse::test::model {
namespace {

using detail::Atomic;
using detail::EventWatch;
using std::memory_order_relaxed;

// A watch and how often it was called.
struct Watched {
  bool start(Event& event) { return watch.start(event); }
  bool cancel() { return watch.cancel(); }
  void check_ended(bool taken_back) const {
    check(calls.load(memory_order_relaxed) == (taken_back ? 0 : 1), "called or taken back");
  }

  Atomic<std::uint32_t> calls{0};
  EventWatch watch{[](void* self) noexcept {
                     static_cast<Watched*>(self)->calls.fetch_add(1, memory_order_relaxed);
                   },
                   this};
};

// The function sees what was written before start(), and start() what was written before set().
void hand_over(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Plain<int> of_starter;
    Plain<int> of_setter;
    EventWatch watch{[](void* self) noexcept {
                       check(static_cast<State*>(self)->of_starter.read() == 1, "there");
                     },
                     this};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.of_starter.write(1);
    if (!s.watch.start(*s.event)) check(s.of_setter.read() == 1, "the data are there");
  });
  model.thread([&s] {
    s.of_setter.write(1);
    s.event->set();
  });
}

void called_or_taken_back(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Watched watched;
    bool started = false;
    bool taken_back = false;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.started = s.watched.start(*s.event);
    if (s.started) s.taken_back = s.watched.cancel();
  });
  model.thread([&s] { s.event->set(); });
  model.at_end([&s] { s.watched.check_ended(s.taken_back || !s.started); });
}

// With batches of one the setter leaves the lock in between: the last are taken from its own list.
void some_of_many_are_taken_back(Model& model) {
  struct State {
    EventPlace event{0, 0};
    std::array<Watched, 3> watched;
    std::array<bool, 3> taken_back{};
  };
  auto& s = model.make<State>();
  for (Watched& each : s.watched) check(each.start(*s.event), "started");
  model.thread([&s] {
    for (std::size_t i = 3; i-- > 0;) s.taken_back[i] = s.watched[i].cancel();
  });
  model.thread([&s] { s.event->set(); });
  model.at_end([&s] {
    for (std::size_t i = 0; i < 3; ++i) s.watched[i].check_ended(s.taken_back[i]);
  });
}

// Each call starts the watch again, while another thread sets too.
void started_again_by_its_function(Model& model) {
  struct State {
    EventPlace event{0, 0};
    std::uint32_t calls = 0;
    EventWatch watch{[](void* context) noexcept {
                       auto& self = *static_cast<State*>(context);
                       ++self.calls;
                       self.event->clear();
                       while (!self.watch.start(*self.event)) self.event->clear();
                     },
                     this};
  };
  auto& s = model.make<State>();
  check(s.watch.start(*s.event), "started");
  for (int i = 0; i < 2; ++i) model.thread([&s] { s.event->set(); });
  model.at_end([&s] {
    check(s.calls == 1 || s.calls == 2, "called");
    check(s.watch.cancel(), "it was started again");
  });
}

// A watch that was called is started again, and taken back or called once more.
void started_again_after_the_call(Model& model) {
  struct State {
    EventPlace first{0, 0};
    EventPlace second{1, 0};
    Watched watched;
    bool taken_back = false;
  };
  auto& s = model.make<State>();
  check(s.watched.start(*s.first), "started");
  s.first->set();
  check(s.watched.start(*s.second), "started again");
  model.thread([&s] { s.taken_back = s.watched.cancel(); });
  model.thread([&s] { s.second->set(); });
  model.at_end([&s] {
    check(s.watched.calls.load(memory_order_relaxed) == (s.taken_back ? 1 : 2),
          "called or taken back");
  });
}

// A thread and a watch wait for an event: the last of them destroys it, and the function its watch.
void destroyed_by_the_last(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Atomic<std::uint32_t> left{2};
    std::optional<EventWatch> watch;

    void leave() {
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) event.destroy();
    }
  };
  auto& s = model.make<State>();
  s.watch.emplace(
      [](void* context) noexcept {
        auto& self = *static_cast<State*>(context);
        self.watch.reset();
        self.leave();
      },
      &s);
  check(s.watch->start(*s.event), "started");
  model.thread([&s] {
    check(s.event->wait() == WaitStatus::ready, "ready");
    s.leave();
  });
  model.thread([&s] { s.event->set(); });
  model.at_end([&s] { check(!s.watch.has_value(), "called"); });
}

constexpr Scenario scenarios[] = {
    {"hand_over", hand_over},
    {"called_or_taken_back", called_or_taken_back},
    {"some_of_many_are_taken_back", some_of_many_are_taken_back},
    {"started_again_by_its_function", started_again_by_its_function},
    {"started_again_after_the_call", started_again_after_the_call},
    {"destroyed_by_the_last", destroyed_by_the_last},
};

}  // namespace

std::span<const Scenario> event_watch_scenarios() { return scenarios; }

}  // namespace rouse::test::model
