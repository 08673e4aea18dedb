#include "config_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace health {
namespace {

class File {
 public:
  // Non-blocking: opening a FIFO would otherwise wait for somebody who writes.
  explicit File(const char* path) noexcept
      : fd_(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const noexcept { return fd_; }

 private:
  const int fd_;
};

std::string reason(int error) { return std::generic_category().message(error); }

const char* kind_of(mode_t mode) noexcept {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// What is wrong with the file, or nothing.
std::string read_all(const std::string& path, std::string& text) {
  if (path.find('\0') != std::string::npos) return "no file has a NUL character in its name";
  const File file(path.c_str());
  if (file.fd() < 0) return "cannot be opened: " + reason(errno);
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) return "cannot be examined: " + reason(errno);
  if (!S_ISREG(info.st_mode)) return std::string("is ") + kind_of(info.st_mode) + ", not a file";

  // Until the end, not by the size that stat told: the file may grow, or say nothing (/proc).
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t count = ::read(file.fd(), buffer, sizeof buffer);
    if (count == 0) return {};
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return "cannot be read: " + reason(errno);
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > largest_config) {
      return "is larger than " + std::to_string(largest_config) + " bytes";
    }
  }
}

// Walks over TOML as its lexer does, but keeps only what nests. Up to the first syntax error it
// sees what a parser sees, and behind one no parser goes.
class NestingScanner {
 public:
  explicit NestingScanner(std::string_view text) noexcept : text_(text) {}

  /// Where it gets too deep; npos if nowhere.
  std::size_t scan() noexcept {
    while (at_ < text_.size()) {
      if (!step(text_[at_])) return at_;
    }
    return std::string_view::npos;
  }

 private:
  static constexpr int most_brackets = 16;
  static constexpr int most_dots = 16;  // in one key

  bool step(char c) noexcept {
    switch (c) {
      case '#':
        at_ = std::min(text_.find('\n', at_), text_.size());
        return true;
      case '"':
      case '\'':
        skip_string(c);
        return true;
      case '[':
      case '{':
        ++brackets_;
        dots_ = 0;
        break;
      case ']':
      case '}':
        if (brackets_ > 0) --brackets_;
        dots_ = 0;
        break;
      case '.':
        ++dots_;
        break;
      case '=':
      case ',':
      case '\n':
        dots_ = 0;
        break;
      default:
        break;
    }
    if (brackets_ > most_brackets || dots_ > most_dots) return false;
    ++at_;
    return true;
  }

  void skip_string(char quote) noexcept {
    const bool escapes = quote == '"';
    const std::string_view three = escapes ? R"(""")" : "'''";
    const bool many_lines = text_.substr(at_, 3) == three;
    at_ += many_lines ? 3 : 1;
    while (at_ < text_.size()) {
      if (escapes && text_[at_] == '\\') {
        at_ += 2;
      } else if (many_lines && text_.substr(at_, 3) == three) {
        at_ += 3;
        // Up to two quotes may stand directly before the three that end it.
        for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] == quote; ++i) ++at_;
        return;
      } else if (!many_lines && (text_[at_] == quote || text_[at_] == '\n')) {
        if (text_[at_] == quote) ++at_;
        return;
      } else {
        ++at_;
      }
    }
    at_ = text_.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int brackets_ = 0;
  int dots_ = 0;
};

}  // namespace

std::optional<std::string> read_config_file(const std::string& path,
                                            std::vector<ConfigError>& errors) {
  std::string text;
  std::string problem = read_all(path, text);
  if (problem.empty()) return text;
  errors.push_back({path, 0, 0, std::move(problem)});
  return std::nullopt;
}

std::optional<ConfigError> find_deep_nesting(std::string_view text, const std::string& file) {
  const std::size_t at = NestingScanner(text).scan();
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, at);
  const auto line = 1 + std::ranges::count(before, '\n');
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return ConfigError{file, static_cast<std::uint32_t>(line),
                     static_cast<std::uint32_t>(at - line_begin + 1),
                     "nested too deep: more than 16 brackets or dots"};
}

}  // namespace health
