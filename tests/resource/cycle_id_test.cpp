// CycleIdGenerator: what an id tells, what is refused, uniqueness over threads, forks and restarts,
// and the boot file: whatever happens to it, no number comes twice.

#include "rouse/resource/cycle_id.hpp"

#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/clock/clock.hpp"
#include "support/each_once.hpp"
#include "support/fail.hpp"
#include "support/faults/faults.hpp"
#include "support/in_child.hpp"
#include "support/observed_thread.hpp"
#include "support/scale.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <new>
#include <set>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::CycleId;
using rouse::CycleIdGenerator;
using rouse::CycleIdOptions;
using rouse::Id128;
using rouse::test::Call;
using rouse::test::EachOnce;
using rouse::test::expect_each_once;
using rouse::test::fail_each;
using rouse::test::Fault;
using rouse::test::in_child;
using rouse::test::rounds;
using rouse::test::TemporaryDirectory;
using testing::HasSubstr;

constexpr CycleId example(0xC0000207, 8080, 513, 0x123456789ABCDEF0);
static_assert(example.address() == 0xC0000207 && example.port() == 8080 && example.boot() == 513 &&
              example.counter() == 0x123456789ABCDEF0);
static_assert(CycleId(example.id()) == example);
static_assert(example.id() == Id128{0xC00002071F900201, 0x123456789ABCDEF0});

std::uint64_t unix_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

template <class Exception, class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::uint16_t boot_of(const std::string& boot_file) {
  return CycleIdGenerator("192.0.2.7", 80, {.boot_file = boot_file}).boot();
}

// --- what an id tells ----------------------------------------------------------------------------

TEST(CycleId, TellsWhereItWasMade) {
  CycleIdGenerator ids("192.0.2.7", 8080);
  const CycleId id(ids.next());
  EXPECT_EQ(id.address(), 0xC0000207U);
  EXPECT_EQ(id.address_text(), "192.0.2.7");
  EXPECT_EQ(id.port(), 8080);
  EXPECT_EQ(id.boot(), 0);
  EXPECT_EQ(ids.address(), id.address());
  EXPECT_EQ(ids.port(), id.port());
  EXPECT_EQ(ids.boot(), id.boot());
  EXPECT_EQ(CycleId(id.address(), id.port(), id.boot(), id.counter()), id);
}

TEST(CycleId, WritesAnyAddress) {
  EXPECT_EQ(CycleId(0, 0, 0, 0).address_text(), "0.0.0.0");
  EXPECT_EQ(CycleId(UINT32_MAX, 0, 0, 0).address_text(), "255.255.255.255");
  EXPECT_EQ(CycleId(0x7F000001, 0, 0, 0).address_text(), "127.0.0.1");
}

TEST(CycleIdGenerator, StartsWithTheTimeAndCountsByOne) {
  const std::uint64_t before = unix_ns();
  CycleIdGenerator ids("127.0.0.1", 1);
  const std::uint64_t after = unix_ns();
  const CycleId first(ids.next());
  EXPECT_GE(first.counter(), before);
  EXPECT_LE(first.counter(), after);
  Id128 last = first.id();
  for (std::uint64_t i = 1; i < 1000; ++i) {
    const Id128 id = ids.next();
    EXPECT_EQ(CycleId(id).counter(), first.counter() + i);
    EXPECT_GT(id, last);
    last = id;
  }
}

TEST(CycleIdGenerator, WrapsItsCounterAndNothingElse) {
  CycleIdGenerator ids("255.255.255.255", 65535);
  ids.reset_next(UINT64_MAX - 1);
  for (const std::uint64_t counter :
       {UINT64_MAX - 1, UINT64_MAX, std::uint64_t{0}, std::uint64_t{1}}) {
    EXPECT_EQ(CycleId(ids.next()), CycleId(UINT32_MAX, 65535, 0, counter));
  }
}

TEST(CycleIdGenerator, GoesOnWhereItIsToldTo) {
  CycleIdGenerator ids("127.0.0.1", 1);
  ids.reset_next(5);
  EXPECT_EQ(CycleId(ids.next()).counter(), 5U);
  EXPECT_EQ(CycleId(ids.next()).counter(), 6U);
}

TEST(CycleIdGenerator, TakesEachPortThereIs) {
  for (const int port : {0, 1, 32767, 32768, 65535}) {
    EXPECT_EQ(CycleIdGenerator("127.0.0.1", port).port(), port);
  }
}

TEST(CycleIdGenerator, RefusesPortsThatThereAreNot) {
  const auto refusal = [](std::int64_t port) {
    return message_of<std::invalid_argument>([&] { CycleIdGenerator("127.0.0.1", port); });
  };
  EXPECT_EQ(refusal(70000), "CycleIdGenerator: port 70000 is above 65535");
  EXPECT_EQ(refusal(65536), "CycleIdGenerator: port 65536 is above 65535");
  EXPECT_EQ(refusal(-1), "CycleIdGenerator: port -1 is negative");
  // What would be port 80 if it were cut to 16 bits.
  EXPECT_EQ(refusal((std::int64_t{1} << 32) + 80),
            "CycleIdGenerator: port 4294967376 is above 65535");
  EXPECT_THAT(refusal(std::numeric_limits<std::int64_t>::min()), HasSubstr("is negative"));
}

TEST(CycleIdGenerator, ShortensIPv6AsItSays) {
  const auto address = [](const char* ip) { return CycleIdGenerator(ip, 1).address(); };
  // By zlib.crc32 of Python.
  EXPECT_EQ(address("2001:db8::7"), 0x96F1156DU);
  EXPECT_EQ(address("2001:0DB8:0:0:0:0:0:7"), 0x96F1156DU);
  EXPECT_EQ(address("::1"), 0x9BBC7BC3U);
  EXPECT_EQ(address("fe80::1"), 0x7622233EU);
  EXPECT_EQ(address("::ffff:192.0.2.7"), address("192.0.2.7"));
  // Subnets and hosts that are numbered.
  std::set<std::uint32_t> seen;
  for (int subnet = 0; subnet < 64; ++subnet) {
    for (int host = 1; host <= 64; ++host) {
      seen.insert(
          address(("2001:db8:0:" + std::to_string(subnet) + "::" + std::to_string(host)).c_str()));
    }
  }
  EXPECT_EQ(seen.size(), 64U * 64U);
}

TEST(CycleIdGenerator, RefusesWhatIsNoAddress) {
  using namespace std::string_literals;
  for (const std::string& ip :
       {""s, "localhost"s, "1.2.3"s, "1.2.3.256"s, "1.2.3.4.5"s, " 1.2.3.4"s, "1.2.3.4 "s,
        "1.2.3.4\0"s, "01.2.3.4"s, "::1%lo"s, "[::1]"s, "::1::"s, std::string(100'000, '1')}) {
    const std::string message =
        message_of<std::invalid_argument>([&] { const CycleIdGenerator ids(ip, 1); });
    EXPECT_THAT(message, HasSubstr("CycleIdGenerator: '")) << ip;
    EXPECT_THAT(message, HasSubstr("' is neither an IPv4 nor an IPv6 address")) << ip;
  }
  EXPECT_THAT(message_of<std::invalid_argument>([] { CycleIdGenerator("a\nb", 1); }),
              HasSubstr("'a\\x0ab'"));
}

// --- unique --------------------------------------------------------------------------------------

// 1.6 million ids; 10^8 by ROUSE_TEST_SCALE=63.
TEST(CycleIdGenerator, GivesEachIdOnceToAnyThread) {
  CycleIdGenerator ids("127.0.0.1", 1);
  constexpr int threads = 8;
  const int count = rounds(200'000);
  // Over the end of the counter, too.
  const std::uint64_t start = std::uint64_t{0} - static_cast<std::uint64_t>(count);
  ids.reset_next(start);
  const std::uint64_t high = CycleId(0x7F000001, 1, 0, 0).id().high;
  EachOnce seen(static_cast<std::uint64_t>(count) * threads);
  expect_each_once(seen, threads, count, [&] {
    const Id128 id = ids.next();
    return id.high == high ? id.low - start : UINT64_MAX;
  });
  EXPECT_TRUE(seen.has_all());
}

// What a test and its forked children write and read.
template <class T>
class SharedMemory {
 public:
  SharedMemory()
      : value_(::new (::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                             -1, 0)) T()) {}
  ~SharedMemory() { ::munmap(value_, sizeof(T)); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  T* operator->() const noexcept { return value_; }
  T& operator*() const noexcept { return *value_; }

 private:
  T* const value_;
};

// Runs body(i) in `count` processes that are there at the same time.
template <class Body>
void in_children(int count, Body body) {
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(20);
      std::_Exit(body(i));
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = -1;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
}

TEST(CycleIdGenerator, GivesParentChildrenAndGrandchildrenNoIdTwice) {
  constexpr std::size_t each = 1000;
  constexpr std::size_t processes = 7;
  struct Ids {
    std::array<std::array<Id128, each>, processes> of;
  };
  const SharedMemory<Ids> taken;
  CycleIdGenerator ids("127.0.0.1", 1);
  const auto take = [&](std::size_t process) {
    for (Id128& id : taken->of[process]) id = ids.next();
  };
  const CycleId first(ids.next());
  in_children(3, [&](int i) {
    take(static_cast<std::size_t>(i));
    return in_child([&] {
      take(static_cast<std::size_t>(i) + 3);
      return 0;
    });
  });
  take(6);
  EachOnce seen(each * processes);
  for (const auto& ids_of_one : taken->of) {
    for (const Id128& id : ids_of_one) {
      EXPECT_TRUE(seen.add(CycleId(id).counter() - first.counter() - 1));
    }
  }
  EXPECT_TRUE(seen.has_all());
}

TEST(CycleIdGenerator, RepeatsNothingAfterARestart) {
  const SharedMemory<Id128> last;
  ASSERT_EQ(in_child([&] {
              CycleIdGenerator ids("127.0.0.1", 1);
              for (int i = 0; i < 100'000; ++i) *last = ids.next();
              return 0;
            }),
            0);
  CycleIdGenerator ids("127.0.0.1", 1);
  EXPECT_GT(ids.next(), *last);
}

TEST(CycleIdGenerator, RepeatsNothingWithABootFileWhenTheClockIsPutBack) {
  const TemporaryDirectory directory;
  const CycleIdOptions options{.boot_file = directory / "boot"};
  CycleIdGenerator before("127.0.0.1", 1, options);
  rouse::test::advance_calendar(-1h);
  CycleIdGenerator after("127.0.0.1", 1, options);
  CycleIdGenerator without("127.0.0.1", 1);
  rouse::test::advance_calendar(1h);
  const CycleId first(before.next());
  // This is what the number is for.
  EXPECT_LT(CycleId(without.next()).counter(), first.counter());
  EXPECT_LT(CycleId(after.next()).counter(), first.counter());
  EXPECT_EQ(first.boot(), 1);
  EXPECT_EQ(CycleId(after.next()).boot(), 2);
}

// --- the boot file -------------------------------------------------------------------------------

TEST(BootFile, HoldsTheNumberOfTheLastBoot) {
  const TemporaryDirectory directory;
  const std::string path = directory / "boot";
  EXPECT_EQ(boot_of(path), 1);
  EXPECT_EQ(content_of(path), "1\n");
  EXPECT_EQ(boot_of(path), 2);
  EXPECT_EQ(content_of(path), "2\n");
  for (const char* const name : {"boot", "boot.lock"}) {
    struct ::stat status {};
    ASSERT_EQ(::stat((directory / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode, S_IFREG | 0600U) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "boot.new"));
}

TEST(BootFile, WrapsAfter65535) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("boot", "65534\n");
  EXPECT_EQ(boot_of(path), 65535);
  EXPECT_EQ(boot_of(path), 0);
  EXPECT_EQ(content_of(path), "0\n");
  EXPECT_EQ(boot_of(path), 1);
}

TEST(BootFile, IsLeftAloneWhenTheArgumentsAreRefused) {
  const TemporaryDirectory directory;
  const CycleIdOptions options{.boot_file = directory / "boot"};
  EXPECT_THROW(CycleIdGenerator("nowhere", 1, options), std::invalid_argument);
  EXPECT_THROW(CycleIdGenerator("::1", 65536, options), std::invalid_argument);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(BootFile, MayBeNamedRelativeToTheWorkingDirectory) {
  const TemporaryDirectory directory;
  EXPECT_EQ(in_child([&] {
              if (::chdir(directory.path().c_str()) != 0) return 1;
              return boot_of("boot") == 1 && boot_of("./boot") == 2 ? 0 : 2;
            }),
            0);
  EXPECT_EQ(content_of(directory / "boot"), "2\n");
}

TEST(BootFile, IsRefusedWithItsContentUnlessThatIsANumber) {
  const TemporaryDirectory directory;
  for (const std::string& text :
       {std::string(), std::string("7"), std::string("7 \n"), std::string("7\r\n"),
        std::string("-1\n"), std::string("+7\n"), std::string("65536\n"),
        std::string("99999999999999999999\n"), std::string("0x7\n"), std::string("7\n7\n"),
        std::string("\n"), std::string("7\0\n", 3), std::string(6, '\0')}) {
    const std::string path = directory.write("boot", text);
    EXPECT_THAT(message_of<std::runtime_error>([&] { (void)boot_of(path); }),
                testing::AllOf(HasSubstr("CycleIdGenerator: boot file '" + path + "' holds '"),
                               HasSubstr("instead of a number from 0 to 65535 and a newline")))
        << text;
    EXPECT_EQ(content_of(path), text);
  }
  const std::string path = directory.write("boot", "7\n\x1B[2J");
  EXPECT_THAT(message_of<std::runtime_error>([&] { (void)boot_of(path); }),
              HasSubstr("holds '7\\x0a\\x1b[2J' instead"));
}

TEST(BootFile, IsQuotedInPartIfItIsLong) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("boot", std::string(1 << 20, '1'));
  EXPECT_THAT(message_of<std::runtime_error>([&] { (void)boot_of(path); }),
              HasSubstr("holds '" + std::string(32, '1') + "'… instead"));
}

TEST(BootFile, NeedsThePathOfAFile) {
  const TemporaryDirectory directory;
  const std::string inside = directory / "";
  for (const std::string& path :
       {inside, inside + ".", inside + "..", inside + std::string("a\0b", 3)}) {
    EXPECT_THAT(message_of<std::invalid_argument>([&] { (void)boot_of(path); }),
                HasSubstr("is not the path of a file"))
        << path;
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  const std::string nowhere = directory / "missing/boot";
  try {
    (void)boot_of(nowhere);
    FAIL() << "it must not make directories";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_THAT(error.what(), HasSubstr("the directory of boot file '" + nowhere + "'"));
  }
}

// A link would let who may write into the directory choose the file that is replaced or read; a
// FIFO would block for ever.
TEST(BootFile, IsARegularFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "boot";
  const std::string target = directory.write("target", "7\n");
  // The lock first: it is there as soon as it can be.
  for (const std::string& name : {path + ".lock", path}) {
    std::filesystem::create_symlink(target, name);
    try {
      (void)boot_of(path);
      ADD_FAILURE() << name << " was followed";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), std::errc::too_many_symbolic_link_levels);
      EXPECT_THAT(error.what(), HasSubstr("boot file '" + path + "'"));
    }
    std::filesystem::remove(name);

    ASSERT_EQ(::mkfifo(name.c_str(), 0600), 0);
    EXPECT_THAT(message_of<std::runtime_error>([&] { (void)boot_of(path); }),
                HasSubstr("boot file '" + path + "' is no regular file"));
    std::filesystem::remove(name);

    std::filesystem::create_directory(name);
    EXPECT_THROW((void)boot_of(path), std::runtime_error);
    std::filesystem::remove(name);
  }
  EXPECT_EQ(content_of(target), "7\n");
  EXPECT_EQ(boot_of(path), 1);
}

TEST(BootFile, IsNotWrittenThroughWhatLiesBesideIt) {
  const TemporaryDirectory directory;
  const std::string path = directory / "boot";
  const std::string target = directory.write("target", "precious");
  std::filesystem::create_symlink(target, path + ".new");
  EXPECT_EQ(boot_of(path), 1);
  EXPECT_EQ(content_of(target), "precious");
  directory.write("boot.new", "12");  // of a process that was killed
  EXPECT_EQ(boot_of(path), 2);
  EXPECT_EQ(content_of(path), "2\n");
}

TEST(BootFile, GivesProcessesThatComeTogetherDifferentNumbers) {
  constexpr int processes = 6;
  constexpr int each = 5;
  struct Numbers {
    std::array<std::uint16_t, processes * each> taken;
  };
  const TemporaryDirectory directory;
  const std::string path = directory / "boot";
  const SharedMemory<Numbers> numbers;
  in_children(processes, [&](int process) {
    for (int i = 0; i < each; ++i) {
      numbers->taken[static_cast<std::size_t>(process * each + i)] = boot_of(path);
    }
    return 0;
  });
  EachOnce seen(processes * each);
  for (const std::uint16_t number : numbers->taken) EXPECT_TRUE(seen.add(number - 1U));
  EXPECT_TRUE(seen.has_all());
  EXPECT_EQ(content_of(path), std::to_string(processes * each) + "\n");
}

// Holds the lock as another process does that has been suspended.
class HeldLock {
 public:
  explicit HeldLock(const std::string& boot_file)
      : fd_(::open((boot_file + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0) rouse::test::fail("the lock of the test");
  }
  ~HeldLock() { ::close(fd_); }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  const int fd_;
};

TEST(BootFile, IsWaitedForWhileAnotherProcessHasItsLock) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("boot", "7\n");
  std::uint16_t boot = 0;
  {
    std::optional<HeldLock> lock(std::in_place, path);
    rouse::test::ObservedThread waiter([&] { boot = boot_of(path); });
    waiter.await_blocked();
    directory.write("boot", "8\n");
    lock.reset();
  }
  EXPECT_EQ(boot, 9);
}

TEST(BootFile, IsWaitedForNoLongerThanAStop) {
  const TemporaryDirectory directory;
  const std::string path = directory / "boot";
  const HeldLock lock(path);
  std::stop_source stop;
  {
    rouse::test::ObservedThread waiter([&] {
      const rouse::this_thread::Bind bind(stop.get_token());
      EXPECT_THAT(message_of<rouse::Stopped>([&] { (void)boot_of(path); }), HasSubstr(path));
    });
    waiter.await_blocked();
    stop.request_stop();
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(BootFile, IsWaitedForTenSeconds) {
  const TemporaryDirectory directory;
  const std::string path = directory / "boot";
  const HeldLock lock(path);
  {
    rouse::test::ObservedThread waiter([&] {
      try {
        (void)boot_of(path);
        ADD_FAILURE() << "it has ignored the lock";
      } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::timed_out);
        EXPECT_THAT(error.what(), HasSubstr("another process has locked boot file '" + path));
      }
    });
    waiter.await_blocked();
    rouse::test::advance_clock(11s);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

// --- calls that fail -----------------------------------------------------------------------------

TEST(BootFile, NamesItselfWhenTheSystemRefusesAndGivesNoNumberTwice) {
  struct Refusal {
    Call call;
    int error;
    long calls;  // that it takes to take a number
  };
  for (const Refusal& refusal : {Refusal{Call::openat, EACCES, 3},
                                 {Call::flock, ENOLCK, 1},
                                 {Call::read, EIO, 2},
                                 {Call::unlinkat, EPERM, 1},
                                 {Call::write, ENOSPC, 1},
                                 {Call::fsync, EIO, 2},
                                 {Call::renameat, EXDEV, 1}}) {
    SCOPED_TRACE(static_cast<int>(refusal.call));
    const TemporaryDirectory directory;
    const std::string path = directory.write("boot", "100\n");
    std::uint16_t last = 100;
    const long calls = fail_each(refusal.call, refusal.error, [&](const Fault& fault) {
      try {
        last = boot_of(path);
        EXPECT_FALSE(fault.reached());
      } catch (const std::system_error& error) {
        EXPECT_TRUE(fault.reached());
        EXPECT_EQ(error.code().value(), refusal.error);
        EXPECT_THAT(error.what(), HasSubstr("boot file '" + path + "'"));
      }
      EXPECT_FALSE(std::filesystem::exists(path + ".new"));
    });
    EXPECT_EQ(calls, refusal.calls);
    EXPECT_GT(last, 100);
    EXPECT_EQ(content_of(path), std::to_string(last) + "\n");
    const std::uint16_t next = boot_of(path);
    EXPECT_EQ(next, last + 1);
  }
}

TEST(BootFile, DoesNotMindSignals) {
  const TemporaryDirectory directory;
  const std::string path = directory / "boot";
  std::uint16_t last = 0;
  for (const Call call : {Call::flock, Call::read, Call::write}) {
    const long calls = fail_each(call, EINTR, [&](const Fault&) {
      const std::uint16_t next = boot_of(path);
      EXPECT_EQ(next, last + 1);
      last = next;
    });
    EXPECT_GT(calls, 0);
  }
}

TEST(CycleIdGenerator, SaysThatThereIsNoMemoryToShare) {
  const Fault fault(Call::mmap, ENOMEM);
  try {
    const CycleIdGenerator ids("127.0.0.1", 1);
    FAIL() << "where is its counter?";
  } catch (const std::system_error& error) {
    EXPECT_TRUE(fault.reached());
    EXPECT_EQ(error.code().value(), ENOMEM);
    EXPECT_THAT(error.what(), HasSubstr("CycleIdGenerator: mmap"));
  }
}

}  // namespace
