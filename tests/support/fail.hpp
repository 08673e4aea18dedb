#pragma once
// For what the tests themselves want of the system.

#include <cerrno>
#include <system_error>

namespace rouse::test {

/// Throws errno as an exception that says `what` has failed.
[[noreturn]] inline void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace rouse::test
