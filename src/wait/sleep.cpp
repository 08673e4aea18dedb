#include "rouse/wait/sleep.hpp"

#include "wait/blocking.hpp"

namespace rouse::detail {

WaitStatus sleep(Deadline deadline, const std::stop_token& stop) {
  Blocking blocking({"sleep", 0}, deadline, stop);
  // Nobody hands over work to a sleeper: spinning for it would be in vain.
  while (!blocking.ended()) blocking.park(/*may_spin=*/false);
  return blocking.finish();
}

}  // namespace rouse::detail
