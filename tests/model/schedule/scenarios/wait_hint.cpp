// A thread that waits for descriptors, and others that give it hints.

#include "rouse/wait/wait_hint.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/told.hpp"

#include <poll.h>

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <stop_token>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Atomic;
using detail::BlockSite;
using detail::Deadline;
using detail::WaitHint;

constexpr BlockSite site{"wait_hint", 0};

// A hint of one thread, and what each of its givers has done before.
struct Hinted {
  std::optional<WaitHint> hint;
  Atomic<std::uint32_t> made{0};
  std::array<Plain<int>, 2> data;
  std::array<Atomic<std::uint32_t>, 2> news{};
  Atomic<std::uint32_t> times_given{0};
  ::pollfd descriptor{-1, POLLIN, 0};
  std::stop_source source;

  /// By the owner.
  void make() {
    hint.emplace();
    descriptor.fd = Scheduler::instance().make_fd();
    made.store(1, std::memory_order_release);
  }
  /// Without descriptors the wait is one for a futex.
  WaitStatus wait(bool polls, Deadline deadline = Deadline::never(),
                  const std::stop_token& stop = {}) {
    const std::span<::pollfd> all(&descriptor, 1);
    return hint->wait(polls ? all : all.first(0), site, deadline, stop);
  }

  /// By the others.
  void await_made() const {
    while (made.load(std::memory_order_acquire) == 0) detail::os::cpu_relax();
  }
  void give(std::size_t giver = 0) {
    await_made();
    data.at(giver).write(1);
    news.at(giver).store(1, std::memory_order_release);
    hint->give();
    times_given.fetch_add(1, std::memory_order_relaxed);
  }
};

template <bool Polls>
void given(Model& model) {
  auto& s = model.make<Hinted>();
  model.thread([&s] {
    s.make();
    check(s.wait(Polls) == WaitStatus::ready, "ready");
    check(s.descriptor.revents == 0, "the descriptor is not ready");
    check(s.hint->take(), "given");
    check(!s.hint->take(), "taken once");
    check(s.data[0].read() == 1, "what was written before is seen");
  });
  model.thread([&s] { s.give(); });
}

// Of two hints in one take() none is lost.
template <bool Polls>
void given_by_two(Model& model) {
  auto& s = model.make<Hinted>();
  model.thread([&s] {
    s.make();
    const auto has_news = [&s](std::size_t giver) {
      return s.news.at(giver).load(std::memory_order_acquire) != 0;
    };
    while (!has_news(0) || !has_news(1)) {
      check(s.wait(Polls) == WaitStatus::ready, "ready");
      check(s.hint->take(), "given");
    }
  });
  for (std::size_t i = 0; i < 2; ++i) {
    model.thread([&s, i] { s.give(i); });
  }
}

// What was given too late for a wait ends the next one.
template <bool Polls>
void given_or_ended(Model& model) {
  auto& s = model.make<Hinted>();
  model.thread([&s] {
    s.make();
    const std::stop_token token = s.source.get_token();
    const WaitStatus status = s.wait(Polls, Deadline::after(1ms), token);
    if (status != WaitStatus::ready) {
      check_truth(status, false, token);
      check(s.wait(Polls) == WaitStatus::ready, "ready");
    }
    check(s.hint->take(), "ready only when given");
    check(s.data[0].read() == 1, "what was written before is seen");
  });
  model.thread([&s] { s.give(); });
  model.thread([&s] { s.source.request_stop(); });
}

// A hint does not hide a descriptor, nor a descriptor a hint.
void given_and_ready(Model& model) {
  auto& s = model.make<Hinted>();
  model.thread([&s] {
    s.make();
    bool ready = false;
    bool hinted = false;
    while (!ready || !hinted) {
      check(s.wait(true) == WaitStatus::ready, "ready");
      const bool taken = s.hint->take();
      check(taken || s.descriptor.revents == POLLIN, "ready only when one of them is");
      hinted |= taken;
      if (s.descriptor.revents == POLLIN) {
        Scheduler::instance().take_ready(s.descriptor.fd);
        ready = true;
      }
    }
  });
  model.thread([&s] { s.give(); });
  model.thread([&s] {
    s.await_made();
    Scheduler::instance().make_ready(s.descriptor.fd);
  });
}

// The owner sees the hint without having slept: only the hint itself hands anything on.
void taken_without_a_wait(Model& model) {
  auto& s = model.make<Hinted>();
  model.thread([&s] {
    s.make();
    while (!s.hint->take()) detail::os::cpu_relax();
    check(s.data[0].read() == 1, "what was written before is seen");
  });
  model.thread([&s] { s.give(); });
}

// One take() sees what all have done who gave it before.
void taken_together(Model& model) {
  auto& s = model.make<Hinted>();
  model.thread([&s] {
    s.make();
    while (s.times_given.load(std::memory_order_relaxed) < 2) detail::os::cpu_relax();
    check(s.hint->take(), "given");
    for (const auto& each : s.data) check(each.read() == 1, "what was written before is seen");
  });
  for (std::size_t i = 0; i < 2; ++i) {
    model.thread([&s, i] { s.give(i); });
  }
}

// The owner destroys what it has seen given; another hint is in its place.
template <bool Polls>
void destroyed_when_taken(Model& model) {
  auto& s = model.make<Hinted>();
  model.thread([&s] {
    s.make();
    check(s.wait(Polls) == WaitStatus::ready, "ready");
    check(s.hint->take(), "given");
    s.hint.reset();
    s.hint.emplace();
    check(s.wait(Polls, Deadline::after(1ms)) == WaitStatus::timeout, "the next was not given");
  });
  model.thread([&s] { s.give(); });
}

// What is given and ready already is told, both together, whatever else has happened.
template <bool Polls>
void ready_comes_first(Model& model) {
  auto& s = model.make<Hinted>();
  model.thread([&s] {
    s.make();
    s.hint->give();
    Scheduler::instance().make_ready(s.descriptor.fd);
    const WaitStatus status = s.wait(Polls, Deadline::after(1ms), s.source.get_token());
    check(status == WaitStatus::ready, "ready");
    check(s.hint->take(), "given");
    check(s.descriptor.revents == (Polls ? POLLIN : 0), "the descriptor is ready too");
  });
  model.thread([&s] { s.source.request_stop(); });
}

constexpr Scenario scenarios[] = {
    {"given", given<false>},
    {"given_to_a_poller", given<true>},
    {"given_by_two", given_by_two<false>},
    {"given_by_two_to_a_poller", given_by_two<true>},
    {"given_or_ended", given_or_ended<false>},
    {"given_or_ended_to_a_poller", given_or_ended<true>},
    {"given_and_ready", given_and_ready},
    {"taken_without_a_wait", taken_without_a_wait},
    {"taken_together", taken_together},
    {"destroyed_when_taken", destroyed_when_taken<false>},
    {"destroyed_when_taken_by_a_poller", destroyed_when_taken<true>},
    {"ready_comes_first", ready_comes_first<false>},
    {"ready_comes_first_to_a_poller", ready_comes_first<true>},
};

}  // namespace

std::span<const Scenario> wait_hint_scenarios() { return scenarios; }

}  // namespace rouse::test::model
