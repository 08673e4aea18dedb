#include "server/refusal_log.hpp"

#include "display.hpp"

#include <utility>

namespace health {

void RefusalLog::tell(const std::string& line) {
  constexpr std::size_t longest_line = 300;
  std::uint64_t left_out = 0;
  {
    const std::lock_guard guard(mutex_);
    ++count_;
    const auto now = std::chrono::steady_clock::now();
    if (now - second_ >= std::chrono::seconds(1)) {
      second_ = now;
      lines_ = 0;
    }
    if (lines_ == lines_per_second) {
      ++left_out_;
      return;
    }
    ++lines_;
    left_out = std::exchange(left_out_, 0);
  }
  if (left_out > 0) {
    log_.warning("http: " + std::to_string(left_out) + " more refusals are not shown");
  }
  // Cut only what is printable: a cut must not go through a character.
  log_.warning("http: " + cut(printable(line), longest_line));
}

std::uint64_t RefusalLog::count() const {
  const std::lock_guard guard(mutex_);
  return count_;
}

}  // namespace health
