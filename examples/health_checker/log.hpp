#pragma once
// Log: lines with a time and a level, on standard error and, if wished, in a file.
//
// spdlog behind a narrow door: nobody can pass somebody else's text as a format string, and every
// line is made printable on its way. (Its header is also the slowest of all to compile.)
// Thread safety: all functions from any thread.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace health {

struct LogOptions {
  std::string file = {};  ///< Appended to; made with mode 0600. Empty: none.
  bool verbose = false;   ///< Show debug lines.

  /// Gets the lines, each with its line feed, instead of standard error; from any thread. They have
  /// colours where standard error may have them.
  std::function<void(std::string_view line)> sink = {};
};

class Log {
 public:
  /// Throws std::system_error if the file cannot be opened.
  explicit Log(const LogOptions& options);
  ~Log();

  void debug(std::string_view line);
  void info(std::string_view line);
  void warning(std::string_view line);
  void error(std::string_view line);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace health
