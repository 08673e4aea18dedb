// The inotify instance that all waits for files share: who is told what, who reads it, and what
// becomes of it when the kernel or the memory is at its end.

#include "service/file_events.hpp"

#include "rouse/service/autowait.hpp"
#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/wait/event.hpp"

#include "service/unique_fd.hpp"
#include "support/faults/faults.hpp"
#include "support/in_child.hpp"
#include "support/observed_call.hpp"
#include "support/processes.hpp"
#include "support/refused_call.hpp"
#include "support/scale.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

namespace fs = std::filesystem;
using detail::FileEvents;
using detail::FileNews;
using detail::FileWatch;
using detail::FileWatcher;
using detail::WaitHint;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using until::file_exists;
using until::holds;

/// The process's inotify instances.
std::vector<std::string> instances() {
  std::vector<std::string> numbers;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    if (fs::read_symlink(entry.path(), ignored) == "anon_inode:inotify") {
      numbers.push_back(entry.path().filename());
    }
  }
  return numbers;
}

/// How many inodes the kernel watches for the process.
int kernel_watches() {
  int count = 0;
  for (const std::string& number : instances()) {
    std::ifstream info("/proc/self/fdinfo/" + number);
    for (std::string line; std::getline(info, line);) count += line.starts_with("inotify ") ? 1 : 0;
  }
  return count;
}

class FileEventsOf : public testing::Test {
 protected:
  // Only events can tell in time.
  static constexpr FileOptions told{.timeout = seconds(40), .interval = hours(1)};
  static constexpr FileOptions told_of_tree{
      .recursive = true, .timeout = seconds(40), .interval = hours(1)};
  static constexpr WaitOptions patient{.timeout = seconds(40)};

  void TearDown() override { EXPECT_EQ(kernel_watches(), 0) << "left over"; }

  std::string path() const { return directory_.path(); }
  void make(const std::string& name) const { directory_.write(name, "x"); }

  /// As the leader does it.
  static void dispatch() {
    std::array<::pollfd, FileEvents::polled> fds{};
    FileEvents::instance().poll(fds);
    ASSERT_GE(::poll(fds.data(), fds.size(), 0), 0);
    FileEvents::instance().dispatch(fds);
  }

  /// Waits for the file while `meanwhile` runs in the middle of its looks, so that it does not read
  /// what happens.
  template <class F>
  static AnyReady wait_with_pause(const Condition& file, F meanwhile) {
    int calls = 0;
    const auto pause = holds(
        [&] {
          if (++calls == 2) meanwhile();
          return false;
        },
        {.interval = milliseconds(1)});
    return wait_until_any({file, pause}, patient);
  }

  const TemporaryDirectory directory_;
};

/// Names of what was told about `watch`.
std::vector<std::string> names(const std::vector<FileNews>& news, std::optional<FileWatch> watch) {
  std::vector<std::string> found;
  for (const FileNews& each : news) {
    if (each.watch == watch) found.push_back(each.name);
  }
  EXPECT_EQ(found.size(), news.size()) << "news of others";
  return found;
}

bool says_everything(const std::vector<FileNews>& news) {
  return news.size() == 1 && news.front().watch == FileNews::everything;
}

// --- who is told what
// ------------------------------------------------------------------------------

TEST_F(FileEventsOf, ADirectoryTellsOfTheNameThatIsAskedFor) {
  WaitHint hint;
  FileWatcher watcher(hint, "a test");
  const auto one = watcher.watch(path().c_str(), IN_CREATE, "one");
  make("other");
  dispatch();
  EXPECT_FALSE(watcher.has_news());
  EXPECT_FALSE(hint.take());
  make("one");
  dispatch();
  EXPECT_TRUE(hint.take());
  EXPECT_TRUE(watcher.has_news());
  EXPECT_THAT(names(watcher.take(), one), ElementsAre("one"));
  EXPECT_FALSE(watcher.has_news());
  EXPECT_THAT(watcher.take(), IsEmpty());
}

TEST_F(FileEventsOf, AnInodeTellsEachOfWhatItHasAskedFor) {
  WaitHint hint;
  FileWatcher deletes(hint, "a test");
  FileWatcher creates(hint, "a test");
  fs::create_directory_symlink(path(), directory_ / "link");
  const auto deleted = deletes.watch(path().c_str(), IN_DELETE);
  const auto created = creates.watch((directory_ / "link").c_str(), IN_CREATE);
  const auto both = creates.watch(path().c_str(), IN_CREATE | IN_DELETE, "b");
  EXPECT_EQ(kernel_watches(), 1);
  make("a");
  dispatch();
  EXPECT_THAT(names(creates.take(), created), ElementsAre("a"));
  EXPECT_FALSE(deletes.has_news());
  fs::remove(directory_ / "a");
  dispatch();
  EXPECT_THAT(names(deletes.take(), deleted), ElementsAre("a"));
  EXPECT_FALSE(creates.has_news());
  creates.unwatch(*created);
  make("b");
  fs::remove(directory_ / "b");
  dispatch();
  EXPECT_THAT(names(creates.take(), both), ElementsAre("b", "b"));
}

TEST_F(FileEventsOf, AWatchThatHasEndedIsNews) {
  fs::create_directory(directory_ / "d");
  WaitHint hint;
  FileWatcher watcher(hint, "a test");
  const auto watch = watcher.watch((directory_ / "d").c_str(), IN_CREATE, "file");
  fs::remove(directory_ / "d");
  dispatch();
  const auto news = watcher.take();
  EXPECT_THAT(names(news, watch), ElementsAre(""));
  EXPECT_EQ(news.front().mask & IN_IGNORED, IN_IGNORED);
  watcher.unwatch(*watch);
  EXPECT_EQ(watcher.watch((directory_ / "d").c_str(), IN_CREATE), std::nullopt);
  fs::create_directory(directory_ / "d");
  const auto again = watcher.watch((directory_ / "d").c_str(), IN_CREATE);
  EXPECT_NE(again, watch);
  make("d/file");
  dispatch();
  EXPECT_THAT(names(watcher.take(), again), ElementsAre("file"));
}

TEST_F(FileEventsOf, UnwatchedInAnyOrderNobodyIsForgotten) {
  WaitHint hint;
  FileWatcher one(hint, "a test");
  FileWatcher two(hint, "a test");
  std::vector<FileWatch> of_one;
  std::vector<FileWatch> of_two;
  for (int i = 0; i < 10; ++i) {
    of_one.push_back(*one.watch(path().c_str(), IN_CREATE));
    of_two.push_back(*two.watch(path().c_str(), IN_CREATE));
  }
  for (const int i : {0, 9, 4, 5, 1, 8, 2, 3, 6}) {
    one.unwatch(of_one[static_cast<std::size_t>(i)]);
    two.unwatch(of_two[static_cast<std::size_t>(9 - i)]);
    one.unwatch(of_one[static_cast<std::size_t>(i)]);
  }
  make("file");
  dispatch();
  EXPECT_THAT(names(one.take(), of_one[7]), ElementsAre("file"));
  EXPECT_THAT(names(two.take(), of_two[2]), ElementsAre("file"));
}

TEST_F(FileEventsOf, TooManyNewsAreEverything) {
  WaitHint hint;
  FileWatcher watcher(hint, "a test");
  (void)watcher.watch(path().c_str(), IN_CREATE);
  for (int i = 0; i < 300; ++i) make(std::to_string(i));
  dispatch();
  EXPECT_TRUE(says_everything(watcher.take()));
  // Nothing is watched any more.
  make("file");
  dispatch();
  EXPECT_FALSE(watcher.has_news());
}

TEST_F(FileEventsOf, NobodyMissesNewsForWantOfMemory) {
  const std::string file = directory_ / "file";
  const std::string top = path();
  const WaitHint first;  // makes what each thread needs for its waits
  long failed = 0;
  (void)fail_each(Call::allocation, ENOMEM, [&](const Fault& fault) {
    WaitHint hint;
    std::array<std::optional<FileWatcher>, 3> watchers;
    std::array<bool, 3> watches{};
    try {
      for (std::size_t i = 0; i < watchers.size(); ++i) {
        watchers.at(i).emplace(hint, std::string());
        watches.at(i) = watchers.at(i)->watch(top.c_str(), IN_CREATE).has_value();
      }
    } catch (const std::bad_alloc&) {
    }
    (void)hint.take();
    const int fd = ::open(file.c_str(), O_CREAT | O_CLOEXEC | O_WRONLY, 0600);
    ASSERT_GE(fd, 0);
    ::close(fd);
    ::unlink(file.c_str());
    dispatch();
    for (std::size_t i = 0; i < watchers.size(); ++i) {
      EXPECT_EQ(watchers.at(i) && watchers.at(i)->has_news(), watches.at(i));
    }
    EXPECT_EQ(hint.take(), watches.front());
    for (std::size_t i = 0; i < watchers.size(); ++i) {
      if (!watches.at(i)) continue;
      try {
        EXPECT_EQ(watchers.at(i)->take().size(), 1U);
      } catch (const std::bad_alloc&) {
        EXPECT_EQ(watchers.at(i)->take().size(), 1U);
      }
    }
    failed += fault.failed();
  });
  EXPECT_GT(failed, 10);
}

TEST_F(FileEventsOf, AWaitThatRunsOutOfMemoryLeavesNothingBehind) {
  make("tree/sub/other");
  const std::string top = path();
  long failed = 0;
  (void)fail_each(Call::allocation, ENOMEM, [&](const Fault&) {
    try {
      (void)wait_until_file_exists(top, "f*", {.recursive = true, .timeout = seconds(0)});
    } catch (const std::bad_alloc&) {
      ++failed;
    }
  });
  EXPECT_GT(failed, 20);
  EXPECT_EQ(kernel_watches(), 0);
}

// --- many waits
// ------------------------------------------------------------------------------------

TEST_F(FileEventsOf, WaitsShareOneInstanceAndNothingElse) {
  const std::size_t count = static_cast<std::size_t>(std::max(50, rounds(1000)));
  const auto directory_of = [&](std::size_t i) { return directory_ / std::to_string(i % 7); };
  for (std::size_t i = 0; i < 7; ++i) fs::create_directory(directory_of(i));
  (void)wait_until_file_exists(path(), "none", {.timeout = seconds(0)});
  const std::size_t descriptors = count_descriptors();

  struct Waiter {
    FileFound found;
    steady_clock::time_point ended;
  };
  std::vector<Waiter> waiters(count);
  std::atomic<std::size_t> ended{0};
  std::stop_source source;
  std::deque<ObservedThread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      FileOptions options = told;
      options.timeout = hours(1);
      waiters[i].found =
          wait_until_file_exists(directory_of(i), std::to_string(i), options, source.get_token());
      waiters[i].ended = steady_clock::now();
      ended.fetch_add(1);
    });
  }
  for (const ObservedThread& thread : threads) thread.await_blocked();
  EXPECT_EQ(instances().size(), 1U);
  EXPECT_LE(count_descriptors(), descriptors);

  // Each by its own file.
  const std::size_t woken = count / 10;
  for (std::size_t i = 0; i < woken; ++i) {
    const std::size_t which = i * 10;
    make(std::to_string(which % 7) + "/" + std::to_string(which));
    threads[which].join();
    EXPECT_EQ(waiters[which].found.status, WaitStatus::ready);
    EXPECT_EQ(ended.load(), i + 1);
  }

  const auto stopped = steady_clock::now();
  source.request_stop();
  std::vector<nanoseconds> latencies;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 10 == 0 && i / 10 < woken) continue;
    threads[i].join();
    EXPECT_EQ(waiters[i].found.status, WaitStatus::stopped);
    latencies.push_back(waiters[i].ended - stopped);
  }
  std::ranges::sort(latencies);
  const auto us_at = [&](double share) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1));
    return static_cast<double>(latencies[at].count()) / 1e3;
  };
  std::printf("figure: stop of %zu waits for files: p50 %.0f us, p99 %.0f us, max %.0f us\n",
              latencies.size(), us_at(0.5), us_at(0.99), us_at(1));
}

TEST_F(FileEventsOf, WhoEverLeavesTheOthersAreStillTold) {
  struct Raise {};
  std::stop_source source;
  FileOptions shortly = told;
  shortly.timeout = milliseconds(100);
  // Each of them leads in turn, as the one that has waited for the longest.
  ObservedCall stopped(
      [&] { return wait_until_file_exists(path(), "none", told, source.get_token()); });
  stopped.await_blocked();
  InterruptibleThread raised([&] {
    try {
      (void)wait_until_file_exists(path(), "none", told);
    } catch (const Raise&) {
    }
  });
  raised.start();
  await_blocked_in(raised, "wait_until_file_exists");
  ObservedCall late([&] { return wait_until_file_exists(path(), "none", shortly); });
  late.await_blocked();
  ObservedCall found([&] { return wait_until_file_exists(path(), "first", told); });
  found.await_blocked();
  ObservedCall last([&] { return wait_until_file_exists(path(), "last", told); });
  last.await_blocked();

  source.request_stop();
  EXPECT_EQ(stopped.result().status, WaitStatus::stopped);
  EXPECT_TRUE(raised.raise<Raise>());
  raised.join();
  EXPECT_EQ(late.result().status, WaitStatus::timeout);
  make("first");
  EXPECT_EQ(found.result().status, WaitStatus::ready);
  make("last");
  EXPECT_EQ(last.result().status, WaitStatus::ready);
}

TEST_F(FileEventsOf, WhoIsBusyWithALookDoesNotHoldTheOthersUp) {
  Event gate;
  std::atomic<int> busy{0};
  Event both_busy;
  const auto wait_busily = [&] {
    int calls = 0;
    const auto blocks = holds(
        [&] {
          if (++calls == 2) {
            if (busy.fetch_add(1) + 1 == 2) both_busy.set();
            (void)gate.wait();
          }
          return false;
        },
        {.interval = milliseconds(1)});
    return wait_until_any({file_exists(path(), "file"), blocks}, patient);
  };
  ObservedCall one(wait_busily);
  ObservedCall two(wait_busily);
  EXPECT_EQ(both_busy.wait(), WaitStatus::ready);
  ObservedCall free([&] { return wait_until_file_exists(path(), "file", told); });
  free.await_blocked();
  make("file");
  EXPECT_EQ(free.result().status, WaitStatus::ready);
  gate.set();
  EXPECT_EQ(one.result(), (AnyReady{WaitStatus::ready, 0}));
  EXPECT_EQ(two.result(), (AnyReady{WaitStatus::ready, 0}));
}

TEST_F(FileEventsOf, AnOverflowHasEverybodyLookAgain) {
  long limit = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  ASSERT_GT(limit, 0);
  fs::create_directory(directory_ / "tree");
  make("a");
  Event gate;
  std::atomic<int> paused{0};
  Event all_paused;
  const auto wait_at_gate = [&](const Condition& file) {
    return wait_with_pause(file, [&] {
      if (paused.fetch_add(1) + 1 == 4) all_paused.set();
      (void)gate.wait();
    });
  };
  ObservedCall exact([&] { return wait_at_gate(file_exists(path(), "exact", told)); });
  ObservedCall glob([&] { return wait_at_gate(file_exists(path(), "gl?b", told)); });
  ObservedCall tree([&] { return wait_at_gate(file_exists(path(), "deep", told_of_tree)); });
  ObservedCall gone([&] { return wait_at_gate(until::file_gone(directory_ / "tree", told)); });
  EXPECT_EQ(all_paused.wait(), WaitStatus::ready);
  // Two events each.
  const std::string a = directory_ / "a";
  const std::string b = directory_ / "b";
  for (long i = 0; i <= limit / 4; ++i) {
    ASSERT_EQ(::rename(a.c_str(), b.c_str()), 0);
    ASSERT_EQ(::rename(b.c_str(), a.c_str()), 0);
  }
  make("exact");
  make("glob");
  make("new/deep");
  fs::remove(directory_ / "tree");
  gate.set();
  EXPECT_EQ(exact.result(), (AnyReady{WaitStatus::ready, 0}));
  EXPECT_EQ(glob.result(), (AnyReady{WaitStatus::ready, 0}));
  EXPECT_EQ(tree.result(), (AnyReady{WaitStatus::ready, 0}));
  EXPECT_EQ(gone.result(), (AnyReady{WaitStatus::ready, 0}));
}

TEST_F(FileEventsOf, ManyFilesAtOnceAreReadAnew) {
  const auto file = file_exists(path(), "w*", told_of_tree);
  EXPECT_EQ(wait_with_pause(file,
                            [&] {
                              for (int i = 0; i < 300; ++i) make(std::to_string(i));
                              make("sub/wanted");
                            }),
            (AnyReady{WaitStatus::ready, 0}));
  EXPECT_EQ(file.path(), directory_ / "sub/wanted");
}

// --- nothing to do
// ---------------------------------------------------------------------------------

/// How often the thread has gone to sleep, once it sleeps.
long sleeps_of(int thread) {
  for (;;) {
    std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
    long sleeps = 0;
    bool asleep = false;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("State:\tS")) asleep = true;
      if (line.starts_with("voluntary_ctxt_switches:")) sleeps = std::stol(line.substr(24));
    }
    if (asleep) return sleeps;
  }
}

/// What others do meanwhile in the directories that a path leads through.
class ForeignEvents {
 public:
  explicit ForeignEvents(const fs::path& path) {
    for (fs::path at = path;; at = at.parent_path()) {
      EXPECT_GE(::inotify_add_watch(fd_.get(), at.c_str(),
                                    IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM),
                0);
      if (at == at.parent_path()) break;
    }
  }
  long count() {
    alignas(::inotify_event) std::array<char, 64 * 1024> events;
    for (;;) {
      const ::ssize_t size = ::read(fd_.get(), events.data(), events.size());
      if (size <= 0) return count_;
      for (::ssize_t at = 0; at < size; ++count_) {
        at += static_cast<::ssize_t>(
            sizeof(::inotify_event) +
            reinterpret_cast<const ::inotify_event*>(events.data() + at)->len);
      }
    }
  }

 private:
  const detail::UniqueFd fd_{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  long count_ = 0;
};

TEST_F(FileEventsOf, NobodyIsWokenWhileNothingHappens) {
  const milliseconds idle(rounds(1000));
  make("there");
  directory_.write("log", "one\ntwo\n");
  const std::array conditions = {Condition(file_exists(path(), "none")),
                                 Condition(file_exists(path(), "none*", {.recursive = true})),
                                 Condition(file_exists(directory_ / "no/such", "none")),
                                 until::file_gone(directory_ / "there"),
                                 Condition(until::line_matches(directory_ / "log", "none"))};
  std::array<std::atomic<int>, conditions.size()> ids{};
  std::array<long, conditions.size()> sleeps{};
  std::stop_source source;
  std::deque<ObservedThread> threads;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    threads.emplace_back([&, i] {
      ids.at(i).store(::gettid());
      (void)wait_until(conditions.at(i), {.timeout = hours(1)}, source.get_token());
    });
    threads.back().await_blocked();
  }
  std::optional<ForeignEvents> foreign(path());
  for (std::size_t i = 0; i < ids.size(); ++i) sleeps.at(i) = sleeps_of(ids.at(i).load());
  Event never;
  EXPECT_EQ(never.wait_for(idle), WaitStatus::timeout);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    // The first one reads for all.
    EXPECT_LE(sleeps_of(ids.at(i).load()) - sleeps.at(i), i == 0 ? foreign->count() : 0);
  }
  foreign.reset();
  source.request_stop();
}

// --- limits
// ----------------------------------------------------------------------------------------

/// What a wait says in a child where the call fails.
std::string refusal(const std::string& directory, long call, int error) {
  std::string said(512, '\0');
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) fail("pipe");
  (void)in_child([&] {
    refuse_call(call, error);
    try {
      (void)wait_until_file_exists(directory, "none", {.timeout = seconds(0)});
    } catch (const std::system_error& thrown) {
      const std::string what = thrown.what();
      return ::write(ends[1], what.data(), what.size()) > 0 && thrown.code().value() == error ? 0
                                                                                              : 1;
    }
    return 2;
  });
  ::close(ends[1]);
  const ::ssize_t got = ::read(ends[0], said.data(), said.size());
  ::close(ends[0]);
  said.resize(static_cast<std::size_t>(std::max<::ssize_t>(got, 0)));
  return said;
}

TEST_F(FileEventsOf, TheKernelsLimitsAreNamed) {
  EXPECT_THAT(refusal(path(), SYS_inotify_init1, EMFILE),
              testing::AllOf(HasSubstr("rouse: "), HasSubstr("fs.inotify.max_user_instances")));
  EXPECT_THAT(refusal(path(), SYS_inotify_init1, ENOSYS), HasSubstr("rouse: inotify_init1"));
  EXPECT_THAT(refusal(path(), SYS_inotify_add_watch, ENOSPC),
              testing::AllOf(HasSubstr("a file none in " + path()),
                             HasSubstr("fs.inotify.max_user_watches")));
}

TEST_F(FileEventsOf, WhereNothingMayBeWatchedItIsLookedAtNowAndThen) {
  EXPECT_EQ(in_child([&] {
              refuse_call(SYS_inotify_add_watch, EACCES);
              FileOptions polled = told;
              polled.interval = milliseconds(1);
              for (const char* const glob : {"exact", "gl*"}) {
                const auto file = file_exists(path(), glob, polled);
                const AnyReady found =
                    wait_with_pause(file, [&] { make(*glob == 'e' ? "exact" : "glob"); });
                if (found != AnyReady{WaitStatus::ready, 0}) return 1;
              }
              return 0;
            }),
            0);
}

// --- forks
// -----------------------------------------------------------------------------------------

TEST_F(FileEventsOf, APredicateThatForksLeavesTwoThatWait) {
  const auto file = file_exists(path(), "file", told);
  ::pid_t child = -1;
  int calls = 0;
  const auto forks = holds(
      [&] {
        if (++calls == 2) child = ::fork();
        // Each makes the other's file too; but not before both have begun to wait anew.
        if (calls == 4) make("file");
        return false;
      },
      {.interval = milliseconds(1)});
  const AnyReady found = wait_until_any({file, forks}, patient);
  if (child == 0) {
    const bool shares_nothing = instances().size() == 1;
    std::_Exit(found == AnyReady{WaitStatus::ready, 0} && shares_nothing ? 0 : 1);
  }
  EXPECT_EQ(found, (AnyReady{WaitStatus::ready, 0}));
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(FileEventsOf, AForkTakesNothingFromThoseWhoWait) {
  if (under_sanitizer) {
    GTEST_SKIP() << "the sanitizers do not survive a fork of a process with several threads";
  }
  ObservedCall one([&] { return wait_until_file_exists(path(), "one", told); });
  one.await_blocked();
  ObservedCall two([&] { return wait_until_file_exists(path(), "two", told); });
  two.await_blocked();
  EXPECT_EQ(in_child([&] {
              const auto file = file_exists(path(), "own", told);
              const AnyReady found = wait_with_pause(file, [&] { make("own"); });
              make("one");
              if (found != AnyReady{WaitStatus::ready, 0}) return 1;
              // What the parent waits for has come, and nobody has read it but the parent.
              return wait_until_file_exists(path(), "one", told) == WaitStatus::ready ? 0 : 2;
            }),
            0);
  EXPECT_EQ(one.result().status, WaitStatus::ready);
  make("two");
  EXPECT_EQ(two.result().status, WaitStatus::ready);
}

}  // namespace
}  // namespace rouse::test
