#include "support/http_client.hpp"

#include "rouse/wait/fd.hpp"

#include "support/fail.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>
#include <utility>

namespace rouse::test {

std::string HttpReply::field(std::string_view name) const {
  std::istringstream lines(header);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon != name.size() || ::strncasecmp(line.data(), name.data(), colon) != 0) continue;
    const std::size_t begin = line.find_first_not_of(' ', colon + 1);
    if (begin == std::string::npos) return {};
    return line.substr(begin, line.find('\r', begin) - begin);
  }
  return {};
}

HttpClient::HttpClient(std::uint16_t port, ChildProcess::Duration limit)
    : limit_(limit), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_.get() < 0 ||
      ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
}

bool HttpClient::send(std::string_view data) {
  while (!data.empty()) {
    if (wait_writable_for(fd_.get(), limit_) != WaitStatus::ready) return false;
    const ssize_t sent = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return false;
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void HttpClient::half_close() {
  if (::shutdown(fd_.get(), SHUT_WR) != 0) fail("shutdown");
}

bool HttpClient::receive() {
  std::array<char, 16384> buffer;
  if (wait_readable_for(fd_.get(), limit_) != WaitStatus::ready) return false;
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  pending_.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

std::string HttpClient::read_until(std::string_view end) {
  std::size_t found = 0;
  std::size_t searched = 0;
  while ((found = pending_.find(end, searched)) == std::string::npos) {
    searched = pending_.size() - std::min(pending_.size(), end.size());
    if (!receive()) return std::exchange(pending_, {});
  }
  std::string text = pending_.substr(0, found + end.size());
  pending_.erase(0, found + end.size());
  return text;
}

std::string HttpClient::read_all() {
  while (receive()) {
  }
  return std::exchange(pending_, {});
}

HttpReply HttpClient::read_answer(bool to_head) {
  HttpReply reply;
  reply.header = read_until("\r\n\r\n");
  constexpr std::string_view version = "HTTP/1.1 ";
  if (!reply.header.starts_with(version)) return reply;
  reply.status = std::atoi(reply.header.c_str() + version.size());
  const auto size = std::strtoull(reply.field("Content-Length").c_str(), nullptr, 10);
  if (to_head) return reply;
  while (pending_.size() < size && receive()) {
  }
  reply.body = pending_.substr(0, size);
  pending_.erase(0, size);
  return reply;
}

HttpReply HttpClient::get(std::string_view target, std::string_view header) {
  send("GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(header) +
       "\r\n");
  return read_answer();
}

HttpReply http_get(std::uint16_t port, std::string_view target, std::string_view header) {
  return HttpClient(port).get(target, header);
}

}  // namespace rouse::test
