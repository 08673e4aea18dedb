#include "service/file_events.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

namespace rouse::detail {
namespace {

using EventsGuard = std::lock_guard<std::mutex>;

// A queue that never runs dry must not keep the leader from a stop.
constexpr int reads_per_dispatch = 16;

constexpr std::size_t largest_event = sizeof(::inotify_event) + NAME_MAX + 1;

}  // namespace

// Collected under the mutex, made behind it; where there is no memory for that, at once.
class FileEvents::Wakes {
 public:
  explicit Wakes(std::size_t most) noexcept {
    try {
      later_.reserve(most);
    } catch (const std::bad_alloc&) {
    }
  }
  void add(WaitHint::Wake wake) noexcept {
    if (later_.size() == later_.capacity()) {
      wake();
    } else {
      later_.push_back(wake);
    }
  }
  void make() const noexcept {
    for (const WaitHint::Wake& wake : later_) wake();
  }

 private:
  std::vector<WaitHint::Wake> later_;
};

FileEvents& FileEvents::instance() {
  static FileEvents* const events = new FileEvents;
  return *events;
}

namespace {
// While there is one thread, since a fork in the middle of it would leave a child in which it is
// never finished.
[[gnu::constructor]] void make_file_events() { FileEvents::instance(); }
}  // namespace

FileEvents::FileEvents() noexcept {
  // By name: the handlers have no argument.
  fork_error_ = ::pthread_atfork(
      [] {
        instance().mutex_.lock();
        instance().lead_.before_fork();
      },
      [] {
        instance().lead_.after_fork_in_parent();
        instance().mutex_.unlock();
      },
      [] {
        instance().forget_after_fork();
        instance().lead_.after_fork_in_child();
        instance().mutex_.unlock();
      });
}

void FileEvents::open() {
  if (fork_error_ != 0) {
    throw std::system_error(fork_error_, std::generic_category(),
                            "rouse: pthread_atfork for inotify");
  }
  inotify_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) {
    throw std::system_error(
        errno, std::generic_category(),
        errno == EMFILE
            ? "rouse: inotify_init1 (the limit is fs.inotify.max_user_instances, or that "
              "of open files)"
            : "rouse: inotify_init1");
  }
  // Without it mounts are not noticed, that is all.
  mounts_.reset(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
}

// The descriptors are shared with the parent, whose events they would take.
void FileEvents::forget_after_fork() noexcept {
  inotify_.reset();
  mounts_.reset();
  subscriptions_.clear();
  watchers_.clear();
  forks_.store(forks_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void FileEvents::poll(std::span<::pollfd, polled> fds) const noexcept {
  const EventsGuard guard(mutex_);
  fds[0] = {inotify_.get(), POLLIN, 0};
  fds[1] = {mounts_.get(), POLLPRI, 0};
}

void FileEvents::dispatch(std::span<const ::pollfd, polled> fds) noexcept {
  std::optional<Wakes> wakes;
  {
    const EventsGuard guard(mutex_);
    wakes.emplace(watchers_.size());
    if (fds[1].revents != 0) tell_everybody(*wakes);
    alignas(::inotify_event) std::array<char, 16 * 1024> buffer;
    for (int i = 0; i < reads_per_dispatch; ++i) {
      const ::ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
        const auto& event = *reinterpret_cast<const ::inotify_event*>(buffer.data() + at);
        // The name is padded with zeros.
        tell(event, event.len == 0 ? std::string_view() : std::string_view(event.name), *wakes);
        at += sizeof event + event.len;
      }
      // Room was left for another one: there was none.
      if (static_cast<std::size_t>(got) + largest_event <= buffer.size()) break;
    }
  }
  wakes->make();
}

void FileEvents::tell(const ::inotify_event& event, std::string_view name, Wakes& wakes) noexcept {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    tell_everybody(wakes);
    return;
  }
  const auto found = subscriptions_.find(event.wd);
  if (found == subscriptions_.end()) return;  // unwatched meanwhile
  const bool ended = (event.mask & IN_IGNORED) != 0;
  for (const Subscription& each : found->second) {
    if (!ended && (event.mask & each.mask) == 0) continue;
    if (!each.only.empty() && !name.empty() && each.only != name) continue;
    FileWatcher& watcher = *each.watcher;
    const bool first = !watcher.has_news_.load(std::memory_order_relaxed);
    watcher.add(each.watch, event, name);
    if (ended) watcher.watches_.erase(each.watch);
    if (first) wakes.add(watcher.hint_.mark());
  }
  if (ended) subscriptions_.erase(found);
}

void FileEvents::tell_everybody(Wakes& wakes) noexcept {
  for (FileWatcher* watcher : watchers_) {
    const bool first = !watcher->has_news_.load(std::memory_order_relaxed);
    watcher->lose_news();
    if (first) wakes.add(watcher->hint_.mark());
  }
}

void FileEvents::end_if_unused(int number) noexcept {
  const auto found = subscriptions_.find(number);
  if (found != subscriptions_.end() && !found->second.empty()) return;
  if (found != subscriptions_.end()) subscriptions_.erase(found);
  // Fails if the inode is gone, and the watch with it.
  ::inotify_rm_watch(inotify_.get(), number);
}

FileWatcher::FileWatcher(WaitHint& hint, std::string about)
    : events_(FileEvents::instance()), hint_(hint), about_(std::move(about)) {
  const EventsGuard guard(events_.mutex_);
  join();
}

FileWatcher::~FileWatcher() {
  const EventsGuard guard(events_.mutex_);
  if (forks_ != events_.forks_.load(std::memory_order_relaxed)) return;
  drop_watches();
  std::erase(events_.watchers_, this);
}

// Also in a forked child, where nobody has joined yet.
void FileWatcher::join() {
  if (!events_.inotify_) events_.open();
  events_.watchers_.push_back(this);
  forks_ = events_.forks_.load(std::memory_order_relaxed);
}

std::optional<FileWatch> FileWatcher::watch(const char* path, std::uint32_t mask,
                                            std::string_view only) {
  const EventsGuard guard(events_.mutex_);
  // Under the mutex, so that nobody ends the kernel's watch between the two steps, which is the
  // same for all who watch the inode: it tells whatever one of them asks for.
  const int number = ::inotify_add_watch(events_.inotify_.get(), path, mask | IN_MASK_ADD);
  if (number < 0) {
    if (errno == ENOSPC || errno == ENOMEM) {
      throw std::system_error(
          errno, std::generic_category(),
          "rouse: inotify_add_watch for " + about_ + " (the limit is fs.inotify.max_user_watches)");
    }
    return std::nullopt;
  }
  const FileWatch watch = events_.next_watch_++;
  try {
    std::vector<FileEvents::Subscription>& subscribed = events_.subscriptions_[number];
    watches_.emplace(watch, Place{number, subscribed.size()});
    subscribed.push_back({this, watch, mask, std::string(only)});
  } catch (...) {
    watches_.erase(watch);
    events_.end_if_unused(number);
    throw;
  }
  return watch;
}

void FileWatcher::unwatch(FileWatch watch) noexcept {
  const EventsGuard guard(events_.mutex_);
  if (forks_ != events_.forks_.load(std::memory_order_relaxed)) return;
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return;
  drop(found->second);
  watches_.erase(found);
}

// The last of the list takes the place.
void FileWatcher::drop(Place place) noexcept {
  std::vector<FileEvents::Subscription>& subscribed =
      events_.subscriptions_.find(place.number)->second;
  FileEvents::Subscription& last = subscribed.back();
  if (place.index + 1 != subscribed.size()) {
    last.watcher->watches_.find(last.watch)->second.index = place.index;
    subscribed[place.index] = std::move(last);
  }
  subscribed.pop_back();
  events_.end_if_unused(place.number);
}

void FileWatcher::drop_watches() noexcept {
  for (const auto& [watch, place] : watches_) drop(Place(place));
  watches_.clear();
}

bool FileWatcher::has_news() const noexcept {
  return has_news_.load(std::memory_order_acquire) ||
         forks_ != events_.forks_.load(std::memory_order_relaxed);
}

void FileWatcher::add(FileWatch watch, const ::inotify_event& event,
                      std::string_view name) noexcept {
  has_news_.store(true, std::memory_order_release);
  if (lost_ || news_.size() == max_news_) {
    lose_news();
    return;
  }
  try {
    news_.push_back({watch, event.mask, std::string(name)});
  } catch (const std::bad_alloc&) {
    lose_news();
  }
}

void FileWatcher::lose_news() noexcept {
  lost_ = true;
  news_.clear();
  has_news_.store(true, std::memory_order_release);
}

std::vector<FileNews> FileWatcher::take() {
  const EventsGuard guard(events_.mutex_);
  if (forks_ != events_.forks_.load(std::memory_order_relaxed)) {
    watches_.clear();
    join();
    lose_news();
  }
  std::vector<FileNews> news;
  if (lost_) {
    news.push_back({FileNews::everything});
    drop_watches();
    lost_ = false;
  } else {
    news.swap(news_);
  }
  has_news_.store(false, std::memory_order_relaxed);
  return news;
}

}  // namespace rouse::detail
