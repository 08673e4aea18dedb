#pragma once
// Screen: a terminal that a frame and the log share without disturbing each other.
//
// Lines wait until the thread that draws takes them along, in the same write as the next frame; so
// whoever logs never waits for a slow terminal. After close() they go to the log's own, which is
// given up if it takes nothing: it must not hold up a program that stops.
// Thread safety: add_line() and fd() from any thread; the rest from one. It waits through rouse, so
// whatever is bound to that thread ends a wait for a terminal that takes nothing.

#include "checkers/fd.hpp"
#include "frame.hpp"
#include "terminal.hpp"

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace health {

class Screen {
 public:
  /// How much of the log waits; what is more is left out, and that is said.
  static constexpr std::size_t most_waiting = std::size_t{1} << 20U;

  /// On terminals, which stay open: the frame's, and the log's once there is no frame any more.
  /// Throws std::system_error if there is no descriptor left.
  Screen(int output, int log);
  ~Screen();

  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// A line with its line feed. Never blocks before close(), and then hardly.
  void add_line(std::string_view line);

  /// Readable while lines wait.
  [[nodiscard]] int lines_fd() const noexcept { return arrived_.get(); }

  [[nodiscard]] TerminalSize size() const noexcept { return terminal_size(output_); }
  [[nodiscard]] bool colours() const noexcept { return colours_; }

  /// Shows what waits, then `above` (whole lines, or nothing), and below them the frame.
  void draw(std::string_view above, const Frame& frame);

  /// Somebody else has written to the terminal: what is shown stays, the next frame stands below.
  void forget() noexcept { painter_.forget(); }

  /// Takes the frame away and shows what waits, if the terminal takes it soon. Twice is once.
  void close() noexcept;

 private:
  bool wait_in_line(std::string_view line);
  bool is_closed();
  std::string take_waiting();

  const int output_;
  const bool colours_;
  const Fd own_output_;  // the same terminals, where a write does not block
  const Fd own_log_;
  const Fd arrived_;  // an eventfd
  FramePainter painter_;
  std::atomic<bool> given_up_ = false;

  std::mutex mutex_;
  std::string waiting_;
  std::size_t left_out_ = 0;
  bool closed_ = false;
};

}  // namespace health
