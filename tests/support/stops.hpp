#pragma once
// Stops: stop requests for one thread, one after the other.

#include <mutex>
#include <stop_token>

namespace rouse::test {

/// Thread safety: all functions, any thread.
class Stops {
 public:
  /// Of the next request: a token that was requested is replaced.
  std::stop_token token() {
    const std::lock_guard guard(mutex_);
    if (source_.stop_requested()) source_ = std::stop_source();
    return source_.get_token();
  }
  void request() {
    std::stop_source source;
    {
      const std::lock_guard guard(mutex_);
      source = source_;
    }
    source.request_stop();
  }

 private:
  std::mutex mutex_;
  std::stop_source source_;
};

}  // namespace rouse::test
