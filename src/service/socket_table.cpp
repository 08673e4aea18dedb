#include "service/socket_table.hpp"

#include "service/proc_file.hpp"
#include "service/unique_fd.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace rouse::detail {
namespace {

constexpr std::uint8_t listening = 10;  // TCP_LISTEN
constexpr std::uint32_t all_states = UINT32_MAX;

// --- sock_diag
// -------------------------------------------------------------------------------------

// Sockets whose local port is >= and <= `port`: equal to it, for kernels that know no better.
struct PortFilter {
  explicit PortFilter(std::uint16_t port) noexcept
      : at_least{INET_DIAG_BC_S_GE, pair, sizeof(PortFilter) + beyond},
        least{0, 0, port},
        at_most{INET_DIAG_BC_S_LE, pair, pair + beyond},
        most{0, 0, port} {}

  static constexpr unsigned char pair = 2 * sizeof(::inet_diag_bc_op);
  static constexpr unsigned short beyond = sizeof(::inet_diag_bc_op);  // the end: not wanted

  ::inet_diag_bc_op at_least, least, at_most, most;
};

struct DiagRequest {
  ::nlmsghdr header{};
  ::inet_diag_req_v2 request{};
  ::rtattr attribute{};
  PortFilter filter;
};

static_assert(sizeof(DiagRequest) == 92, "the kernel knows no padding");

// Takes a structure off the front; false if there is not enough.
template <class Structure>
bool take_structure(std::span<const char>& bytes, Structure& structure) noexcept {
  if (bytes.size() < sizeof structure) return false;
  std::memcpy(&structure, bytes.data(), sizeof structure);
  bytes = bytes.subspan(sizeof structure);
  return true;
}

// Takes what a header with a length has behind itself, and the padding; false if it is too long.
bool take_payload(std::span<const char>& bytes, std::size_t length, std::size_t header_size,
                  std::span<const char>& payload) noexcept {
  if (length < header_size || length - header_size > bytes.size()) return false;
  const std::size_t size = length - header_size;
  const std::size_t padded = (size + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1};
  payload = bytes.first(size);
  bytes = bytes.subspan(std::min(padded, bytes.size()));
  return true;
}

// The sockets of one family, out of the datagrams that the kernel sends.
class DiagAnswer {
 public:
  enum class State : std::uint8_t { incomplete, complete, useless };

  DiagAnswer(std::uint16_t port, std::vector<BoundSocket>& sockets) noexcept
      : port_(port), sockets_(sockets) {}

  State read(std::span<const char> datagram) {
    ::nlmsghdr header{};
    while (take_structure(datagram, header)) {
      std::span<const char> payload;
      if (!take_payload(datagram, header.nlmsg_len, sizeof header, payload)) break;
      // Sockets that come and go meanwhile may have had the kernel pass others by.
      if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) return State::useless;
      if (header.nlmsg_type == NLMSG_ERROR) return State::useless;
      if (header.nlmsg_type == NLMSG_DONE) {
        int error = 0;
        return take_structure(payload, error) && error != 0 ? State::useless : State::complete;
      }
      if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY && !add(payload)) return State::useless;
    }
    return datagram.empty() ? State::incomplete : State::useless;
  }

 private:
  bool add(std::span<const char> payload) {
    ::inet_diag_msg message{};
    if (!take_structure(payload, message)) return false;
    if (ntohs(message.id.idiag_sport) != port_) return true;
    BoundSocket socket;
    socket.inode = message.idiag_inode;
    if (message.idiag_family == AF_INET) {
      socket.address = IpAddress::v4(message.id.idiag_src[0]);
    } else {
      std::memcpy(&socket.address.bytes, message.id.idiag_src, sizeof socket.address.bytes);
      socket.v6_only = is_v6_only(payload);
    }
    sockets_.push_back(socket);
    return true;
  }

  static bool is_v6_only(std::span<const char> attributes) noexcept {
    ::rtattr attribute{};
    while (take_structure(attributes, attribute)) {
      std::span<const char> value;
      if (!take_payload(attributes, attribute.rta_len, sizeof attribute, value)) break;
      if (attribute.rta_type == INET_DIAG_SKV6ONLY) return !value.empty() && value[0] != 0;
    }
    return false;
  }

  const std::uint16_t port_;
  std::vector<BoundSocket>& sockets_;
};

bool ask_for_family(int netlink, Protocol protocol, std::uint8_t family, std::uint16_t port,
                    std::vector<BoundSocket>& sockets) {
  DiagRequest request{.filter = PortFilter(port)};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.request.sdiag_family = family;
  request.request.sdiag_protocol = protocol == Protocol::tcp ? IPPROTO_TCP : IPPROTO_UDP;
  request.request.idiag_states = protocol == Protocol::tcp ? 1U << listening : all_states;
  request.attribute.rta_type = INET_DIAG_REQ_BYTECODE;
  request.attribute.rta_len = sizeof request.attribute + sizeof request.filter;
  if (::send(netlink, &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return false;

  DiagAnswer answer(port, sockets);
  auto state = DiagAnswer::State::incomplete;
  while (state == DiagAnswer::State::incomplete) {
    // The kernel fills as much of it as there is, so that nothing is cut off.
    std::array<char, 32 * 1024> buffer;
    const ssize_t size = ::recv(netlink, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || static_cast<std::size_t>(size) > buffer.size()) return false;
    state = answer.read({buffer.data(), static_cast<std::size_t>(size)});
  }
  return state == DiagAnswer::State::complete;
}

// --- /proc/net
// -------------------------------------------------------------------------------------

// Takes the next word and the spaces before it.
std::string_view take_column(std::string_view& line) noexcept {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view column = line.substr(0, line.find(' '));
  line.remove_prefix(column.size());
  return column;
}

template <class Number>
bool parse_column(std::string_view text, Number& number, int base) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

// Words of 32 bits in the order of this machine, each of which holds bytes in that of networks.
bool parse_address(std::string_view text, IpAddress& address) noexcept {
  constexpr std::size_t digits = 8;
  std::array<std::uint32_t, 4> words{};
  if (text.size() != digits && text.size() != digits * words.size()) return false;
  for (std::size_t i = 0; i * digits < text.size(); ++i) {
    if (!parse_column(text.substr(i * digits, digits), words[i], 16)) return false;
  }
  if (text.size() == digits) {
    address = IpAddress::v4(words[0]);
  } else {
    std::memcpy(&address.bytes, words.data(), sizeof address.bytes);
  }
  return true;
}

// Nothing if the line is another port's, or not about a socket at all.
std::optional<BoundSocket> parse_socket(std::string_view line, Protocol protocol,
                                        std::uint16_t port) {
  if (!take_column(line).ends_with(':')) return std::nullopt;
  const std::string_view local = take_column(line);
  const std::size_t colon = local.find(':');
  BoundSocket socket;
  std::uint16_t local_port = 0;
  if (colon == std::string_view::npos || !parse_column(local.substr(colon + 1), local_port, 16) ||
      local_port != port || !parse_address(local.substr(0, colon), socket.address)) {
    return std::nullopt;
  }
  take_column(line);
  std::uint8_t state = 0;
  if (!parse_column(take_column(line), state, 16)) return std::nullopt;
  if (protocol == Protocol::tcp && state != listening) return std::nullopt;
  constexpr int before_inode = 5;  // queues, timer, retransmissions, user, time-outs
  for (int i = 0; i < before_inode; ++i) take_column(line);
  if (!parse_column(take_column(line), socket.inode, 10)) return std::nullopt;
  return socket;
}

bool v6_only_unless_told_otherwise() {
  std::string text;
  return read_proc_file(AT_FDCWD, "/proc/sys/net/ipv6/bindv6only", text, 1) &&
         text.starts_with('1');
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t in_order_of_networks) noexcept {
  IpAddress address;
  address.bytes.s6_addr[10] = address.bytes.s6_addr[11] = 0xff;
  std::memcpy(&address.bytes.s6_addr[12], &in_order_of_networks, sizeof in_order_of_networks);
  return address;
}

std::optional<IpAddress> IpAddress::parse(const std::string& text) {
  ::in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return v4(four.s_addr);
  IpAddress address;
  if (::inet_pton(AF_INET6, text.c_str(), &address.bytes) == 1) return address;
  return std::nullopt;
}

bool IpAddress::is_v4() const noexcept { return IN6_IS_ADDR_V4MAPPED(&bytes); }

bool IpAddress::is_any() const noexcept { return *this == IpAddress() || *this == v4(INADDR_ANY); }

bool operator==(const IpAddress& a, const IpAddress& b) noexcept {
  return std::memcmp(&a.bytes, &b.bytes, sizeof a.bytes) == 0;
}

bool BoundSocket::serves(AddressFamily family) const noexcept {
  switch (family) {
    case AddressFamily::v4:
      return address.is_v4() || (address.is_any() && !v6_only);
    case AddressFamily::v6:
      return !address.is_v4();
    case AddressFamily::any:
      break;
  }
  return true;
}

bool BoundSocket::serves(const IpAddress& wanted) const noexcept {
  if (address == wanted) return true;
  return address.is_any() && serves(wanted.is_v4() ? AddressFamily::v4 : AddressFamily::v6);
}

std::optional<std::vector<BoundSocket>> ask_sock_diag(Protocol protocol, std::uint16_t port) {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  // To the kernel: nobody else is heard.
  ::sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  std::vector<BoundSocket> sockets;
  if (!netlink ||
      ::connect(netlink.get(), reinterpret_cast<const ::sockaddr*>(&kernel), sizeof kernel) != 0 ||
      !ask_for_family(netlink.get(), protocol, AF_INET, port, sockets) ||
      !ask_for_family(netlink.get(), protocol, AF_INET6, port, sockets)) {
    return std::nullopt;
  }
  return sockets;
}

std::vector<BoundSocket> read_proc_net(Protocol protocol, std::uint16_t port) {
  std::vector<BoundSocket> sockets;
  for (const bool v6 : {false, true}) {
    const std::string file = std::string("/proc/thread-self/net/") +
                             (protocol == Protocol::tcp ? "tcp" : "udp") + (v6 ? "6" : "");
    std::string text;
    if (!read_proc_file(AT_FDCWD, file.c_str(), text, SIZE_MAX)) {
      if (v6 && errno == ENOENT) break;  // without IPv6
      throw std::system_error(errno, std::generic_category(),
                              "rouse: port " + std::to_string(port) + ": cannot read " + file);
    }
    const bool v6_only = v6 && v6_only_unless_told_otherwise();
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      auto socket = parse_socket(line, protocol, port);
      // The list is read page by page while others come and go: one may be in it twice.
      const auto is_it = [&socket](const BoundSocket& each) { return each.inode == socket->inode; };
      if (!socket || std::ranges::any_of(sockets, is_it)) continue;
      socket->v6_only = v6_only;
      sockets.push_back(*socket);
    }
  }
  return sockets;
}

std::vector<BoundSocket> sockets_on_port(Protocol protocol, std::uint16_t port) {
  if (auto sockets = ask_sock_diag(protocol, port)) return *std::move(sockets);
  return read_proc_net(protocol, port);
}

}  // namespace rouse::detail
