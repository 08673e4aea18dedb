#pragma once
// Dashboard: on a terminal, a table of all checks that refreshes in place above a prompt.
//
//   Dashboard dashboard(STDIN_FILENO, screen, [&] { return monitor.rows(); });
//   std::string line;
//   while (dashboard.next(line) == LineReader::Status::line) dashboard.print(answer_to(line));
//
// Thread safety: one thread. It waits through rouse, so whatever is bound to that thread ends it.

#include "console.hpp"
#include "line_editor.hpp"
#include "results.hpp"
#include "screen.hpp"
#include "terminal.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace health {

class Dashboard {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds refresh_period{1000};
  /// After a line of the log, which may tell of a result, the table is refreshed earlier.
  static constexpr std::chrono::milliseconds least_period{100};

  /// From a terminal, which stays the caller's; it is put back as it was by the destructor, which
  /// closes the screen too. Throws std::system_error if it is none.
  Dashboard(int input, Screen& screen, std::function<std::vector<Row>()> rows);
  ~Dashboard();

  Dashboard(const Dashboard&) = delete;
  Dashboard& operator=(const Dashboard&) = delete;

  /// As LineReader::next(), with the table and the log on show meanwhile.
  LineReader::Status next(std::string& line);

  /// Whole lines, above the table.
  void print(const std::string& text);

 private:
  enum class Cause { keys, lines, time, stop };

  /// Until there is something to read, to show or to refresh.
  Cause wait();
  /// False if there will never be one again.
  bool read_keys();
  /// True if it has ended a line.
  bool take_key();
  void draw(const std::string& above = {});
  Frame frame();
  std::vector<std::string> complete(std::string_view before_cursor) const;

  const int input_;
  Screen& screen_;
  const std::function<std::vector<Row>()> rows_;
  RawTerminal raw_;
  LineEditor editor_;
  std::string typed_;  // and not yet given to the editor

  std::vector<std::string> table_;
  TerminalSize size_;
  bool foreground_ = true;
  Clock::time_point refresh_at_{};  // when the table is to be made again
  Clock::time_point earliest_{};    // when it may be, if there is something new
  Clock::time_point drawn_at_{};
};

}  // namespace health
