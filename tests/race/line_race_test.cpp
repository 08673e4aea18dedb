// A log that is written, rotated, replaced and truncated in the middle of its lines, against a wait
// for its next line: each is found, once and in order.

#include "rouse/service/autowait.hpp"

#include "support/at_once.hpp"
#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

namespace {

using rouse::LineCondition;
using rouse::WaitStatus;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::let_others_run;
using rouse::test::OnCpu;
using rouse::test::Rendezvous;
using rouse::test::rounds;
using rouse::test::TemporaryDirectory;
using rouse::until::line_matches;

constexpr rouse::WaitOptions long_wait{.timeout = std::chrono::seconds(40)};

// Text of which no two parts are the same in different rounds.
std::string filler(int round, std::size_t size) {
  const std::string word = "filler " + std::to_string(round) + ' ';
  std::string text;
  while (text.size() < size) text += word;
  return text;
}

// What happens to a log: in each round something else, and one line that is waited for.
class RestlessLog {
 public:
  explicit RestlessLog(const TemporaryDirectory& directory) : directory_(directory) { open(); }

  void happen(int round) {
    pause();
    const std::string marker = "marker " + std::to_string(round) + '\n';
    // What has come and gone between two looks cannot be seen: there must be a line in a log before
    // it is rotated.
    switch (new_seen_ ? below(7) : below(3)) {
      case 0:
        write(marker);
        new_seen_ = true;
        break;
      case 1:
        truncate();
        write(marker);
        new_seen_ = true;
        break;
      case 2:
        // More than was there, so that its size does not tell.
        truncate();
        write(marker + filler(round, 300 + below(9000)) + "\n");
        new_seen_ = true;
        break;
      case 3:
        rotate();
        write(marker);
        break;
      case 4:
        replace(filler(round, below(200)) + "\n" + marker);
        break;
      case 5:
        finish_in_old(marker, false);
        break;
      default:
        finish_in_old(marker, true);
    }
    if (below(2) == 0) write(filler(round, below(200)) + (below(2) == 0 ? "\n" : ""));
  }

 private:
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  void open() { log_.open(path_, std::ios::binary | std::ios::app); }

  // For the other to look meanwhile, or to block.
  void pause() {
    const std::size_t choice = below(16);
    if (choice == 0) let_others_run();
    if (choice < 8) delay(static_cast<unsigned>(below(20'000)));
  }

  // Begins on a line of its own, and comes in two parts.
  void write(std::string_view text) {
    if (in_line_) log_ << '\n';
    const std::size_t half = below(text.size() + 1);
    log_ << text.substr(0, half) << std::flush;
    pause();
    log_ << text.substr(half) << std::flush;
    in_line_ = !text.ends_with('\n');
  }

  void truncate() {
    write(filler(0, below(300)));
    pause();
    std::filesystem::resize_file(path_, 0);
    in_line_ = false;
  }

  void rotate() {
    write(filler(0, below(300)));
    pause();
    std::filesystem::rename(path_, directory_ / "log.1");
    log_.close();
    open();
    in_line_ = false;
  }

  void replace(const std::string& text) {
    std::filesystem::rename(directory_.write("new", text), path_);
    log_.close();
    open();
    in_line_ = false;
  }

  // Its first half is in the old log when that is rotated, and its second half comes there too.
  void finish_in_old(const std::string& marker, bool open_first) {
    if (in_line_) log_ << '\n';
    const std::size_t half = below(marker.size());
    log_ << marker.substr(0, half) << std::flush;
    std::filesystem::rename(path_, directory_ / "log.1");
    std::ofstream old = std::move(log_);
    log_ = std::ofstream();
    if (open_first) open();
    pause();
    old << marker.substr(half) << std::flush;
    old.close();
    if (!open_first) open();
    in_line_ = false;
    new_seen_ = false;
  }

  const TemporaryDirectory& directory_;
  const std::string path_ = directory_ / "log";
  std::mt19937 random_{8};
  std::ofstream log_;
  bool in_line_ = false;
  bool new_seen_ = false;
};

// In each round a line with its number comes while somebody waits for it, or is about to.
void find_all(int count, const LineCondition& condition, const std::function<void(int)>& happen) {
  Rendezvous meet(2);
  std::jthread writer([&] {
    const OnCpu on_cpu(1);
    for (int round = 0; round < count; ++round) {
      meet.arrive();
      happen(round);
    }
  });
  for (int round = 0; round < count; ++round) {
    meet.arrive();
    EXPECT_EQ(wait_until(condition, long_wait), WaitStatus::ready);
    EXPECT_EQ(condition.line(), "marker " + std::to_string(round));
  }
}

TEST(LineRace, NoLineOfARestlessLogIsMissed) {
  const TemporaryDirectory directory;
  RestlessLog log(directory);
  find_all(rounds(10'000), line_matches(directory / "log", "^marker [0-9]+$"),
           [&](int round) { log.happen(round); });
}

// Large pieces, so that the log changes while it is read.
TEST(LineRace, TheFileIsTruncatedWhileItIsRead) {
  const TemporaryDirectory directory;
  const std::string path = directory / "log";
  std::ofstream log(path, std::ios::binary | std::ios::app);
  find_all(rounds(300), line_matches(path, "^marker [0-9]+$"), [&](int round) {
    for (int i = 0; i < 8; ++i) log << filler(2 * round, 20'000) << std::flush;
    delay(static_cast<unsigned>(round) * 370 % 50'000);
    std::filesystem::resize_file(path, 0);
    log << "marker " << round << '\n' << filler(2 * round + 1, 200'000) << std::flush;
  });
}

// More events than anybody keeps: what has got lost is made up for by a look.
TEST(LineRace, ManyEventsHideNoLine) {
  const TemporaryDirectory directory;
  const std::string path = directory / "log";
  std::ofstream log(path, std::ios::binary | std::ios::app);
  find_all(rounds(200), line_matches(path, "^marker [0-9]+$"), [&](int round) {
    for (int i = 0; i < 300; ++i) {
      log << i << '\n' << std::flush;
      ::chmod(path.c_str(), 0600);
    }
    let_others_run();
    log << "marker " << round << '\n' << std::flush;
  });
}

TEST(LineRace, TheFileIsMadeWhileTheWaitBegins) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a/log";
  at_once(
      rounds(1000),
      {[&](int round) {
         delay(static_cast<unsigned>(round) % 200);
         directory.write("a/log", std::to_string(round) + '\n');
       },
       [&](int round) {
         const auto found = rouse::wait_until_line_matches(path, "^[0-9]+$");
         ASSERT_EQ(found.status, WaitStatus::ready) << round;
         ASSERT_EQ(found.line, std::to_string(round));
       }},
      [&] { std::filesystem::remove_all(directory / "a"); }, [](int) {});
}

}  // namespace
