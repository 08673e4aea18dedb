#pragma once
// LineState: what is behind until::line_matches. It follows a path from file to file.
//
// Another file at the path has not always all that is still written: who had opened the old one may
// go on with it. So that is read on beside the new one, up to the moment in which a writer closes
// it, or newer_files newer ones have come. Lines of older files come first.
// Thread safety: the thread of its wait. Design: docs/design/autowait.md.

#include "rouse/service/condition.hpp"

#include "service/condition_state.hpp"
#include "service/path_watch.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace rouse::detail {

class FollowedFile;

class LineState final : public ConditionState {
 public:
  /// How many newer files end the interest in an old one.
  static constexpr std::size_t newer_files = 4;

  /// Throws std::invalid_argument for a bad pattern, max_line or interval; from the end also what
  /// opening the file throws.
  LineState(std::string file, const std::string& pattern, const LineOptions& options);
  ~LineState() override;

  void begin() override;
  Look look(Sources& sources) override;
  void end() noexcept override;

  std::string describe() const override;
  const char* wait_name() const noexcept override { return "wait_until_line_matches"; }

  const std::string& line() const noexcept { return line_; }
  const std::vector<std::string>& groups() const noexcept { return groups_; }

 private:
  using Files = std::vector<std::unique_ptr<FollowedFile>>;

  void open_end();
  void follow(Sources& sources);
  void take_newest(const UniqueFd& entry);
  Look look_at(FollowedFile& file, std::size_t& left);
  bool find_line(FollowedFile& file);
  bool find_end(FollowedFile& file, bool given_up);
  bool matches(std::string_view line);
  FollowedFile* unread_file() noexcept;
  void free_buffer() noexcept;

  const std::unique_ptr<const re2::RE2> pattern_;
  const std::size_t max_line_;
  const std::chrono::nanoseconds interval_;

  PathWatch way_;
  bool walked_ = false;  // in this wait, with no news since
  Files files_;          // the newest last
  std::vector<char> buffer_;

  bool found_ = false;  // in this wait
  std::string line_;
  std::vector<std::string> groups_;
};

}  // namespace rouse::detail
