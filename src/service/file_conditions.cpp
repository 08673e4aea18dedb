// Files that are gone, that have changed, and that are complete.

#include "rouse/service/condition.hpp"

#include "service/condition_state.hpp"
#include "service/path_watch.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace rouse {
namespace {

using detail::ConditionState;
using detail::Deadline;
using detail::FileNews;
using detail::Look;
using detail::PathWatch;
using detail::Sources;
using std::chrono::nanoseconds;

/// Whether a path leads anywhere, walked again whenever that may have changed.
class Way {
 public:
  Way(std::string path, PathWatch::Last last, nanoseconds interval)
      : path_(std::move(path), last), interval_(interval) {}

  void begin() noexcept { known_ = false; }

  bool look(Sources& sources) {
    detail::FileWatcher& watcher = sources.files();
    const std::vector<FileNews> news = watcher.take();
    if (!known_ || !path_.is_told() || path_.concerned(news)) {
      known_ = false;
      leads_somewhere_ = static_cast<bool>(path_.walk(watcher));
      known_ = true;
    }
    if (!path_.is_told()) sources.look_again(Deadline::after(interval_));
    return leads_somewhere_;
  }

  const PathWatch& path() const noexcept { return path_; }

 private:
  PathWatch path_;
  const nanoseconds interval_;
  bool known_ = false;
  bool leads_somewhere_ = false;
};

class FileGone final : public ConditionState {
 public:
  FileGone(std::string path, const FileOptions& options)
      : way_(std::move(path), PathWatch::Last::as_it_stands,
             detail::checked_interval("file_gone", options.interval.nanoseconds())) {}

  void begin() override { way_.begin(); }
  Look look(Sources& sources) override { return way_.look(sources) ? Look::no : Look::yes; }

  std::string describe() const override { return "no file " + way_.path().path(); }
  const char* wait_name() const noexcept override { return "wait_until_file_gone"; }

 private:
  Way way_;
};

bool same_file(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool same_state(const struct stat& a, const struct stat& b) noexcept {
  return same_file(a, b) && a.st_size == b.st_size && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
         a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

// What a path leads to, compared with what it led to when the condition was made, or when a wait
// for it ended.
class FileChanged final : public ConditionState {
 public:
  FileChanged(std::string path, const FileOptions& options)
      : path_(std::move(path), PathWatch::Last::follow),
        interval_(detail::checked_interval("file_changed", options.interval.nanoseconds())) {
    struct stat status {};
    if (::stat(path_.path().c_str(), &status) == 0) {
      before_ = now_ = status;
    } else if (!detail::means_absent(errno)) {
      path_.fail(errno);
    }
  }

  void begin() override {
    known_ = false;
    inode_.reset();
    written_ = false;
    before_ = now_;
  }

  Look look(Sources& sources) override {
    detail::FileWatcher& watcher = sources.files();
    const std::vector<FileNews> news = watcher.take();
    // A change in the same tick of the kernel's clock shows in nothing but its event.
    written_ = written_ || std::ranges::any_of(news, [this](const FileNews& each) {
                 return inode_ && each.watch == *inode_ && (each.mask & IN_MODIFY) != 0;
               });
    if (!known_ || !told_ || !news.empty()) walk(watcher);
    if (!told_) sources.look_again(Deadline::after(interval_));
    const bool same = before_ ? now_ && same_state(*before_, *now_) : !now_;
    return written_ || !same ? Look::yes : Look::no;
  }

  std::string describe() const override { return "a change of " + path_.path(); }
  const char* wait_name() const noexcept override { return "wait_until_file_changed"; }

 private:
  void walk(detail::FileWatcher& watcher) {
    known_ = false;
    const std::optional<detail::FileWatch> last = std::exchange(inode_, std::nullopt);
    std::optional<struct stat> found;
    const detail::UniqueFd file = path_.walk(watcher);
    told_ = path_.is_told();
    if (file) {
      // Watched before it is looked at.
      inode_ = detail::watch_inode(watcher, file.get(), IN_MODIFY | IN_ATTRIB);
      told_ = told_ && inode_;
      struct stat status {};
      if (::fstat(file.get(), &status) != 0) path_.fail(errno);
      found = status;
    }
    // When the new one is there: it may be of the same file.
    if (last) watcher.unwatch(*last);
    now_ = found;
    known_ = true;
  }

  PathWatch path_;
  const nanoseconds interval_;
  std::optional<struct stat> before_;  // nothing: it was not there
  std::optional<struct stat> now_;
  std::optional<detail::FileWatch> inode_;
  bool known_ = false;
  bool told_ = true;
  bool written_ = false;
};

nanoseconds read_clock(::clockid_t clock) noexcept {
  ::timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

// The inode says when it was last changed, so that nothing needs to be watched but the path: the
// next look is when it would have been quiet for long enough.
class FileStable final : public ConditionState {
 public:
  FileStable(std::string path, nanoseconds quiet, const FileOptions& options)
      : way_(std::move(path), PathWatch::Last::follow,
             detail::checked_interval("file_stable", options.interval.nanoseconds())),
        quiet_(std::max(quiet, nanoseconds(0))) {}

  void begin() override {
    way_.begin();
    seen_.reset();
  }

  Look look(Sources& sources) override {
    struct stat status {};
    // It may lead elsewhere by now: then there are news of it.
    if (!way_.look(sources) || !stat(status)) {
      seen_.reset();
      return Look::no;
    }
    const nanoseconds now = read_clock(CLOCK_MONOTONIC);
    const nanoseconds offset = read_clock(CLOCK_REALTIME) - now;
    if (!seen_ || !same_state(seen_->status, status)) {
      changed_at_ = now - quiet_so_far(status, now, offset);
    }
    seen_ = Seen{status, now, offset};
    const nanoseconds stable_at(detail::saturated_sum(changed_at_.count(), quiet_.count()));
    if (stable_at <= now) return Look::yes;
    sources.look_again(Deadline::at_ns(stable_at.count()));
    return Look::no;
  }

  std::string describe() const override { return "a complete file " + way_.path().path(); }
  const char* wait_name() const noexcept override { return "wait_until_file_stable"; }

 private:
  struct Seen {
    struct stat status;
    nanoseconds at;      // of CLOCK_MONOTONIC
    nanoseconds offset;  // from there to CLOCK_REALTIME
  };

  bool stat(struct stat& status) const {
    if (::stat(way_.path().path().c_str(), &status) == 0) return true;
    if (!detail::means_absent(errno)) way_.path().fail(errno);
    return false;
  }

  // Since the last change, as far as the file's own time can be trusted: not if it is another
  // machine's or has taken another file's place, and less by as much as the calendar was set
  // meanwhile.
  nanoseconds quiet_so_far(const struct stat& status, nanoseconds now,
                           nanoseconds offset) const noexcept {
    if (!way_.path().is_told()) return nanoseconds(0);
    if (seen_ && !same_file(seen_->status, status)) return nanoseconds(0);
    const nanoseconds changed =
        std::chrono::seconds(status.st_ctim.tv_sec) + nanoseconds(status.st_ctim.tv_nsec);
    nanoseconds quiet = now + offset - changed;
    if (seen_) {
      const nanoseconds set = offset - seen_->offset;
      quiet = std::min(quiet - (set < nanoseconds(0) ? -set : set), now - seen_->at);
    }
    return std::max(quiet, nanoseconds(0));
  }

  Way way_;
  const nanoseconds quiet_;
  nanoseconds changed_at_{0};
  std::optional<Seen> seen_;
};

}  // namespace

Condition until::file_gone(std::string path, FileOptions options) {
  return Condition(std::make_shared<FileGone>(std::move(path), options));
}

Condition until::file_changed(std::string path, FileOptions options) {
  return Condition(std::make_shared<FileChanged>(std::move(path), options));
}

Condition until::file_stable(std::string path, WaitTime quiet_time, FileOptions options) {
  return Condition(
      std::make_shared<FileStable>(std::move(path), quiet_time.nanoseconds(), options));
}

}  // namespace rouse
