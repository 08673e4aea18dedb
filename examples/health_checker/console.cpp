#include "console.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/this_thread.hpp"

#include "checkers/text.hpp"
#include "display.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace health {
namespace {

constexpr const char* commands = " (stop, status, check NAME, help)\n";

constexpr const char* help_text =
    "stop        ends the program\n"
    "status      shows a table of all checks\n"
    "check NAME  runs a check now; its rhythm stays\n"
    "help        shows this\n";

}  // namespace

Command parse_command(std::string_view line) {
  const std::string_view words = trimmed(line);
  if (words.empty()) return {};
  const std::size_t end = std::min(words.find_first_of(" \t"), words.size());
  const std::string word = lower(words.substr(0, end));
  const std::string rest(trimmed(words.substr(end)));
  if (word == "check" && !rest.empty()) return {Command::check, rest};
  if (rest.empty()) {
    if (word == "stop") return {Command::stop, {}};
    if (word == "status") return {Command::status, {}};
    if (word == "help") return {Command::help, {}};
  }
  return {Command::invalid, std::string(words)};
}

std::vector<std::string> completions(std::string_view line, std::span<const std::string> names) {
  std::vector<std::string> found;
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::size_t end = line.find_first_of(" \t");
  const std::string word = lower(line.substr(0, end));
  if (end == std::string_view::npos) {
    for (const char* const command : {"check ", "help", "status", "stop"}) {
      if (std::string_view(command).starts_with(word)) found.emplace_back(command);
    }
  } else if (word == "check") {
    line.remove_prefix(std::min(line.find_first_not_of(" \t", end), line.size()));
    for (const std::string& name : names) {
      if (name.starts_with(line) && printable(name) == name) found.push_back("check " + name);
    }
  }
  return found;
}

LineReader::Status LineReader::next(std::string& line) {
  for (;;) {
    if (const std::size_t length = pending_.find('\n'); length != std::string::npos) {
      const Status status = take(length, line);
      pending_.erase(0, length + 1);
      return status;
    }
    if (ended_) {
      if (pending_.empty() && !skipping_) return Status::end;
      const Status status = take(pending_.size(), line);
      pending_.clear();
      return status;
    }
    if (pending_.size() > longest_line) {
      // The rest is to come, and to be thrown away too.
      skipping_ = true;
      pending_.clear();
    }

    if (rouse::wait_readable(fd_) != rouse::WaitStatus::ready) return Status::stopped;
    // Ready comes before stopped: somebody who never stops writing must not keep us from stopping.
    if (rouse::this_thread::stop_token().stop_requested()) return Status::stopped;
    char buffer[1024];
    const ssize_t count = ::read(fd_, buffer, sizeof buffer);
    if (count > 0) {
      pending_.append(buffer, static_cast<std::size_t>(count));
    } else if (count == 0) {
      ended_ = true;
    } else if (errno != EINTR && errno != EAGAIN) {
      throw std::system_error(errno, std::generic_category(), "read");
    }
  }
}

LineReader::Status LineReader::take(std::size_t length, std::string& line) {
  if (std::exchange(skipping_, false) || length > longest_line) {
    line.clear();
    return Status::too_long;
  }
  line.assign(pending_, 0, length);
  return Status::line;
}

Console::Console(int input, Actions actions, Print print)
    : Console([reader = LineReader(input)](std::string& line) mutable { return reader.next(line); },
              std::move(actions), std::move(print)) {}

Console::Console(Input input, Actions actions, Print print)
    : input_(std::move(input)), actions_(std::move(actions)), print_(std::move(print)) {}

Console::End Console::run() {
  std::string line;
  for (;;) {
    switch (input_(line)) {
      case LineReader::Status::end:
        return End::end_of_input;
      case LineReader::Status::stopped:
        return End::stopped;
      case LineReader::Status::too_long:
        print_("Invalid command: longer than " + std::to_string(LineReader::longest_line) +
               " bytes" + commands);
        continue;
      case LineReader::Status::line:
        break;
    }

    const Command command = parse_command(line);
    switch (command.kind) {
      case Command::none:
        break;
      case Command::stop:
        return End::stop_command;
      case Command::status:
        print_(actions_.status());
        break;
      case Command::check:
        print_(actions_.check(command.argument));
        break;
      case Command::help:
        print_(help_text);
        break;
      case Command::invalid:
        print_("Invalid command: '" + cut(printable(command.argument), 80) + "'" + commands);
        break;
    }
  }
}

}  // namespace health
