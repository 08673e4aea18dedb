// The ends of jobs, and what is waiting for several of them, at the same instant.

#include "rouse/exec/job_group.hpp"
#include "rouse/exec/thread_pool.hpp"

#include "support/at_once.hpp"
#include "support/gated_pool.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::Job;
using rouse::JobStatus;
using rouse::ThreadPool;
using rouse::WhenAny;
using rouse::detail::JobAccess;
using rouse::detail::JobState;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::Gate;
using rouse::test::rounds;

// Two queued jobs, each to be dropped by a thread of its own while a third puts them together.
class TwoJobs {
 public:
  void queue() {
    for (std::size_t i = 0; i < 2; ++i) {
      jobs_.push_back(pool_.submit([] { ADD_FAILURE() << "it is never called"; }));
      states_[i] = &JobAccess::state(jobs_[i]);
    }
  }
  auto drop(std::size_t i) {
    return [this, i](int round) {
      delay(static_cast<unsigned>(round) % 64);
      EXPECT_TRUE(states_[i]->request_stop());
    };
  }
  std::vector<Job<void>> take() { return std::exchange(jobs_, {}); }

 private:
  ThreadPool pool_{{.max_threads = 1}};
  Gate gate_{pool_};
  std::vector<Job<void>> jobs_;
  std::array<JobState*, 2> states_{};
};

TEST(JobGroupRace, OfAllEndsOnceWithTheLast) {
  TwoJobs two;
  Job<std::vector<Job<void>>> both;
  at_once(
      rounds(20'000), {two.drop(0), two.drop(1), [&](int) { both = when_all(two.take()); }},
      [&] { two.queue(); },
      [&](int) {
        ASSERT_EQ(both.status(), JobStatus::done);
        for (Job<void>& each : both.get()) EXPECT_EQ(each.status(), JobStatus::dropped);
      });
}

// Its jobs are given up while the other's end may still be on its way.
TEST(JobGroupRace, OfAnyEndsOnceWithTheFirst) {
  TwoJobs two;
  Job<WhenAny<void>> either;
  std::array<int, 2> first{};
  at_once(
      rounds(20'000), {two.drop(0), two.drop(1), [&](int) { either = when_any(two.take()); }},
      [&] { two.queue(); },
      [&](int) {
        ASSERT_EQ(either.status(), JobStatus::done);
        WhenAny<void> any = either.get();
        ++first.at(any.index);
        EXPECT_EQ(any.jobs[any.index].status(), JobStatus::dropped);
      });
  EXPECT_GT(first[0], 0);
}

}  // namespace
