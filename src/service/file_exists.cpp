// A file that appears: in one directory, or anywhere below it.

#include "rouse/service/condition.hpp"

#include "service/condition_state.hpp"
#include "service/open_directory.hpp"
#include "service/path_watch.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <cerrno>
#include <deque>
#include <stdexcept>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace rouse {
namespace detail {
namespace {

// Some milliseconds, between two glances at the stop.
constexpr int entries_per_look = 4096;
// When the time is over, and no look follows.
constexpr int entries_of_last_look = 64 * entries_per_look;

constexpr std::uint32_t new_entries = IN_CREATE | IN_MOVED_TO;
constexpr std::uint32_t lost_entries = IN_DELETE | IN_MOVED_FROM;

bool has_wildcard(const std::string& glob) { return glob.find_first_of("*?[\\") != glob.npos; }

std::string checked_glob(std::string glob) {
  const std::size_t unescaped = glob.find_last_not_of('\\') + 1;  // npos + 1 is 0
  if (glob.empty() || glob.find('/') != glob.npos || glob.find('\0') != glob.npos ||
      (glob.size() - unescaped) % 2 != 0) {
    throw std::invalid_argument("rouse: file_exists: '" + glob +
                                "' is not the name of a file, nor a pattern for names");
  }
  return glob;
}

std::string join(const std::string& directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  return directory + (directory.back() == '/' ? "" : "/") + std::string(name);
}

}  // namespace

// What is below the directory is read once, piece by piece; from then on only what is said to be
// new is looked at. Whatever makes the way to it uncertain has all of it read again.
class FileState final : public ConditionState {
 public:
  FileState(std::string directory, std::string glob, const FileOptions& options)
      : directory_(std::move(directory)),
        glob_(checked_glob(std::move(glob))),
        exact_(!has_wildcard(glob_)),
        recursive_(options.recursive),
        interval_(checked_interval("file_exists", options.interval.nanoseconds())),
        way_(directory_, PathWatch::Last::follow) {}

  const std::string& path() const noexcept { return path_; }

  void begin() override {
    path_.clear();
    certain_ = false;
  }

  Look look(Sources& sources) override {
    if (!path_.empty()) {  // asked again
      if (exists(found_)) return Look::yes;
      begin();
    }
    // What is there already needs no watch.
    if (!certain_ && exact_ && exists(glob_)) return found(glob_);

    FileWatcher& watcher = sources.files();
    const std::vector<FileNews> news = watcher.take();
    if (!certain_ || again_at_.expired() || way_.concerned(news)) start_anew(watcher);
    const Look result = search(sources, watcher, news);
    if (result == Look::no && !told_) {
      // Counted from the end of the reading, which may take long.
      if (again_at_.is_never()) again_at_ = Deadline::after(interval_);
      sources.look_again(again_at_);
    }
    return result;
  }

  void end() noexcept override {
    reading_.reset();
    to_read_.clear();
    directories_.clear();
  }

  std::string describe() const override {
    return "a file " + glob_ + " in " + way_.path() + (recursive_ ? " or below" : "");
  }
  const char* wait_name() const noexcept override { return "wait_until_file_exists"; }

 private:
  Look found(std::string relative) {
    found_ = std::move(relative);
    path_ = join(directory_, found_);
    return Look::yes;
  }

  bool matches(const char* name) const noexcept {
    return exact_ ? glob_ == name : ::fnmatch(glob_.c_str(), name, FNM_PERIOD) == 0;
  }

  // By its path: no descriptor is kept for a wait. If that leads elsewhere than it was walked,
  // there are news of it.
  bool exists(const std::string& relative) {
    struct stat status {};
    if (::lstat(join(way_.path(), relative).c_str(), &status) == 0) return true;
    if (!means_absent(errno)) pass_over(relative, relative.find('/') != relative.npos);
    return false;
  }

  // Below the directory, what may not be read, until it may be.
  void pass_over(const std::string& relative, bool is_below) {
    if (errno != EACCES || !is_below) fail(relative);
    told_ = false;
  }

  [[noreturn]] void fail(const std::string& relative) const {
    const int error = errno;
    throw std::system_error(
        error, std::generic_category(),
        "rouse: waiting for " + describe() + ", at " + join(way_.path(), relative));
  }

  void start_anew(FileWatcher& watcher) {
    certain_ = false;
    for (const auto& [watch, relative] : directories_) watcher.unwatch(watch);
    end();
    const UniqueFd directory = way_.walk(watcher);
    told_ = way_.is_told();
    again_at_ = Deadline::never();
    if (directory && one_entry_) {
      watch(watcher, directory.get(), "");
    } else if (directory) {
      to_read_.emplace_back();
    }
    certain_ = true;
  }

  Look search(const Sources& sources, FileWatcher& watcher, const std::vector<FileNews>& news) {
    if (one_entry_) return exists(glob_) ? found(glob_) : Look::no;
    for (const FileNews& each : news) {
      if (std::string relative = learn(watcher, each); !relative.empty()) {
        return found(std::move(relative));
      }
    }
    return read_on(watcher, sources.is_last() ? entries_of_last_look : entries_per_look);
  }

  // Returns what is new and matches, relative to the directory; or nothing.
  std::string learn(FileWatcher& watcher, const FileNews& news) {
    const auto directory = directories_.find(news.watch);
    if (directory == directories_.end()) return {};
    if ((news.mask & IN_IGNORED) != 0) {
      directories_.erase(directory);
      return {};
    }
    std::string relative = join(directory->second, news.name);
    const bool is_new = (news.mask & new_entries) != 0;
    if (is_new && matches(news.name.c_str()) && exists(relative)) return relative;
    if (recursive_ && (news.mask & IN_ISDIR) != 0) {
      forget(watcher, relative);
      if (is_new) to_read_.push_back(std::move(relative));
    }
    return {};
  }

  // A directory that has left takes with it what is below, whose watches would go on.
  void forget(FileWatcher& watcher, const std::string& directory) {
    const auto below = [&directory](const std::string& relative) {
      return relative.starts_with(directory) &&
             (relative.size() == directory.size() || relative[directory.size()] == '/');
    };
    std::erase_if(directories_, [&](const auto& each) {
      if (!below(each.second)) return false;
      watcher.unwatch(each.first);
      return true;
    });
    std::erase_if(to_read_, below);
    if (reading_ && below(reading_name_)) reading_.reset();
  }

  Look read_on(FileWatcher& watcher, int most) {
    for (int left = most; left > 0; --left) {
      if (!reading_ && !open_next(watcher)) return Look::no;
      errno = 0;
      const ::dirent* const entry = ::readdir(reading_.get());
      if (entry == nullptr) {
        if (errno != 0) fail(reading_name_);
        reading_.reset();
        continue;
      }
      const std::string_view name(entry->d_name);
      if (name == "." || name == "..") continue;
      std::string relative = join(reading_name_, name);
      // The directory may have left since it was opened.
      if (matches(entry->d_name) && exists(relative)) return found(std::move(relative));
      if (recursive_ && is_directory(*entry)) to_read_.push_back(std::move(relative));
    }
    return Look::more;
  }

  bool is_directory(const ::dirent& entry) const noexcept {
    if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
    struct stat status {};
    return ::fstatat(::dirfd(reading_.get()), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
  }

  // Watches the next directory, then opens it to be read. False if there is none left.
  bool open_next(FileWatcher& watcher) {
    while (!to_read_.empty()) {
      reading_name_ = std::move(to_read_.front());
      to_read_.pop_front();
      const bool is_root = reading_name_.empty();
      const std::string path = join(way_.path(), is_root ? "." : reading_name_);
      UniqueFd fd(
          ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (!fd) {
        if (means_absent(errno) || errno == ELOOP) continue;
        pass_over(reading_name_, !is_root);
        continue;
      }
      watch(watcher, fd.get(), reading_name_);
      reading_.reset(::fdopendir(fd.get()));
      if (!reading_) fail(reading_name_);
      (void)fd.release();
      return true;
    }
    return false;
  }

  void watch(FileWatcher& watcher, int fd, const std::string& relative) {
    const std::uint32_t mask = new_entries | (recursive_ ? lost_entries : 0);
    const auto watch = watch_inode(watcher, fd, mask, one_entry_ ? glob_ : "");
    if (watch) directories_.emplace(*watch, relative);
    told_ = told_ && watch;
  }

  const std::string directory_;
  const std::string glob_;
  const bool exact_;
  const bool recursive_;
  const bool one_entry_ = exact_ && !recursive_;
  const std::chrono::nanoseconds interval_;
  PathWatch way_;
  std::string path_;   // as the caller says it
  std::string found_;  // the same, relative to the directory

  bool certain_ = false;  // what follows is of this wait
  bool told_ = true;      // of all changes, by events; if not, it is read anew at:
  Deadline again_at_ = Deadline::never();
  std::unordered_map<FileWatch, std::string> directories_;  // that are watched, as `found_`
  std::deque<std::string> to_read_;
  OpenDirectory reading_;
  std::string reading_name_;
};

}  // namespace detail

FileCondition::FileCondition(std::shared_ptr<detail::FileState> state) noexcept
    : Condition(state), file_(state.get()) {}

const std::string& FileCondition::path() const noexcept { return file_->path(); }

FileCondition until::file_exists(std::string directory, std::string glob, FileOptions options) {
  return FileCondition(
      std::make_shared<detail::FileState>(std::move(directory), std::move(glob), options));
}

}  // namespace rouse
