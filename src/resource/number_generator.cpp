#include "rouse/resource/number_generator.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace rouse {
namespace {

/// What the calling thread has left of a generator's numbers.
struct Lease {
  std::uint64_t generator = 0;  // by its id; 0 for none
  std::uint64_t next = 0;
  std::uint64_t end = 0;
  std::uint64_t size = 0;
};

/// Sixteen generators that were made one after the other are found in sixteen places.
struct ThreadLeases {
  static constexpr std::size_t places = 16;

  Lease& of(std::uint64_t generator) noexcept { return leases[generator % places]; }

  std::array<Lease, places> leases;
};

// A range grows from the first to the last, so that threads which end soon, and generators that
// drive each other out of their place, give up few numbers.
constexpr std::uint64_t first_lease = 16;
constexpr std::uint64_t largest_lease = 1024;

constexpr std::uint64_t end_of_numbers = std::uint64_t{1} << 63;

[[gnu::tls_model("initial-exec")]] constinit thread_local ThreadLeases* thread_leases = nullptr;
[[gnu::tls_model("initial-exec")]] constinit thread_local bool keeps_no_leases = false;

struct LeasesAtThreadExit {
  // Destructors of other thread_local objects may still ask for numbers.
  ~LeasesAtThreadExit() {
    keeps_no_leases = true;
    delete std::exchange(thread_leases, nullptr);
  }
  void arm() noexcept {}  // to be used is what registers the destructor
};
thread_local LeasesAtThreadExit leases_at_thread_exit;

/// Null: there is no memory, or the thread is about to end.
ThreadLeases* leases_of_thread() noexcept {
  if (thread_leases == nullptr && !keeps_no_leases) {
    thread_leases = new (std::nothrow) ThreadLeases;
    leases_at_thread_exit.arm();
  }
  return thread_leases;
}

constinit detail::Atomic<std::uint64_t> leased_generators{0};

}  // namespace

void detail::throw_negative_start(const char* generator, std::int64_t start) {
  throw std::invalid_argument(std::string(generator) + ": start " + std::to_string(start) +
                              " is negative");
}

void detail::throw_out_of_numbers(const char* generator) {
  throw std::overflow_error(std::string(generator) + ": all numbers up to 2^63 - 1 are used up");
}

NumberGenerator& process_numbers() noexcept {
  struct alignas(64) OnItsOwnLine {
    NumberGenerator numbers;
  };
  static constinit OnItsOwnLine process;
  return process.numbers;
}

LeasedNumberGenerator::LeasedNumberGenerator(std::int64_t start)
    : next_(detail::checked_start("LeasedNumberGenerator", start)),
      id_(leased_generators.fetch_add(1, std::memory_order_relaxed) + 1) {}

std::int64_t LeasedNumberGenerator::next() {
  if (thread_leases != nullptr) [[likely]] {
    Lease& mine = thread_leases->of(id_);
    if (mine.generator == id_ && mine.next != mine.end) [[likely]] {
      return static_cast<std::int64_t>(mine.next++);
    }
  }
  return next_slow();
}

std::int64_t LeasedNumberGenerator::next_slow() {
  ThreadLeases* const leases = leases_of_thread();
  if (leases == nullptr) return static_cast<std::int64_t>(lease(1).next);
  Lease& mine = leases->of(id_);
  const std::uint64_t size =
      mine.generator == id_ ? std::min(mine.size * 2, largest_lease) : first_lease;
  const Range range = lease(size);
  mine = {id_, range.next + 1, range.end, size};
  return static_cast<std::int64_t>(range.next);
}

LeasedNumberGenerator::Range LeasedNumberGenerator::lease(std::uint64_t size) {
  const std::uint64_t first = next_.fetch_add(size, std::memory_order_relaxed);
  if (first >= end_of_numbers) detail::throw_out_of_numbers("LeasedNumberGenerator");
  return {first, std::min(first + size, end_of_numbers)};
}

}  // namespace rouse
