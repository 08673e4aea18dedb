#pragma once
// JobFrame: a place where a thread runs jobs, and what stops their waits.
//
// A worker has one; a job that it runs inside of a wait, or that is run by the thread that posted
// it, has another on top. A job's stop token is made when somebody asks for it; until then its stop
// is a bit of the job, or of the pool.
//
// Thread safety: the thread's, but for the source, which Frames guards. Design:
// docs/design/thread_pool.md.

#include "rouse/detail/lock.hpp"
#include "rouse/exec/job_state.hpp"
#include "rouse/wait/this_thread.hpp"

#include "wait/control_block.hpp"

#include <cstdint>
#include <optional>
#include <stop_token>

namespace rouse::detail {

/// The jobs of a pool that have a stop token and run.
class Frames {
 public:
  /// One of them, as long as it lives.
  class Entry {
   public:
    /// Throws std::bad_alloc.
    Entry(Frames& frames, const StoppableCall* call);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    std::stop_source& source() noexcept { return source_; }

   private:
    friend class Frames;

    Frames& frames_;
    const StoppableCall* const call_;  // null: of a posted task
    std::stop_source source_;
    bool given_out_ = false;
    Entry* next_ = nullptr;
    Entry* prev_ = nullptr;
  };

  /// What stops the waits of `call`, or, if it is null, of some call. Each source is given out
  /// once; behind the last comes one without a state. Requesting it runs stop callbacks of others.
  std::stop_source source_of(const StoppableCall* call) noexcept;

 private:
  Lock lock_;
  Entry* first_ = nullptr;
};

class JobFrame final : public LazyStop {
 public:
  /// `all_stop` says whether the jobs of the pool are to stop.
  JobFrame(ControlBlock& thread, Frames& frames, const Atomic<bool>& all_stop) noexcept;
  ~JobFrame();
  JobFrame(const JobFrame&) = delete;
  JobFrame& operator=(const JobFrame&) = delete;

  /// What runs next: a job, or a posted task (null).
  void enter(const StoppableCall* call) noexcept { call_ = call; }
  void leave() noexcept {
    if (entry_) forget_token();
    call_ = nullptr;
  }

  bool stop_requested() const noexcept override {
    return all_stop_.load(std::memory_order_relaxed) ||
           (call_ != nullptr && call_->stop_requested());
  }
  std::stop_token make_token() override;

 private:
  void forget_token() noexcept;

  ControlBlock& thread_;
  Frames& frames_;
  const Atomic<bool>& all_stop_;
  const std::uint32_t shields_;
  const int unwinding_;
  const StoppableCall* call_ = nullptr;
  std::optional<Frames::Entry> entry_;
  AmbientStop ambient_;
};

}  // namespace rouse::detail
