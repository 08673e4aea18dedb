#pragma once
// stop_all: end many threads together and learn which one holds the others up.
//
/// @code
///   std::deque<rouse::StoppableThread> threads;
///   threads.emplace_back([] { (void)rouse::sleep_for(1h); });
///   threads.front().start();
///   const rouse::StopReport report = rouse::stop_all(threads, 5s);
///   if (!report) std::fputs(report.to_string().c_str(), stderr);  // who, in what, for how long
/// @endcode
//
// Thread safety: any thread. Does not obey the caller's own stop: the deadline ends it.

#include "rouse/detail/deadline.hpp"
#include "rouse/thread/stoppable_thread.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rouse {

/// A thread that had not ended by the deadline.
struct Straggler {
  std::string name;
  int native_id = 0;
  ThreadActivity activity;
};

struct StopReport {
  std::size_t stopped = 0;  ///< How many have ended and are joined, or never ran.
  std::vector<Straggler> stragglers;
  std::chrono::nanoseconds elapsed{};

  /// Whether all have ended.
  explicit operator bool() const noexcept { return stragglers.empty(); }

  /// One line for the whole and one per straggler, each with a line feed; control bytes in names
  /// are escaped.
  [[nodiscard, gnu::visibility("default")]] std::string to_string() const;
};

namespace detail {

[[gnu::visibility("default")]] StopReport stop_all(std::span<StoppableThread* const> threads,
                                                   Deadline deadline);

inline StoppableThread* thread_address(StoppableThread& thread) noexcept { return &thread; }
template <class Pointer>
requires(!std::derived_from<Pointer, StoppableThread>)
    StoppableThread* thread_address(const Pointer& pointer) noexcept {
  return pointer == nullptr ? nullptr : std::to_address(pointer);
}

}  // namespace detail

/// Requests all stops first, then joins until `when` (a duration from now, or a time_point of
/// steady_clock). `threads` holds threads, or (smart) pointers to threads, of which null ones are
/// passed over. Threads that were never started count as stopped. Exceptions that ended a thread
/// stay with it: join() throws them, or its destructor prints them. Throws std::bad_alloc before
/// anything is stopped, or when all were waited for and there is no memory to tell of a straggler.
/// If the caller is among `threads` it is asked to stop and reported as a straggler.
template <class Threads, class When>
requires requires(Threads& threads) {
  std::begin(threads);
  std::end(threads);
}
StopReport stop_all(Threads&& threads, const When& when) {
  const detail::Deadline deadline = detail::to_deadline(when);
  std::vector<StoppableThread*> pointers;
  for (auto&& thread : threads) {
    if (StoppableThread* const pointer = detail::thread_address(thread))
      pointers.push_back(pointer);
  }
  return detail::stop_all(pointers, deadline);
}

}  // namespace rouse
