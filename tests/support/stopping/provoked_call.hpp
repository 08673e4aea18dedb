#pragma once
// provoke: makes a call on a thread of its own, and ends it when it blocks.
//
// Thread safety: the thread of the test.

#include "support/stopping/blocking_rows.hpp"

#include <chrono>
#include <cstdint>

namespace rouse::test {

enum class EndBy : std::uint8_t { release, token, ambient, own_deadline, scope_deadline, raise };

const char* to_string(EndBy by) noexcept;
const char* to_string(Ends ends) noexcept;

struct Ending {
  Ends how = Ends::throws_something_else;
  bool went_on = false;  ///< It still blocked after it had been asked, and was released then.
  bool blocked = false;  ///< Before it was asked; for at least the time that a deadline gave it.
  std::chrono::nanoseconds took{};  ///< From just before it was asked until it had returned.
};

/// `expected` is what the call promises. It is asked when it has blocked for `pause`. One that is
/// to go on is released when it sleeps after it was asked.
Ending provoke(const Scene& scene, EndBy by, Ends expected, std::chrono::nanoseconds pause = {});

}  // namespace rouse::test
