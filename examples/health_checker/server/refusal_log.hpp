#pragma once
// RefusalLog: tells who was refused and why, but does not let them fill the log.
//
// Thread safety: all functions from any thread.

#include "log.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace health {

class RefusalLog {
 public:
  explicit RefusalLog(Log& log) noexcept : log_(log) {}

  /// At most some lines a second; the next one tells how many were left out.
  void tell(const std::string& line);

  /// How many there were, in the log or not.
  [[nodiscard]] std::uint64_t count() const;

 private:
  static constexpr int lines_per_second = 5;

  Log& log_;
  mutable std::mutex mutex_;  // of what follows
  std::chrono::steady_clock::time_point second_;
  int lines_ = 0;  // in this second
  std::uint64_t left_out_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace health
