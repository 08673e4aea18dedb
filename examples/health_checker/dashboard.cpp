#include "dashboard.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/this_thread.hpp"

#include "display.hpp"
#include "table.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace health {
namespace {

constexpr std::string_view prompt = "health> ";

// Faster than that nobody reads; a storm of log lines must not become a storm of frames.
constexpr std::chrono::milliseconds shortest_pause{40};

std::string choices_text(const std::vector<std::string>& choices) {
  constexpr std::size_t most = 50;
  std::string text;
  for (std::size_t i = 0; i < std::min(choices.size(), most); ++i) text += choices[i] + "\n";
  if (choices.size() > most) text += "... and " + std::to_string(choices.size() - most) + " more\n";
  return text;
}

}  // namespace

Dashboard::Dashboard(int input, Screen& screen, std::function<std::vector<Row>()> rows)
    : input_(input),
      screen_(screen),
      rows_(std::move(rows)),
      raw_(input),
      editor_([this](std::string_view before_cursor) { return complete(before_cursor); }) {}

Dashboard::~Dashboard() { screen_.close(); }

LineReader::Status Dashboard::next(std::string& line) {
  for (;;) {
    while (!typed_.empty()) {
      if (take_key()) {
        line = editor_.take_line();
        return LineReader::Status::line;
      }
    }
    draw();
    const Cause cause = wait();
    if (cause == Cause::stop) return LineReader::Status::stopped;
    if (cause == Cause::keys && !read_keys()) return LineReader::Status::end;
  }
}

void Dashboard::print(const std::string& text) { draw(text); }

bool Dashboard::take_key() {
  const char key = typed_.front();
  typed_.erase(0, 1);
  switch (editor_.feed(key)) {
    case LineEditor::Outcome::line:
      // What was asked stays on the screen with its answer.
      draw(std::string(prompt) + editor_.text() + "\n");
      return true;
    case LineEditor::Outcome::choices:
      draw(choices_text(editor_.choices()));
      break;
    case LineEditor::Outcome::end:
      draw("Type stop, or press Ctrl-C, to end the program\n");
      break;
    case LineEditor::Outcome::none:
    case LineEditor::Outcome::changed:
      break;
  }
  return false;
}

bool Dashboard::read_keys() {
  char buffer[1024];
  const ssize_t count = ::read(input_, buffer, sizeof buffer);
  if (count > 0) {
    typed_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }
  if (count == 0 || errno == EIO) return false;  // it has hung up
  if (errno == EINTR || errno == EAGAIN) return true;
  throw std::system_error(errno, std::generic_category(), "read");
}

Dashboard::Cause Dashboard::wait() {
  for (;;) {
    const auto now = Clock::now();
    if (now >= refresh_at_) return Cause::time;
    const auto lines_from = drawn_at_ + shortest_pause;
    const bool lines_too = now >= lines_from;
    // In the background keys are for somebody else, and to read one would suspend us.
    ::pollfd fds[] = {{foreground_ ? input_ : -1, POLLIN, 0},
                      {lines_too ? screen_.lines_fd() : -1, POLLIN, 0}};
    const rouse::WaitStatus status =
        rouse::wait_fds_until(fds, lines_too ? refresh_at_ : std::min(refresh_at_, lines_from));
    if (rouse::this_thread::stop_token().stop_requested()) return Cause::stop;
    if (status != rouse::WaitStatus::ready) continue;
    if (fds[1].revents != 0) refresh_at_ = std::min(refresh_at_, earliest_);
    return fds[0].revents != 0 ? Cause::keys : Cause::lines;
  }
}

void Dashboard::draw(const std::string& above) {
  const bool before = std::exchange(foreground_, in_foreground(input_));
  // A shell that has suspended us has written to the terminal.
  if (foreground_ ? raw_.apply() : before) screen_.forget();
  Frame shown;
  if (foreground_) {
    shown = frame();
  } else {
    refresh_at_ = Clock::now() + refresh_period;
  }
  screen_.draw(above, shown);
  drawn_at_ = Clock::now();
}

Frame Dashboard::frame() {
  const TerminalSize size = screen_.size();
  const auto now = Clock::now();
  if (now >= refresh_at_ || size != size_) {
    size_ = size;
    refresh_at_ = now + refresh_period;
    // A quarter of the window is left for what scrolls by, and a line for the prompt.
    const std::size_t others = size.rows / 4 + 1;
    table_.clear();
    if (size.rows > others) {
      table_ = table_lines(
          rows_(), now,
          {.width = size.columns, .height = size.rows - others, .colours = screen_.colours()});
    }
  }

  const std::size_t left = std::min(prompt.size(), size.columns - 1);
  const LineEditor::View view = editor_.view(size.columns - left);
  Frame frame{.lines = table_, .cursor = left + view.cursor};
  frame.lines.push_back(std::string(prompt.substr(0, left)) + view.text);
  return frame;
}

std::vector<std::string> Dashboard::complete(std::string_view before_cursor) const {
  std::vector<std::string> names;
  for (const Row& row : rows_()) names.push_back(row.name);
  return completions(before_cursor, names);
}

}  // namespace health
