// Files that come at the instant in which a wait for them begins, while threads hand the lead to
// each other, and events that are set at the instant in which a wait for them leaves: nothing is
// missed.

#include "rouse/service/autowait.hpp"
#include "rouse/wait/event.hpp"

#include "support/at_once.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;
using until::event_set;

// Only events can tell in time.
constexpr FileOptions no_polling{.timeout = seconds(30), .interval = hours(1)};
constexpr FileOptions no_polling_in_tree{
    .recursive = true, .timeout = seconds(30), .interval = hours(1)};

// Where nobody waits for a disk.
std::filesystem::path in_memory() {
  const std::filesystem::path shared_memory = "/dev/shm";
  return ::access(shared_memory.c_str(), W_OK) == 0 ? shared_memory
                                                    : std::filesystem::temp_directory_path();
}

void create_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  EXPECT_GE(fd, 0) << path;
  ::close(fd);
}
void remove_file(const std::string& path) { EXPECT_EQ(::unlink(path.c_str()), 0) << path; }
void create_directory(const std::string& path) {
  EXPECT_EQ(::mkdir(path.c_str(), 0700), 0) << path;
}
void remove_directory(const std::string& path) { EXPECT_EQ(::rmdir(path.c_str()), 0) << path; }
void move_file(const std::string& from, const std::string& to) {
  EXPECT_EQ(::rename(from.c_str(), to.c_str()), 0) << from << " to " << to;
}

// A wait takes some tens of microseconds to begin.
void shift_start(int round) { delay(static_cast<unsigned>(round) * 997 % 150'000); }

// In which a wait may look for a file.
struct FileWay {
  const char* glob;
  FileOptions options;
};
const std::array<FileWay, 3> file_ways = {
    {{"file", no_polling}, {"f*", no_polling}, {"file", no_polling_in_tree}}};

/// Waits in `directory` for what `appears()` makes there at the same instant.
void race_for_file(const std::string& directory, const std::function<void()>& prepare,
                   const std::function<void()>& appears) {
  WaitStatus status = WaitStatus::timeout;
  int missed = 0;
  at_once(rounds(10'000),
          {[&](int i) {
             const FileWay& way = file_ways.at(static_cast<std::size_t>(i) % file_ways.size());
             status = wait_until_file_exists(directory, way.glob, way.options);
           },
           [&](int i) {
             shift_start(i);
             appears();
           }},
          prepare, [&](int) { missed += status == WaitStatus::ready ? 0 : 1; });
  EXPECT_EQ(missed, 0);
}

TEST(FileWaitRace, AFileIsCreated) {
  const TemporaryDirectory directory(in_memory());
  const std::string file = directory / "file";
  create_file(file);
  race_for_file(
      directory.path(), [&] { remove_file(file); }, [&] { create_file(file); });
}

TEST(FileWaitRace, AFileIsRenamedIntoPlace) {
  const TemporaryDirectory directory(in_memory());
  const std::string file = directory / "file";
  const std::string other = directory / "other";
  create_file(file);
  race_for_file(
      directory.path(), [&] { move_file(file, other); }, [&] { move_file(other, file); });
}

TEST(FileWaitRace, TheDirectoryIsReplaced) {
  const TemporaryDirectory directory(in_memory());
  const std::string place = directory / "place";
  const std::string with = directory / "with";
  const std::string without = directory / "without";
  create_directory(without);
  create_directory(place);
  create_file(place + "/file");
  race_for_file(
      place,
      [&] {
        move_file(place, with);
        move_file(without, place);
      },
      [&] {
        move_file(place, without);
        move_file(with, place);
      });
}

TEST(FileWaitRace, TheDirectoryIsCreatedWithTheFile) {
  const TemporaryDirectory directory(in_memory());
  const std::string made = directory / "made";
  for (const std::string& where : {made, directory.path().string()}) {
    create_directory(made);
    create_file(made + "/file");
    WaitStatus status = WaitStatus::timeout;
    int missed = 0;
    at_once(
        rounds(5'000),
        {[&](int i) {
           const FileWay& way = file_ways.at(where == made ? static_cast<std::size_t>(i) % 3 : 2);
           status = wait_until_file_exists(where, way.glob, way.options);
         },
         [&](int i) {
           delay(static_cast<unsigned>(i) * 7 % 4096);
           create_directory(made);
           create_file(made + "/file");
         }},
        [&] {
          remove_file(made + "/file");
          remove_directory(made);
        },
        [&](int) { missed += status == WaitStatus::ready ? 0 : 1; });
    EXPECT_EQ(missed, 0);
    remove_file(made + "/file");
    remove_directory(made);
  }
}

TEST(FileWaitRace, WaitersComeAndGoAndHandOverTheLead) {
  constexpr std::size_t waiters = 3;
  const TemporaryDirectory directory(in_memory());
  std::array<std::string, waiters> files;
  std::array<WaitStatus, waiters> statuses{};
  for (std::size_t i = 0; i < waiters; ++i) files.at(i) = directory / std::to_string(i);
  int missed = 0;
  std::vector<std::function<void(int)>> actions;
  for (std::size_t i = 0; i < waiters; ++i) {
    actions.emplace_back([&, i](int) {
      statuses.at(i) =
          wait_until_file_exists(directory.path(), std::to_string(i), no_polling).status;
    });
  }
  actions.emplace_back([&](int round) {
    FileOptions shortly = no_polling;
    shortly.timeout = microseconds(round % 200);
    (void)wait_until_file_exists(directory.path(), "none", shortly);
  });
  actions.emplace_back([&](int round) {
    for (std::size_t i = 0; i < waiters; ++i) {
      shift_start(round);
      create_file(files.at((static_cast<std::size_t>(round) + i) % waiters));
    }
  });
  at_once(
      rounds(4'000), std::move(actions), [] {},
      [&](int) {
        for (std::size_t i = 0; i < waiters; ++i) {
          missed += statuses.at(i) == WaitStatus::ready ? 0 : 1;
          remove_file(files.at(i));
        }
      });
  EXPECT_EQ(missed, 0);
}

TEST(FileWaitRace, AnEventIsSetAndClearedAtOnce) {
  Event event;
  std::atomic<bool> waits{false};
  AnyReady ended;
  int missed = 0;
  at_once(
      rounds(10'000),
      {[&](int) {
         // Asked when the wait for the event has begun.
         const auto begun = until::holds(
             [&] {
               waits.store(true);
               return false;
             },
             {.interval = hours(1)});
         ended = wait_until_any({event_set(event), begun}, {.timeout = seconds(30)});
       },
       [&](int i) {
         while (!waits.load()) std::this_thread::yield();
         delay(static_cast<unsigned>(i) % 256);
         event.set();
       },
       [&](int) {
         // In the middle of set().
         while (!event.is_set()) std::this_thread::yield();
         event.clear();
       }},
      [&] { waits.store(false); },
      [&](int) {
        missed += ended == AnyReady{WaitStatus::ready, 0} ? 0 : 1;
      });
  EXPECT_EQ(missed, 0);
}

TEST(FileWaitRace, AnEventIsSetWhileTheWaitLeaves) {
  Event event;
  std::array<int, 2> ended{};
  at_once(
      rounds(10'000),
      {[&](int i) {
         const WaitStatus status = wait_until(event_set(event), {.timeout = microseconds(i % 60)});
         ++ended.at(status == WaitStatus::ready ? 0 : 1);
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) * 7 % 2048);
         event.set();
       }},
      [&] { event.clear(); }, [](int) {});
  // Both have happened, or nothing was shown.
  EXPECT_GT(ended.at(0), 0);
  std::printf("figure: of %d waits that ended when the event was set %d were told\n",
              ended.at(0) + ended.at(1), ended.at(0));
}

}  // namespace
}  // namespace rouse::test
