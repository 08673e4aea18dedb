#pragma once
// ProcessEnd: the end of one process, told by its pidfd.
//
//   ProcessEnd end(pid);
//   if (end.reached()) return;
//   end.subscribe(sources);
//
// The pidfd stays open until the end was seen, and means the process whatever becomes of its pid.
// A kernel without pidfds (before 5.3, or a sandbox that refuses them) has the start time looked at
// every `interval`.

#include "service/condition_state.hpp"
#include "service/unique_fd.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace rouse::detail {

class ProcessEnd {
 public:
  /// Of the process that has the pid now; reached if there is none. Throws std::system_error that
  /// names the pid if it is a thread's, or for lack of descriptors.
  ProcessEnd(::pid_t pid, std::chrono::nanoseconds interval);
  /// Of the process that had the pid when it was started at this time.
  ProcessEnd(::pid_t pid, std::uint64_t start_time, std::chrono::nanoseconds interval);

  bool reached();
  void subscribe(Sources& sources) const;

 private:
  void open();

  ::pid_t pid_;
  std::chrono::nanoseconds interval_;
  UniqueFd pidfd_;
  std::optional<std::uint64_t> start_time_;  // of what has no pidfd; nothing: reached
};

}  // namespace rouse::detail
