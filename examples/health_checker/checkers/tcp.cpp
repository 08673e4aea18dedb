#include "checkers/tcp.hpp"

#include "checkers/grade.hpp"
#include "checkers/kinds.hpp"
#include "checkers/text.hpp"

#include <array>
#include <chrono>
#include <utility>

namespace health {
namespace {

/// At least as many bytes as `expected` has, or fewer if the peer closes or it is clear that they
/// differ.
std::string read_banner(Socket& socket, std::string_view expected) {
  std::string banner;
  std::array<char, 512> buffer;
  while (banner.size() < expected.size() && expected.starts_with(banner)) {
    const std::size_t got = socket.read(buffer);
    if (got == 0) break;
    banner.append(buffer.data(), got);
  }
  return banner;
}

}  // namespace

TcpChecker::TcpChecker(TcpOptions options) : options_(std::move(options)) {}

CheckResult TcpChecker::check(std::stop_token) {
  const auto started = std::chrono::steady_clock::now();
  try {
    Socket socket = Socket::connect(resolve(options_.host, options_.port, options_.resolver));
    const auto latency = std::chrono::steady_clock::now() - started;
    socket.write_all(options_.send);
    const std::string banner = read_banner(socket, options_.expect);
    if (!banner.starts_with(options_.expect)) {
      return verdict(Status::critical, banner.empty()
                                           ? "closed before it said anything"
                                           : "answered \"" + first_line(banner, 80) + "\"");
    }
    return verdict(Status::ok, "connected in " + duration_text(latency),
                   {{"latency", milliseconds(latency), "ms"}});
  } catch (const TargetError& error) {
    return verdict(Status::critical, error.what());
  }
}

std::unique_ptr<BaseChecker> make_tcp(Settings& settings) {
  TcpOptions options;
  options.host = settings.required_text("host");
  options.port = static_cast<std::uint16_t>(settings.required_integer("port", 1, 65'535));
  options.send = settings.text("send", "");
  options.expect = settings.text("expect", "");
  options.resolver.servers = settings.text_list("dns_servers");
  return std::make_unique<TcpChecker>(std::move(options));
}

}  // namespace health
