#pragma once
// News: wakes those who stream changes of the results, all in the same beat.
//
//   News::Listener listener(news);
//   pollfd polled[] = {{client, POLLIN, 0}, {listener.fd(), POLLIN, 0}};
//   while (rouse::wait_fds(polled) == rouse::WaitStatus::ready) { ... listener.clear(); ... }
//
// A descriptor, so that a stream waits for its client's hang-up at the same time.
// Thread safety: Listeners may come and go in any thread.

#include "rouse/thread/stoppable_thread.hpp"

#include "checkers/fd.hpp"
#include "results.hpp"

#include <chrono>
#include <mutex>
#include <vector>

namespace health {

class News {
 public:
  class Listener;

  /// `results` outlive it. At most one beat per `interval`.
  News(Results& results, std::chrono::milliseconds interval);

  /// To be stopped with others.
  [[nodiscard]] rouse::StoppableThread& thread() noexcept { return thread_; }

 private:
  void run();
  void tell();

  Results::Subscription changes_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::vector<Listener*> listeners_;
  rouse::StoppableThread thread_;  // last: it uses all that is above
};

/// One thread's; it ends before the News.
class News::Listener {
 public:
  /// Throws std::system_error if there is no descriptor left.
  explicit Listener(News& news);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Readable when something has changed since clear().
  [[nodiscard]] int fd() const noexcept { return told_.get(); }
  void clear() noexcept;

 private:
  friend class News;

  News& news_;
  const Fd told_;  // an eventfd
};

}  // namespace health
