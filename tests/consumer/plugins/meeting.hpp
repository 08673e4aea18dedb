#pragma once
// What the two sides of the meeting have from each other. Both are compiled with hidden visibility.

#include <rouse/rouse.hpp>

#include <functional>

// In waits, which is linked. A thread of this library waits for `event`; `thread.ended_by` tells
// how that ended.
class [[gnu::visibility("default")]] WaitingThread : public rouse::StoppableThread {
 public:
  explicit WaitingThread(rouse::Event & event) : event_(event) {}
  ~WaitingThread() override;

  rouse::WaitStatus ended_by = rouse::WaitStatus::timeout;

 protected:
  void run(std::stop_token stop) override;

 private:
  rouse::Event& event_;
};

/// Waits for `event` in the calling thread.
[[gnu::visibility("default")]] rouse::WaitStatus wait_for(rouse::Event& event);
[[gnu::visibility("default")]] void throw_stopped();

// In wakes, which is loaded at run time.
extern "C" {
/// Sets it.
void wake(rouse::Event& event);
/// Requests its stop.
void stop(rouse::StoppableThread& thread);
/// Calls wait_for() bound to `scope`.
rouse::WaitStatus wait_bound(rouse::StopScope& scope, rouse::Event& event);
/// Whether what throw_stopped() throws is caught as what it is.
bool catches_stopped();
}
