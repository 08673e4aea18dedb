#include "support/clock/clock.hpp"

#include "rouse/detail/os.hpp"

#include <atomic>
#include <cstdint>

// The linker gives calls of a wrapped function to __wrap_<name>, and the function itself the name
// __real_<name>.
#define NOW_NS "_ZN5rouse6detail2os6now_nsEv"
#define CALENDAR_NS "_ZN5rouse6detail2os11calendar_nsEv"
#define FUTEX_WAIT "_ZN5rouse6detail2os10futex_waitERSt6atomicIjEjl"

namespace rouse::test {
namespace {

using Word = detail::Atomic<std::uint32_t>;

constinit std::atomic<std::int64_t> ahead{0};
constinit std::atomic<std::int64_t> calendar_ahead{0};
constexpr std::int64_t goes_on = INT64_MIN;
constinit std::atomic<std::int64_t> calendar_stands_at{goes_on};

}  // namespace

void advance_clock(std::chrono::nanoseconds d) noexcept { ahead += d.count(); }

void advance_calendar(std::chrono::nanoseconds d) noexcept { calendar_ahead += d.count(); }

StandingCalendar::~StandingCalendar() { calendar_stands_at = goes_on; }

void StandingCalendar::set(std::chrono::nanoseconds since_1970) noexcept {
  calendar_stands_at = since_1970.count();
}

std::int64_t real_calendar_ns() noexcept asm("__real_" CALENDAR_NS);
std::int64_t calendar_ns() noexcept asm("__wrap_" CALENDAR_NS);
std::int64_t calendar_ns() noexcept {
  const std::int64_t standing = calendar_stands_at;
  return standing != goes_on ? standing : real_calendar_ns() + calendar_ahead;
}

std::int64_t real_now_ns() noexcept asm("__real_" NOW_NS);
std::int64_t now_ns() noexcept asm("__wrap_" NOW_NS);
std::int64_t now_ns() noexcept { return real_now_ns() + ahead; }

void real_futex_wait(Word& word, std::uint32_t expected, std::int64_t deadline_ns) noexcept
    asm("__real_" FUTEX_WAIT);
void futex_wait(Word& word, std::uint32_t expected, std::int64_t deadline_ns) noexcept
    asm("__wrap_" FUTEX_WAIT);
void futex_wait(Word& word, std::uint32_t expected, std::int64_t deadline_ns) noexcept {
  real_futex_wait(word, expected, deadline_ns == INT64_MAX ? INT64_MAX : deadline_ns - ahead);
}

}  // namespace rouse::test
