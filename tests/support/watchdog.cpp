#include "support/watchdog.hpp"

#include "support/scale.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace rouse::test {
namespace {

char message[256];
std::size_t message_length = 0;

extern "C" void bark(int) {
  if (::write(STDERR_FILENO, message, message_length) < 0) std::_Exit(3);
  std::abort();
}

void append(const char* text) noexcept {
  const std::size_t room = sizeof message - message_length;
  const std::size_t length = std::min(std::strlen(text), room);
  std::memcpy(message + message_length, text, length);
  message_length += length;
}

}  // namespace

int test_limit_seconds() noexcept { return under_sanitizer ? 100 : 50; }

void arm_watchdog(const char* name) noexcept {
  message_length = 0;
  append("watchdog: test hangs: ");
  append(name);
  append("\n");
  struct sigaction action {};
  action.sa_handler = &bark;
  ::sigaction(SIGALRM, &action, nullptr);
  ::alarm(static_cast<unsigned>(test_limit_seconds()));
}

void disarm_watchdog() noexcept { ::alarm(0); }

}  // namespace rouse::test
