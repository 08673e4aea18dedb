#pragma once
// ChildCall: a system call that may hang for ever (stat, statvfs), made where need be in a child
// process that can be abandoned.
//
/// @code
///   ChildCall call;  // a member of the checker
///   std::optional<FileFacts> facts = call.run(&look_at_file, "/mnt/share/backup.tar");
/// @endcode
//
// Why a process: a call on a dead network file system cannot be interrupted, and a thread that is
// stuck in one keeps its whole program from ending. It is made only where the path may lead to such
// a file system (may_hang): a fork of a program with a thousand threads takes tens of milliseconds.
//
// Thread safety: one thread at a time. At most one child per ChildCall: while an abandoned one
// hangs, run() makes no other.

#include "checkers/child.hpp"
#include "checkers/mounts.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>

namespace health {

class ChildCall {
 public:
  enum class Where { as_needed, always_in_child };

  explicit ChildCall(Where where = Where::as_needed) : where_(where) {}

  /// function(path), or nothing while the child of an earlier call hangs. Throws
  /// rouse::Stopped at a stop, std::system_error, and std::runtime_error if the child died.
  /// `function` runs in the fork of a threaded program: it may make system calls, not allocate.
  template <class Result>
  std::optional<Result> run(Result (*function)(const char*), const std::string& path) {
    static_assert(std::is_trivially_copyable_v<Result>);
    if (where_ == Where::as_needed && !may_hang(path)) return function(path.c_str());
    struct Job {
      Result (*function)(const char*);
      const char* argument;
      Result result;
    } job{function, path.c_str(), {}};
    const auto invoke = [](void* erased) {
      auto& work = *static_cast<Job*>(erased);
      work.result = work.function(work.argument);
    };
    if (!run_erased(invoke, &job, &job.result, sizeof job.result)) return std::nullopt;
    return job.result;
  }

  /// Since when the abandoned child hangs; meant while run() returns nothing.
  [[nodiscard]] std::chrono::steady_clock::time_point hangs_since() const noexcept {
    return hangs_since_;
  }

 private:
  bool run_erased(void (*invoke)(void*), void* job, void* result, std::size_t size);

  const Where where_;
  Child abandoned_;
  std::chrono::steady_clock::time_point hangs_since_;
};

}  // namespace health
