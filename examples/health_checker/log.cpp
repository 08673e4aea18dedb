#include "log.hpp"

#include "checkers/fd.hpp"
#include "display.hpp"
#include "line_output.hpp"
#include "terminal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <mutex>
#include <system_error>
#include <utility>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

namespace health {
namespace {

Fd open_log_file(const std::string& path) {
  // No symbolic link: where others may write it could lead anywhere. Non-blocking against a FIFO;
  // spdlog's own sink would open it for everybody to read, and leave it open in the commands that
  // checks start.
  Fd file(::open(path.c_str(),
                 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW,
                 0600));
  struct stat info {};
  if (file && ::fstat(file.get(), &info) == 0 && !S_ISREG(info.st_mode)) {
    throw std::system_error(EINVAL, std::generic_category(),
                            "log file '" + printable(path) + "' is not a regular file");
  }
  if (!file) {
    throw std::system_error(errno, std::generic_category(),
                            "log file '" + printable(path) + "' cannot be opened");
  }
  return file;
}

// One write per line, so that lines of two programs that share the file do not mix.
class FileSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(const std::string& path) : file_(open_log_file(path)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (::write(file_.get(), line.data(), line.size()) < 0) {
      // spdlog shows it on standard error, once a second at most.
      throw std::system_error(errno, std::generic_category(), "log file");
    }
  }
  void flush_() override {}

 private:
  Fd file_;
};

// Hands the lines to somebody else, with colours or without.
class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  FunctionSink(std::function<void(std::string_view)> take, bool colours)
      : take_(std::move(take)), colours_(colours) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    message.color_range_start = message.color_range_end = 0;
    formatter_->format(message, formatted);
    std::string line(formatted.data(), formatted.size());
    if (colours_ && message.color_range_end > message.color_range_start) {
      line.insert(message.color_range_end, colour_off);
      line.insert(message.color_range_start, colour_of(message.level));
    }
    take_(line);
  }
  void flush_() override {}

 private:
  static const char* colour_of(spdlog::level::level_enum level) noexcept {
    return level >= spdlog::level::err    ? red
           : level == spdlog::level::warn ? yellow
           : level == spdlog::level::info ? green
                                          : dim;
  }

  const std::function<void(std::string_view)> take_;
  const bool colours_;
};

spdlog::sink_ptr first_sink(const LogOptions& options) {
  const bool colours = colours_wanted(STDERR_FILENO);
  if (options.sink) return std::make_shared<FunctionSink>(options.sink, colours);
  // Not spdlog's own: that waits for whoever does not read.
  const auto output = std::make_shared<LineOutput>(STDERR_FILENO);
  return std::make_shared<FunctionSink>([output](std::string_view line) { output->write(line); },
                                        colours);
}

}  // namespace

struct Log::Impl {
  explicit Impl(const LogOptions& options) : logger("health", first_sink(options)) {
    if (!options.file.empty()) logger.sinks().push_back(std::make_shared<FileSink>(options.file));
    logger.set_level(options.verbose ? spdlog::level::debug : spdlog::level::info);
    // Local time, with its offset so that it can be told apart from any other.
    logger.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%-7l%$ %v");
  }

  void write(spdlog::level::level_enum level, std::string_view line) {
    if (!logger.should_log(level)) return;
    const std::string text = printable(line);
    // A string_view and no arguments: spdlog takes it as it is.
    logger.log(level, spdlog::string_view_t(text.data(), text.size()));
  }

  spdlog::logger logger;
};

Log::Log(const LogOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Log::~Log() = default;

void Log::debug(std::string_view line) { impl_->write(spdlog::level::debug, line); }
void Log::info(std::string_view line) { impl_->write(spdlog::level::info, line); }
void Log::warning(std::string_view line) { impl_->write(spdlog::level::warn, line); }
void Log::error(std::string_view line) { impl_->write(spdlog::level::err, line); }

}  // namespace health
