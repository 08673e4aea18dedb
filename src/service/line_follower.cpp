#include "service/line_follower.hpp"

#include <algorithm>

namespace rouse::detail {

std::optional<std::string_view> LineFollower::next(std::string_view& bytes) {
  if (ended_) reset();
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      keep(bytes);
      bytes = {};
      break;
    }
    std::string_view line = bytes.substr(0, end);
    bool cut = cut_ || line.size() > max_line_;
    if (kept_.empty() && !cut_) {
      line = line.substr(0, max_line_);
    } else {
      keep(line);
      line = unterminated();
      cut = cut_;
    }
    if (!cut && line.ends_with('\r')) line.remove_suffix(1);
    bytes.remove_prefix(end + 1);
    if (!given_ || !line.empty()) {
      ended_ = true;
      return line;
    }
    reset();
  }
  return std::nullopt;
}

std::string_view LineFollower::unterminated() const noexcept {
  return ended_ ? std::string_view() : std::string_view(kept_.data(), kept_.size());
}

void LineFollower::take_unterminated() noexcept {
  kept_.clear();
  given_ = true;
}

void LineFollower::pass_over() noexcept {
  kept_.clear();
  cut_ = true;
  given_ = true;
}

void LineFollower::reset() noexcept {
  kept_.clear();
  cut_ = false;
  given_ = false;
  ended_ = false;
}

void LineFollower::keep(std::string_view bytes) {
  const std::size_t room = cut_ ? 0 : max_line_ - kept_.size();
  const std::size_t count = std::min(room, bytes.size());
  const std::size_t needed = kept_.size() + count;
  if (needed > kept_.capacity()) {
    kept_.reserve(std::min(max_line_, std::max(needed, 2 * kept_.capacity())));
  }
  kept_.insert(kept_.end(), bytes.data(), bytes.data() + count);
  cut_ = cut_ || count < bytes.size();
}

}  // namespace rouse::detail
