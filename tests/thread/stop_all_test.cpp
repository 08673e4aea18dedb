#include "rouse/thread/stop_all.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/observed_thread.hpp"

#include <unistd.h>

#include <chrono>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::StoppableThread;
using rouse::StopReport;
using rouse::WaitStatus;
using rouse::test::await_blocked_in;

TEST(StopAll, StopsAllAndReportsThatItDid) {
  std::deque<StoppableThread> threads;
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([] { (void)rouse::sleep_for(1h); });
    threads.back().start();
  }
  const StopReport report = rouse::stop_all(threads, 10s);
  EXPECT_TRUE(report);
  EXPECT_EQ(report.stopped, 20U);
  EXPECT_GT(report.elapsed, 0ns);
  for (const StoppableThread& thread : threads) EXPECT_FALSE(thread.running());
}

TEST(StopAll, RequestsAllStopsBeforeItWaitsForAny) {
  // The first thread ends only after the second has.
  rouse::Event second_ended;
  std::deque<StoppableThread> threads;
  threads.emplace_back([&] {
    (void)rouse::sleep_for(1h);
    const rouse::Shield shield;
    (void)second_ended.wait();
  });
  threads.emplace_back([&] {
    (void)rouse::sleep_for(1h);
    second_ended.set();
  });
  for (StoppableThread& thread : threads) thread.start();
  EXPECT_TRUE(rouse::stop_all(threads, std::chrono::hours::max()));
}

TEST(StopAll, NamesTheStragglerAndWhatItIsBlockedIn) {
  rouse::Event release;
  std::deque<StoppableThread> threads;
  threads.emplace_back([] { (void)rouse::sleep_for(1h); }, rouse::ThreadOptions{.name = "good"});
  threads.emplace_back(
      [&] {
        const rouse::Shield shield;
        (void)release.wait();
      },
      rouse::ThreadOptions{.name = "ba\nd"});
  for (StoppableThread& thread : threads) thread.start();
  await_blocked_in(threads[1], "Event::wait");
  const int id = threads[1].native_id();

  const StopReport report = rouse::stop_all(threads, 5ms);
  EXPECT_FALSE(report);
  EXPECT_EQ(report.stopped, 1U);
  ASSERT_EQ(report.stragglers.size(), 1U);
  const rouse::Straggler& straggler = report.stragglers[0];
  EXPECT_EQ(straggler.name, "ba\nd");
  EXPECT_EQ(straggler.native_id, id);
  EXPECT_EQ(straggler.activity.blocked_in.rfind("Event::wait (0x", 0), 0U);
  ASSERT_TRUE(straggler.activity.blocked_for.has_value());
  EXPECT_GT(*straggler.activity.blocked_for, 0ns);
  const std::string text = report.to_string();
  EXPECT_NE(text.find("1 stopped, 1 not"), std::string::npos) << text;
  EXPECT_NE(text.find("'ba\\x0ad' (id " + std::to_string(id) + "): Event::wait (0x"),
            std::string::npos)
      << text;

  release.set();
  EXPECT_TRUE(rouse::stop_all(threads, 10s));
}

TEST(StopAll, NamesTheSystemCallOfAStragglerOutsideOfTheLibrary) {
  int pipe[2] = {-1, -1};
  ASSERT_EQ(::pipe(pipe), 0);
  std::deque<StoppableThread> threads;
  threads.emplace_back([&] {
    char byte = 0;
    EXPECT_EQ(::read(pipe[0], &byte, 1), 1);
  });
  threads.front().start();
  await_blocked_in(threads.front(), "system call read");
  const StopReport report = rouse::stop_all(threads, std::chrono::steady_clock::now() + 2ms);
  ASSERT_EQ(report.stragglers.size(), 1U);
  EXPECT_EQ(report.stragglers[0].activity.blocked_in, "system call read");
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  EXPECT_TRUE(rouse::stop_all(threads, 10s));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(StopAll, IsNotHeldUpByDestructorsOfThreadLocalObjects) {
  struct Slow {
    rouse::Event* release = nullptr;
    ~Slow() {
      if (release != nullptr && release->wait() != WaitStatus::ready) ADD_FAILURE();
    }
  };
  rouse::Event release;
  std::deque<StoppableThread> threads;
  threads.emplace_back([&] {
    static thread_local Slow slow;
    slow.release = &release;
  });
  threads.front().start();
  await_blocked_in(threads.front(), "Event::wait");
  EXPECT_FALSE(threads.front().try_join_for(1ms));
  const StopReport report = rouse::stop_all(threads, 2ms);
  ASSERT_EQ(report.stragglers.size(), 1U);
  EXPECT_NE(report.stragglers[0].activity.blocked_in.find("thread_local"), std::string::npos);
  release.set();
  EXPECT_TRUE(rouse::stop_all(threads, 10s));
}

TEST(StopAll, TakesPointersAndPassesOverNullOnes) {
  std::vector<std::unique_ptr<StoppableThread>> threads;
  threads.push_back(std::make_unique<StoppableThread>([] { (void)rouse::sleep_for(1h); }));
  threads.push_back(nullptr);
  threads.push_back(std::make_unique<StoppableThread>([] {}));  // never started
  threads.front()->start();
  const StopReport report = rouse::stop_all(threads, 10s);
  EXPECT_TRUE(report);
  EXPECT_EQ(report.stopped, 2U);

  std::vector<StoppableThread*> raw{threads[0].get()};
  EXPECT_EQ(rouse::stop_all(raw, 0s).stopped, 1U);
  EXPECT_EQ(rouse::stop_all(std::vector<StoppableThread*>{}, 0s).stopped, 0U);
}

TEST(StopAll, LeavesTheExceptionOfAThreadToItsJoin) {
  StoppableThread thread([] { throw std::runtime_error("broken"); });
  thread.start();
  std::vector<StoppableThread*> threads{&thread};
  EXPECT_TRUE(rouse::stop_all(threads, 10s));
  EXPECT_THROW(thread.join(), std::runtime_error);
}

TEST(StopAll, ReportsTheCallingThreadAsAStraggler) {
  StopReport report;
  std::vector<StoppableThread*> threads;
  StoppableThread thread([&] { report = rouse::stop_all(threads, 1h); }, {.name = "self"});
  threads.push_back(&thread);
  thread.start();
  thread.join();
  ASSERT_EQ(report.stragglers.size(), 1U);
  EXPECT_EQ(report.stragglers[0].name, "self");
}

}  // namespace
