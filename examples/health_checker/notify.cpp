#include "notify.hpp"

#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace health {
namespace {

// Of an environment variable, which is removed. Empty if there is none.
std::string taken(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Notify::Notify() {
  const std::string path = taken("NOTIFY_SOCKET");
  const auto period = number(taken("WATCHDOG_USEC"));
  const std::string pid = taken("WATCHDOG_PID");
  const bool is_for_us = pid.empty() || number(pid) == ::getpid();
  if (period && *period > 0 && is_for_us) watchdog_ = std::chrono::microseconds(*period);

  if (path.size() < 2 || path.size() > sizeof address_.sun_path) return;
  if (path[0] != '/' && path[0] != '@') return;
  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, path.data(), path.size());
  if (path[0] == '@') address_.sun_path[0] = '\0';  // an abstract name
  length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void Notify::send(std::string_view state) noexcept {
  if (!socket_) return;
  // Who listens and does not read is not waited for.
  (void)::sendto(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address_), length_);
}

}  // namespace health
