// Waits for descriptors: hints go through the eventfd.

#include "rouse/wait/fd.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"
#include "model/schedule/scenarios/told.hpp"
#include "wait/control_block.hpp"

#include <chrono>
#include <stop_token>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Atomic;

struct Descriptor {
  int fd = -1;
  std::stop_source source;
  EventPlace event{0, 0};
  Atomic<std::uint32_t> opened{0};
  bool written = false;

  void open() {
    fd = Scheduler::instance().make_fd();
    opened.store(1, std::memory_order_release);
  }
  void write() {
    while (opened.load(std::memory_order_acquire) == 0) detail::os::cpu_relax();
    written = true;
    Scheduler::instance().make_ready(fd);
  }
};

void stop_ends_it(Model& model) {
  auto& s = model.make<Descriptor>();
  model.thread([&s] {
    s.open();
    check(wait_readable(s.fd, s.source.get_token()) == WaitStatus::stopped, "stopped");
  });
  model.thread([&s] { s.source.request_stop(); });
}

void readiness_ends_it(Model& model) {
  auto& s = model.make<Descriptor>();
  model.thread([&s] {
    s.open();
    check(wait_readable(s.fd, s.source.get_token()) == WaitStatus::ready, "ready");
    check(s.written, "ready only when written");
  });
  model.thread([&s] { s.write(); });
}

// All at once, and after it an ordinary wait: a count that is left in the eventfd does no harm.
void ends_by_anything(Model& model) {
  auto& s = model.make<Descriptor>();
  model.thread([&s] {
    s.open();
    const std::stop_token token = s.source.get_token();
    const WaitStatus status = wait_readable_for(s.fd, 1ms, token);
    check_truth(status, s.written, token);
    check(sleep_for(forever, token) == WaitStatus::stopped, "the stop is still there");
    check(wait_readable(s.fd) == WaitStatus::ready, "so is the descriptor");
  });
  model.thread([&s] { s.write(); });
  model.thread([&s] { s.source.request_stop(); });
}

// A raise is told by the same hint; then the thread waits for an event, with its state in order.
void raise_then_event(Model& model) {
  struct State : Descriptor {
    ToldBlock waiter;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.open();
    s.waiter.tell();
    bool thrown = false;
    try {
      (void)wait_readable(s.fd, s.source.get_token());
    } catch (const int&) {
      thrown = true;
    }
    check(thrown, "thrown");
    check(s.event->wait() == WaitStatus::ready, "ready");
  });
  model.thread([&s] {
    s.waiter.await().raise(std::make_exception_ptr(7));
    s.event->set();
  });
}

// What is ready is told, whatever else has happened.
void ready_comes_first(Model& model) {
  auto& s = model.make<Descriptor>();
  model.thread([&s] {
    s.open();
    s.write();
    check(wait_readable_for(s.fd, 1ms, s.source.get_token()) == WaitStatus::ready, "ready");
  });
  model.thread([&s] { s.source.request_stop(); });
}

// A hint has ended one wait; its count is gone when the next one polls.
void hint_ends_one_wait(Model& model) {
  struct State : Descriptor {
    ToldBlock waiter;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.open();
    s.waiter.tell();
    try {
      (void)wait_readable(s.fd, s.source.get_token());
      check(false, "the raise comes before the descriptor is ready");
    } catch (const int&) {
    }
    check(wait_readable(s.fd, s.source.get_token()) == WaitStatus::ready, "ready");
  });
  model.thread([&s] {
    detail::ControlBlock& waiter = s.waiter.await();
    waiter.raise(std::make_exception_ptr(7));
    while (waiter.raised.load(std::memory_order_acquire) != 0) detail::os::cpu_relax();
    s.write();
  });
}

constexpr Scenario scenarios[] = {
    {"stop_ends_it", stop_ends_it},
    {"readiness_ends_it", readiness_ends_it},
    {"ends_by_anything", ends_by_anything},
    {"ready_comes_first", ready_comes_first},
    {"hint_ends_one_wait", hint_ends_one_wait},
    {"raise_then_event", raise_then_event},
};

}  // namespace

std::span<const Scenario> fd_scenarios() { return scenarios; }

}  // namespace rouse::test::model
