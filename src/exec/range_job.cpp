#include "rouse/exec/range_job.hpp"

#include "exec/job_frame.hpp"
#include "exec/pool.hpp"
#include "exec/worker.hpp"
#include "wait/control_block.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace rouse::detail {
namespace {

// Few enough that taking them costs nothing, enough that workers that are slow, or come late, keep
// nobody waiting.
constexpr std::uint64_t chunks_per_worker = 8;

std::uint64_t chosen_grain(std::uint64_t grain, std::uint64_t size, std::uint64_t workers) {
  if (grain == 0) grain = size / (workers * chunks_per_worker);
  return std::clamp<std::uint64_t>(grain, 1, std::max<std::uint64_t>(size, 1));
}

// One for each worker that may help.
std::size_t runners_for(const RangeJob::Options& options, std::uint64_t chunks) noexcept {
  std::uint64_t workers = options.pool.roster().limit();
  if (options.caller == RangeJob::Caller::takes_part) {
    --chunks;
    if (options.pool.is_own_worker()) --workers;
  }
  return static_cast<std::size_t>(std::min(chunks, workers));
}

// The stop of whatever the calling thread does.
bool caller_stopped() noexcept {
  const ControlBlock& thread = *ControlBlock::current_or_null();
  return thread.shields == 0 && thread.ambient != nullptr && thread.ambient->stop_requested();
}

}  // namespace

// A task in the queues that brings a worker.
class RangeJob::Runner final : public Task {
 public:
  Runner() noexcept : Task(operations_of) {}

  RangeJob* range = nullptr;

 private:
  static void call(Task& task) {
    auto& self = static_cast<Runner&>(task);
    self.called_ = true;
    self.range->run_queued();
  }
  static void destroy(Task& task) noexcept {
    auto& self = static_cast<Runner&>(task);
    if (!self.called_) self.range->drop_queued();
    self.range->leave_memory();
  }

  static constexpr Operations operations_of{.call = &call,
                                            .destroy = &destroy,
                                            .dropped = nullptr,
                                            .end_callable = nullptr,
                                            .help = nullptr,
                                            .request_stop = nullptr};

  bool called_ = false;
};

RangeJob::RangeJob(const Operations& range_operations, CallChunk& call_chunk,
                   const Options& options, std::uint64_t size)
    : JobResult<void>(range_operations, options.pool.link(), JobOptions{.name = options.name}),
      call_chunk_(call_chunk),
      pool_(options.pool),
      pool_stops_(options.pool.stops_jobs()),
      size_(size),
      grain_(chosen_grain(options.grain, size, options.pool.roster().limit())),
      chunks_(size / grain_ + (size % grain_ != 0 ? 1 : 0)),
      caller_waits_(options.caller != Caller::goes_on),
      runners_(runners_for(options, chunks_)),
      users_(runners_.size() + 2),
      word_(chunks_ == 0 ? closed_
                         : runners_.size() * queued_ +
                               (options.caller == Caller::takes_part ? present_ : 0)) {
  for (Runner& runner : runners_) runner.range = this;
  (void)claim(no_worker);
}

RangeJob::~RangeJob() = default;

// --- runners -------------------------------------------------------------------------------------

Task* RangeJob::Runners::next() noexcept {
  return given_out_ == range_.runners_.size() ? nullptr : &range_.runners_[given_out_++];
}

RangeJob::Runners::~Runners() {
  while (Task* const runner = next()) runner->operations->destroy(*runner);
  if (range_.chunks_ == 0) range_.end();
  range_.leave_memory();
}

void RangeJob::leave_memory() noexcept {
  if (users_.fetch_sub(1, std::memory_order_acq_rel) == 1) release();
}

void RangeJob::run_queued() {
  if (enter(queued_)) take_part_as_job();
}

// Nobody is left who could go on: it is over.
void RangeJob::drop_queued() noexcept {
  std::uint64_t seen = word_.load(std::memory_order_relaxed);
  std::uint64_t left = 0;
  do {
    left = seen - queued_;
    if (left == 0) left = closed_;
  } while (!word_.compare_exchange_weak(seen, left, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  if (left == closed_ && (seen & closed_) == 0) end();
}

// --- those who take part -------------------------------------------------------------------------

// False if it is too late.
bool RangeJob::enter(std::uint64_t instead_of) noexcept {
  std::uint64_t seen = word_.load(std::memory_order_relaxed);
  do {
    if ((seen & closed_) != 0) return false;
  } while (!word_.compare_exchange_weak(seen, seen - instead_of + present_,
                                        std::memory_order_acq_rel, std::memory_order_relaxed));
  return true;
}

// Whoever leaves has found nothing more to do.
void RangeJob::leave() noexcept {
  word_.fetch_or(closed_, std::memory_order_relaxed);
  const std::uint64_t seen = word_.fetch_sub(present_, std::memory_order_acq_rel);
  if ((seen & (queued_ - 1)) == present_) end();
}

// A forced unwind has no object for the reference of its handler.
__attribute__((no_sanitize("null"))) void RangeJob::take_part() {
  // Also where pthread_exit unwinds the thread.
  struct AtEnd {
    RangeJob& range;
    ~AtEnd() { range.leave(); }
  } at_end{*this};
  try {
    while (goes_on() && !caller_stopped()) {
      // No thread comes here often enough to make it overflow.
      const std::uint64_t chunk = next_chunk_.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= chunks_) return;
      const std::uint64_t begin = chunk * grain_;
      const std::uint64_t end = begin + std::min(grain_, size_ - begin);
      if (call_chunk_(*this, begin, end) != end) incomplete_.store(true, std::memory_order_relaxed);
    }
    over_.store(true, std::memory_order_relaxed);
  } catch (const abi::__forced_unwind&) {
    incomplete_.store(true, std::memory_order_relaxed);
    over_.store(true, std::memory_order_relaxed);
    throw;
  } catch (...) {
    over_.store(true, std::memory_order_relaxed);
    if (!failed_.exchange(true, std::memory_order_relaxed)) fail(std::current_exception());
    // Whoever waits for the others has nothing to wait for any more.
    if (caller_waits_) request_stop();
  }
}

// In a worker its waits obey the stops of the range and of the pool, not of what was done there
// before; a thread that was made to run the task, because the queue is full, has seen to that.
void RangeJob::take_part_as_job() {
  const Worker* const worker = Worker::current();
  if (worker == nullptr || &worker->pool() != &pool_) {
    take_part();
    return;
  }
  JobFrame frame(ControlBlock::current(), pool_.frames(), pool_.stops_jobs());
  frame.enter(this);
  take_part();
}

void RangeJob::help_here() {
  if (link() == Worker::current()->pool().link() && enter(0)) take_part_as_job();
}

// --- the end -------------------------------------------------------------------------------------

void RangeJob::end_early() noexcept {
  over_.store(true, std::memory_order_relaxed);
  stop_waits(link(), no_worker);
  const std::uint64_t seen = word_.fetch_or(closed_, std::memory_order_acq_rel);
  if ((seen & closed_) == 0 && (seen & (queued_ - 1)) == 0) end();
}

// Once, by the last to leave, or by whoever closes it while nobody is there.
void RangeJob::end() noexcept {
  JobStatus status = JobStatus::done;
  if (failed_.load(std::memory_order_relaxed)) {
    status = JobStatus::failed;
  } else if (incomplete_.load(std::memory_order_relaxed) ||
             next_chunk_.load(std::memory_order_relaxed) < chunks_) {
    status = JobStatus::dropped;
  }
  std::exception_ptr unwanted = conclude(status);
  // Somebody of the pool has left it: whoever waits for it, or asks for its stop, has its Job.
  if (unwanted != nullptr) pool_.report(std::move(unwanted));
  leave_memory();
}

}  // namespace rouse::detail
