#pragma once
// when_all() and when_any(): one Job for the ends of several.
//
/// @code
///   rouse::ThreadPool pool;
///   std::vector<rouse::Job<int>> squares;
///   for (int i = 0; i < 3; ++i) squares.push_back(pool.submit([i] { return i * i; }));
///   int sum = 0;
///   for (rouse::Job<int>& each : rouse::when_all(std::move(squares)).get()) sum += each.get();
///
///   auto [name, size] = rouse::when_all(pool.submit([] { return std::string("a"); }),
///                                       pool.submit([] { return 7; })).get();
///
///   std::vector<rouse::Job<int>> mirrors;
///   for (int i = 0; i < 3; ++i) mirrors.push_back(pool.submit([i] { return i; }));
///   rouse::WhenAny<int> any = rouse::when_any(std::move(mirrors)).get();
///   const int answer = any.jobs[any.index].get();
///   for (rouse::Job<int>& other : any.jobs) (void)other.request_stop();
/// @endcode
//
// The result holds the Jobs that were given, in their order: how each ended is asked of it. Their
// pools may differ. No thread waits meanwhile, and nothing lies in a queue.
//   status()         `running` until its time has come, then `done`.
//   request_stop()   requests the stop of each of the Jobs; what ends it is their ends.
//   then()           calls on the pool of the first Job that belongs to one.
//   wait(), get()    in a job make the calls of those that are queued in its pool, the last first.
//                    For when_any(): only while all are queued, and only until one has ended.
//   Given up, it holds the Jobs until its time has come, then gives them up.
// A Job that expires in its queue ends when a worker comes across it, not at its time.
//
// Thread safety, Ordering, Lifetime: as Job.

#include "rouse/detail/os.hpp"
#include "rouse/exec/job.hpp"
#include "rouse/wait/event_watch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace rouse {

/// What when_any() returns.
template <class R>
struct WhenAny {
  std::size_t index = 0;     ///< Of the Job that ended first.
  std::vector<Job<R>> jobs;  ///< All that were given.
};

/// Done when all of `jobs` have ended, in whichever way; at once if there are none. Never blocks.
/// Throws std::logic_error if one is empty, std::bad_alloc: then they are given up.
template <class R>
Job<std::vector<Job<R>>> when_all(std::vector<Job<R>> jobs);
template <class... R>
Job<std::tuple<Job<R>...>> when_all(Job<R>... jobs);

/// Done when the first of `jobs` has ended, in whichever way. Never blocks. Throws
/// std::invalid_argument if there are none, std::logic_error if one is empty, std::bad_alloc: then
/// they are given up.
template <class R>
Job<WhenAny<R>> when_any(std::vector<Job<R>> jobs);

// --- implementation ------------------------------------------------------------------------------

namespace detail {

/// The part of a combined job that does not know types: its members, and when they end it.
class JobGroup {
 public:
  enum class Ends : std::uint8_t { with_all, with_first };

  /// Throws std::bad_alloc; std::invalid_argument for the first of none.
  [[gnu::visibility("default")]] JobGroup(JobState& combined, Ends ends,
                                          std::span<JobState* const> members);

  /// Of the first member with a pool.
  [[gnu::visibility("default")]] static PoolLink link_of(
      std::span<JobState* const> members) noexcept;

  /// Once. The members live until the combined job has ended.
  [[gnu::visibility("default")]] void start() noexcept;
  [[gnu::visibility("default")]] void help();
  [[gnu::visibility("default")]] void request_stop() noexcept;

  /// Which member ended first.
  std::size_t first() const noexcept { return first_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t none_ = SIZE_MAX;

  struct Member {
    JobGroup* group = nullptr;
    JobState* job = nullptr;
    bool watched = false;
    EventWatch watch{[](void* member) noexcept { ended(*static_cast<Member*>(member)); }, this};
  };

  static void ended(Member& member) noexcept;
  void finish_first() noexcept;
  void leave() noexcept;

  JobState& combined_;
  const Ends ends_;
  std::vector<Member> members_;
  // The watches that may still call, and one for start() or, with_first, for finish_first(). Who
  // leaves last ends the job.
  Atomic<std::size_t> present_{1};
  Atomic<std::size_t> first_{none_};
  Atomic<int> first_steps_{2};  // all watches are started; a first one has ended
};

/// A combined job.
template <class Result, class Jobs>
class JoinedJobs final : public JobResult<Result> {
 public:
  JoinedJobs(JobGroup::Ends ends, std::span<JobState* const> members, Jobs&& jobs)
      : JobResult<Result>(operations_of, JobGroup::link_of(members), {}),
        jobs_(std::move(jobs)),
        group_(*this, ends, members) {}

  void start() noexcept { group_.start(); }

 private:
  static JoinedJobs& self(Task& task) noexcept { return static_cast<JoinedJobs&>(task); }

  Result take_jobs() noexcept {
    if constexpr (std::is_same_v<Result, Jobs>) {
      return std::move(jobs_);
    } else {
      return {group_.first(), std::move(jobs_)};
    }
  }

  static constexpr Task::Operations operations_of{
      .call =
          [](Task& task) {
            auto deliver = [&task] { return self(task).take_jobs(); };
            self(task).result.take_from(deliver);
          },
      .destroy = [](Task& task) noexcept { delete_task(self(task)); },
      .dropped = nullptr,
      .end_callable = [](Task&) noexcept {},
      .help = [](Task& task) { self(task).group_.help(); },
      .request_stop = [](Task& task) noexcept { self(task).group_.request_stop(); }};

  Jobs jobs_;
  JobGroup group_;
};

template <class Result, class Jobs>
Job<Result> join(JobGroup::Ends ends, std::span<JobState* const> members, Jobs&& jobs) {
  auto& joined = *new_task<JoinedJobs<Result, Jobs>>(ends, members, std::move(jobs));
  Job<Result> job = JobAccess::make<Result>(joined);
  joined.start();
  return job;
}

template <class R>
std::vector<JobState*> states(const std::vector<Job<R>>& jobs) {
  std::vector<JobState*> all;
  all.reserve(jobs.size());
  for (const Job<R>& job : jobs) all.push_back(&JobAccess::state(job));
  return all;
}

}  // namespace detail

template <class R>
Job<std::vector<Job<R>>> when_all(std::vector<Job<R>> jobs) {
  return detail::join<std::vector<Job<R>>>(detail::JobGroup::Ends::with_all, detail::states(jobs),
                                           std::move(jobs));
}

template <class... R>
Job<std::tuple<Job<R>...>> when_all(Job<R>... jobs) {
  const std::array<detail::JobState*, sizeof...(R)> members{&detail::JobAccess::state(jobs)...};
  return detail::join<std::tuple<Job<R>...>>(detail::JobGroup::Ends::with_all, members,
                                             std::tuple<Job<R>...>(std::move(jobs)...));
}

template <class R>
Job<WhenAny<R>> when_any(std::vector<Job<R>> jobs) {
  return detail::join<WhenAny<R>>(detail::JobGroup::Ends::with_first, detail::states(jobs),
                                  std::move(jobs));
}

}  // namespace rouse
