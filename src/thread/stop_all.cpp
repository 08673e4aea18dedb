#include "rouse/thread/stop_all.hpp"

#include "rouse/detail/thread_name.hpp"

#include "thread/stoppable_thread_impl.hpp"

#include <cstdio>

namespace rouse {

// A friend of StoppableThread: joins without taking the exception that ended a thread.
class StopAll {
 public:
  static bool join(StoppableThread& thread, detail::Deadline deadline) {
    StoppableThread::Impl& impl = *thread.impl_;
    if (!impl.was_started()) return true;
    if (impl.is_current_thread() || !impl.wait_gone(deadline)) return false;
    impl.reap();
    return true;
  }

  static int native_id(const StoppableThread& thread) {
    return thread.impl_->native_id.load(std::memory_order_relaxed);
  }
};

StopReport detail::stop_all(std::span<StoppableThread* const> threads, Deadline deadline) {
  const std::int64_t begin = os::now_ns();
  // What may fail for want of memory comes first: the block for this thread's waits.
  ControlBlock::current();
  for (StoppableThread* thread : threads) thread->request_stop();
  StopReport report;
  for (StoppableThread* thread : threads) {
    if (StopAll::join(*thread, deadline)) {
      ++report.stopped;
    } else {
      report.stragglers.push_back(
          {thread->name(), StopAll::native_id(*thread), thread->activity()});
    }
  }
  report.elapsed = std::chrono::nanoseconds(os::now_ns() - begin);
  return report;
}

std::string StopReport::to_string() const {
  using Seconds = std::chrono::duration<double>;
  char line[128];
  std::snprintf(line, sizeof line, "%zu stopped, %zu not, in %.3f s\n", stopped, stragglers.size(),
                Seconds(elapsed).count());
  std::string text = line;
  for (const Straggler& straggler : stragglers) {
    text += "  '" + detail::printable(straggler.name) + "' (id " +
            std::to_string(straggler.native_id) + "): " + straggler.activity.blocked_in;
    if (straggler.activity.blocked_for) {
      std::snprintf(line, sizeof line, " for %.3f s",
                    Seconds(*straggler.activity.blocked_for).count());
      text += line;
    }
    text += '\n';
  }
  return text;
}

}  // namespace rouse
