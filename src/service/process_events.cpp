#include "service/process_events.hpp"

#include <arpa/inet.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>

namespace rouse::detail {
namespace {

// Where the enumerators are declared differs between versions of the kernel's header.
using EventKind = decltype(::proc_event::what);
constexpr auto answer_event = static_cast<EventKind>(0);
constexpr auto fork_event = static_cast<EventKind>(0x1);
constexpr auto exec_event = static_cast<EventKind>(0x2);
constexpr auto name_event = static_cast<EventKind>(0x200);

constexpr std::size_t message_at = NLMSG_HDRLEN;
constexpr std::size_t event_at = message_at + sizeof(::cn_msg);

// One of a kind among those that listen: each of them hears the answers to all.
std::uint32_t next_request() noexcept {
  static std::atomic<std::uint32_t> last{0};
  return (static_cast<std::uint32_t>(::getpid()) << 12U) ^
         last.fetch_add(1, std::memory_order_relaxed);
}

bool ask_connector(int socket, proc_cn_mcast_op operation, std::uint32_t request) noexcept {
  ::nlmsghdr header{};
  ::cn_msg message{};
  std::array<char, event_at + sizeof operation> datagram;
  header.nlmsg_len = datagram.size();
  header.nlmsg_type = NLMSG_DONE;
  message.id = {CN_IDX_PROC, CN_VAL_PROC};
  message.ack = request;
  message.len = sizeof operation;
  std::memcpy(datagram.data(), &header, sizeof header);
  std::memcpy(datagram.data() + message_at, &message, sizeof message);
  std::memcpy(datagram.data() + event_at, &operation, sizeof operation);
  return ::send(socket, datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(datagram.size());
}

// The rest of what happens to processes wakes nobody.
bool keep_only_wanted(int socket, ProcessEvents::Forks forks) noexcept {
  constexpr std::uint32_t what = event_at + offsetof(::proc_event, what);
  const auto in_order_of_networks = [](EventKind kind) {
    return htonl(static_cast<std::uint32_t>(kind));
  };
  const auto jump_if = [&](EventKind kind, std::uint8_t steps) {
    return ::sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, in_order_of_networks(kind), steps, 0);
  };
  const bool forks_too = forks == ProcessEvents::Forks::told;
  std::array<::sock_filter, 7> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, what),
      jump_if(answer_event, 4),
      jump_if(exec_event, 3),
      jump_if(name_event, 2),
      jump_if(forks_too ? fork_event : answer_event, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
  }};
  const ::sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

// One datagram of the kernel, and what it says.
class Announcement {
 public:
  enum class Outcome : std::uint8_t { event, foreign, none, lost };

  Outcome receive(int socket) noexcept {
    ::sockaddr_nl sender{};
    ::socklen_t sender_size = sizeof sender;
    const ssize_t size = ::recvfrom(socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT,
                                    reinterpret_cast<::sockaddr*>(&sender), &sender_size);
    if (size < 0) {
      if (errno == EINTR) return Outcome::foreign;
      return errno == ENOBUFS ? Outcome::lost : Outcome::none;
    }
    // Only the kernel has the port 0.
    if (sender.nl_pid != 0) return Outcome::foreign;
    return parse({buffer_.data(), static_cast<std::size_t>(size)}) ? Outcome::event
                                                                   : Outcome::foreign;
  }

  bool answers(std::uint32_t request) const noexcept {
    return event_.what == answer_event && answered_ == request + 1;
  }
  std::uint32_t error() const noexcept { return event_.event_data.ack.err; }

  /// Of the process that there is news of; 0 if it is of a thread, or no news.
  ::pid_t pid() const noexcept {
    const auto& data = event_.event_data;
    switch (event_.what) {
      case exec_event:
        return data.exec.process_tgid;
      case name_event:
        return data.comm.process_pid == data.comm.process_tgid ? data.comm.process_tgid : 0;
      case fork_event:
        return data.fork.child_pid == data.fork.child_tgid ? data.fork.child_tgid : 0;
      default:
        return 0;
    }
  }

 private:
  bool parse(std::span<const char> datagram) noexcept {
    if (datagram.size() < event_at) return false;
    ::cn_msg message{};
    std::memcpy(&message, datagram.data() + message_at, sizeof message);
    if (message.id.idx != CN_IDX_PROC || message.id.val != CN_VAL_PROC) return false;
    answered_ = message.ack;
    // Kernels differ in how long the event is: what is not there is 0.
    event_ = {};
    std::memcpy(&event_, datagram.data() + event_at,
                std::min(datagram.size() - event_at, sizeof event_));
    return true;
  }

  std::array<char, 1024> buffer_;
  std::uint32_t answered_ = 0;
  ::proc_event event_{};
};

bool is_permitted(int socket, std::uint32_t request) noexcept {
  if (!ask_connector(socket, PROC_CN_MCAST_LISTEN, request)) return false;
  // Others' answers and first events may come before ours.
  Announcement announcement;
  for (;;) {
    const Announcement::Outcome outcome = announcement.receive(socket);
    if (outcome == Announcement::Outcome::none) return false;
    if (outcome == Announcement::Outcome::event && announcement.answers(request)) {
      return announcement.error() == 0;
    }
  }
}

}  // namespace

std::optional<ProcessEvents> ProcessEvents::listen(Forks forks) {
  UniqueFd socket(
      ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
  ::sockaddr_nl group{};
  group.nl_family = AF_NETLINK;
  group.nl_groups = CN_IDX_PROC;
  if (!socket || !keep_only_wanted(socket.get(), forks) ||
      ::bind(socket.get(), reinterpret_cast<const ::sockaddr*>(&group), sizeof group) != 0 ||
      !is_permitted(socket.get(), next_request())) {
    return std::nullopt;
  }
  return ProcessEvents(std::move(socket));
}

ProcessEvents::~ProcessEvents() {
  // The kernel counts who listens, and older ones do not see that a socket is closed.
  if (socket_) ask_connector(socket_.get(), PROC_CN_MCAST_IGNORE, next_request());
}

ProcessEvents::Taken ProcessEvents::take(std::vector<::pid_t>& pids, std::size_t limit) {
  Announcement announcement;
  for (std::size_t i = 0; i < limit; ++i) {
    switch (announcement.receive(socket_.get())) {
      case Announcement::Outcome::none:
        return i == 0 ? Taken::nothing : Taken::all;
      case Announcement::Outcome::lost:
        return Taken::lost;
      case Announcement::Outcome::foreign:
        break;
      case Announcement::Outcome::event:
        if (const ::pid_t pid = announcement.pid(); pid != 0) pids.push_back(pid);
    }
  }
  return Taken::some;
}

}  // namespace rouse::detail
