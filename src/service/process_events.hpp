#pragma once
// ProcessEvents: what the kernel's process connector tells of programs that begin.
//
//   auto events = ProcessEvents::listen(ProcessEvents::Forks::ignored);
//   ... look at all processes; block until events->fd() is readable ...
//   events->take(pids, 200);   // look at these, or at all if some were lost
//
// Told are the processes that execute another program or change their name, and those that fork if
// asked for; not those that change their directory or overwrite their command line.
// The kernel lets listen whom it trusts (CAP_NET_ADMIN), in its first namespaces of processes,
// users and networks only. Thread safety: distinct objects: any thread.

#include "service/unique_fd.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace rouse::detail {

class ProcessEvents {
 public:
  enum class Forks : std::uint8_t { ignored, told };

  /// Nothing if it is not permitted. Never blocks: the kernel answers within the call.
  static std::optional<ProcessEvents> listen(Forks forks);

  ProcessEvents(ProcessEvents&&) noexcept = default;
  ProcessEvents& operator=(ProcessEvents&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~ProcessEvents();

  /// Readable when there is something to take.
  int fd() const noexcept { return socket_.get(); }

  enum class Taken : std::uint8_t {
    nothing,  ///< There was no news.
    all,      ///< There is no more.
    some,     ///< There may be more.
    lost,     ///< The kernel had no room for some: whatever may have happened.
  };
  /// Adds the pids of whom there was news, at most `limit`. Never blocks.
  Taken take(std::vector<::pid_t>& pids, std::size_t limit);

 private:
  explicit ProcessEvents(UniqueFd socket) noexcept : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

}  // namespace rouse::detail
