#include <rouse/service/autowait.hpp>

#include <stdexcept>

// Needs all that the library needs: the waits of core, and RE2 for the pattern, which is none.
int main() {
  try {
    (void)rouse::until::line_matches("server.log", "(");
    return 1;
  } catch (const std::invalid_argument&) {
  }
  return rouse::wait_until([] { return true; }) == rouse::WaitStatus::ready ? 0 : 1;
}
