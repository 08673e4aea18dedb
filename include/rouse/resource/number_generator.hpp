#pragma once
// NumberGenerator: 0, 1, 2 … for a process, each once. LeasedNumberGenerator: the same where the
// order does not matter, and several threads ask.
//
/// @code
///   rouse::NumberGenerator requests;
///   const std::int64_t first = requests.next();   // 0
///   const std::int64_t second = requests.next();  // 1
///   requests.reset(1000);                         // goes on with 1000
///
///   rouse::LeasedNumberGenerator nodes;
///   std::jthread other([&] { std::printf("%ld\n", static_cast<long>(nodes.next())); });
///   std::printf("%ld\n", static_cast<long>(nodes.next()));  // another one
///
///   const std::int64_t anywhere = rouse::process_numbers().next();
/// @endcode
//
// Guarantee: unique among the numbers of one generator in one process, until a reset(); guessable.
//   A number lies between the start and 2^63 - 1. After that one next() throws, for ever, and
//   repeats nothing: at one number a nanosecond in 292 years.
// Fork: the child goes on, and repeats nothing from before the fork. Parent and child then each
//   count for themselves, so their numbers are the same ones.
// Thread safety: all functions, any thread. Signal handlers may use NumberGenerator::next() only.
// Ordering: a NumberGenerator's numbers increase: of two calls of which one happens before the
//   other the later one has the larger number. Calls order nothing else.
//   A LeasedNumberGenerator's increase in each thread, and tell nothing about two threads.
// Lifetime: a generator outlives its calls. Neither has a destructor that does anything, so that a
//   static one can be used while the program exits.
// Cost: NumberGenerator: 8 bytes, an atomic addition. LeasedNumberGenerator: 16 bytes, and 512 in
//   each thread that uses any; an atomic addition for 1,024 numbers. Design: docs/design/ids.md.

#include "rouse/detail/os.hpp"

#include <cstdint>

namespace rouse {
namespace detail {

[[noreturn, gnu::visibility("default")]] void throw_negative_start(const char* generator,
                                                                   std::int64_t start);
[[noreturn, gnu::visibility("default")]] void throw_out_of_numbers(const char* generator);

/// `start`; throws std::invalid_argument that names `generator` if it is negative.
constexpr std::uint64_t checked_start(const char* generator, std::int64_t start) {
  if (start < 0) throw_negative_start(generator, start);
  return static_cast<std::uint64_t>(start);
}

}  // namespace detail

class NumberGenerator {
 public:
  /// The first number is `start`. Throws std::invalid_argument if it is negative.
  constexpr explicit NumberGenerator(std::int64_t start = 0)
      : next_(detail::checked_start("NumberGenerator", start)) {}

  NumberGenerator(const NumberGenerator&) = delete;
  NumberGenerator& operator=(const NumberGenerator&) = delete;

  /// Never blocks. Throws std::overflow_error after 2^63 - 1.
  [[nodiscard]] std::int64_t next() {
    const std::uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
    if (number > INT64_MAX) [[unlikely]] {
      detail::throw_out_of_numbers("NumberGenerator");
    }
    return static_cast<std::int64_t>(number);
  }

  /// The next number is `start`: from there on numbers may come that came before. A call of next()
  /// that is under way may count as before or after. Throws std::invalid_argument if it is
  /// negative.
  void reset(std::int64_t start = 0) {
    next_.store(detail::checked_start("NumberGenerator", start), std::memory_order_relaxed);
  }

 private:
  detail::Atomic<std::uint64_t> next_;
};

/// The process's own, which starts at 0. For all who use it alike: nobody resets it.
[[gnu::visibility("default")]] [[nodiscard]] NumberGenerator& process_numbers() noexcept;

/// Each thread takes ranges of numbers and hands them out by itself: of 16 at first, twice as many
/// each time, up to 1,024. What is left of a range is given up when the thread ends, or when it has
/// used 16 others since: numbers are left out, none comes twice. There is no reset(): threads would
/// still hand out what they have.
class [[gnu::visibility("default")]] LeasedNumberGenerator {
 public:
  /// No number is below `start`. Throws std::invalid_argument if it is negative.
  explicit LeasedNumberGenerator(std::int64_t start = 0);

  LeasedNumberGenerator(const LeasedNumberGenerator&) = delete;
  LeasedNumberGenerator& operator=(const LeasedNumberGenerator&) = delete;

  /// Never blocks; without memory for the thread's ranges it takes numbers one by one. Throws
  /// std::overflow_error when no number up to 2^63 - 1 is left.
  [[nodiscard]] std::int64_t next();

 private:
  struct Range {
    std::uint64_t next;
    std::uint64_t end;
  };
  [[gnu::visibility("hidden")]] std::int64_t next_slow();
  [[gnu::visibility("hidden")]] Range lease(std::uint64_t size);

  detail::Atomic<std::uint64_t> next_;
  const std::uint64_t id_;  // no other one of the process has had it
};

}  // namespace rouse
