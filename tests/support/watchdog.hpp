#pragma once
// Watchdog: a test that hangs ends with its name, not with the patience of the machine.
//
// Every test has one (tests/support/main.cpp installs it). It is an alarm(2), not a thread: tests
// fork, count threads and exhaust them.

namespace rouse::test {

/// Seconds that a test may take. Longer where a sanitizer slows it down.
int test_limit_seconds() noexcept;

/// Arms it for the test that begins; `name` is printed if it is not disarmed in time.
void arm_watchdog(const char* name) noexcept;
void disarm_watchdog() noexcept;

}  // namespace rouse::test
