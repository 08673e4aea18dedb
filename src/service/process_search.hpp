#pragma once
// Which processes are meant, and the search for one of them, in pieces.

#include "rouse/service/condition.hpp"

#include "service/condition_state.hpp"
#include "service/process_table.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rouse::detail {

/// The processes that a path finds (see until::process_exists), or that a predicate accepts.
class ProcessMatcher {
 public:
  /// A relative path is taken in the directory that the caller works in now. Throws
  /// std::invalid_argument if it names no file.
  explicit ProcessMatcher(const std::string& path);
  explicit ProcessMatcher(ProcessPredicate predicate);

  /// Before a look: follows the symbolic links of the path, as they are now.
  void refresh();
  /// What is known of the process if it is meant and has not ended.
  std::optional<ProcessInfo> match(const ProcessEntry& process) const;

  bool by_predicate() const noexcept { return predicate_ != nullptr; }
  /// "process nginx"
  std::string describe() const;

 private:
  bool is_only_a_name() const noexcept { return path_.size() == name_.size(); }
  bool is_named(const ProcessEntry& process) const;
  bool is_at_path(const ProcessEntry& process) const;

  ProcessPredicate predicate_;
  std::string path_;                      // absolute, unless it is only a name
  std::string name_;                      // its last component
  std::vector<std::string> paths_;        // where the executable may be said to be
  std::vector<std::string> directories_;  // and the directory it is in
};

/// All processes are gone through, two hundred at a time unless it is to be done at once.
class ProcessSearch {
 public:
  enum class Extent : std::uint8_t { piece, all };
  static Extent extent_of(const Sources& sources) noexcept {
    return sources.is_last() ? Extent::all : Extent::piece;
  }
  using Accepts = std::function<bool(const ProcessEntry&, const ProcessInfo&)>;

  /// Goes on, or begins anew behind the last answer that was not `more`: yes for the first process
  /// that is meant and that `accepts` accepts.
  Look look(ProcessMatcher& matcher, const Accepts& accepts, Extent extent);

  bool under_way() const noexcept { return walk_.has_value(); }
  void abandon() noexcept { walk_.reset(); }

 private:
  std::optional<ProcessWalk> walk_;
};

}  // namespace rouse::detail
