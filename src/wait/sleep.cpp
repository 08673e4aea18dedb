#include "rouse/wait/sleep.hpp"

#include "wait/blocking.hpp"

namespace rouse::detail {

WaitStatus sleep(Deadline deadline, const std::stop_token& stop) {
  Blocking blocking({"sleep", 0}, deadline, stop);
  if (!blocking.ended()) blocking.arm();
  while (!blocking.ended()) blocking.park();
  return blocking.finish();
}

}  // namespace rouse::detail
