#pragma once
// LineOutput: lines to somebody who may stop to read (a full pipe, Ctrl-S): that holds up nobody
// for long. What is not taken soon is left out, and that is said once there is room again.
//
// Thread safety: one thread at a time. Waits go through rouse, but no stop ends them early: the
// last words of what is stopped are of interest too.

#include "checkers/fd.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>

namespace health {

/// For how long a reader is waited for before it is given up.
inline constexpr std::chrono::milliseconds output_patience{300};

/// The same terminal, pipe or file once more. Where that is possible a write to it does not block:
/// non-blocking belongs to the open file, which we share with whoever started us, so it is opened
/// anew. Empty if `fd` is not open, or there is no descriptor left.
Fd open_again(int fd) noexcept;

/// False if the reader has gone, has not taken all by then, or a stop was requested. Hardly blocks
/// even where writes can.
bool write_until(int fd, std::string_view text, std::chrono::steady_clock::time_point limit);

class LineOutput {
 public:
  /// Of `fd`, if that is open; what is written to one that is not goes nowhere.
  explicit LineOutput(int fd) noexcept : fd_(open_again(fd)) {}

  /// A line with its line feed. Waits for a reader once, until it has read again.
  void write(std::string_view line);

 private:
  const Fd fd_;
  std::size_t left_out_ = 0;
};

}  // namespace health
