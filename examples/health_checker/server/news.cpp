#include "server/news.hpp"

#include "rouse/wait/sleep.hpp"

#include <sys/eventfd.h>

namespace health {

News::News(Results& results, std::chrono::milliseconds interval)
    : changes_(results), interval_(interval), thread_([this] { run(); }, {.name = "http-news"}) {
  thread_.start();
}

void News::run() {
  while (changes_.wait() == rouse::WaitStatus::ready) {
    tell();
    // What changes meanwhile is one piece of news.
    if (rouse::sleep_for(interval_) == rouse::WaitStatus::stopped) return;
  }
}

void News::tell() {
  const std::lock_guard guard(mutex_);
  for (const Listener* const listener : listeners_) ::eventfd_write(listener->fd(), 1);
}

News::Listener::Listener(News& news)
    : news_(news), told_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!told_) throw_errno("make an eventfd");
  const std::lock_guard guard(news_.mutex_);
  news_.listeners_.push_back(this);
}

News::Listener::~Listener() {
  const std::lock_guard guard(news_.mutex_);
  std::erase(news_.listeners_, this);
}

void News::Listener::clear() noexcept {
  eventfd_t count = 0;
  ::eventfd_read(told_.get(), &count);
}

}  // namespace health
