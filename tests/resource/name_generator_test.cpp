// NameGenerator: what stands in a name, which prefixes are taken, and that no name comes twice,
// whatever becomes of threads and processes.

#include "rouse/resource/name_generator.hpp"

#include "support/clock/clock.hpp"
#include "support/faults/faults.hpp"
#include "support/in_child.hpp"
#include "support/scale.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::NameGenerator;
using rouse::test::Call;
using rouse::test::Fault;
using rouse::test::in_child;
using rouse::test::rounds;
using rouse::test::StandingCalendar;

// A name, taken apart from its end, where there are only digits between the hyphens.
struct NameParts {
  std::string prefix;
  std::int64_t process = -1;
  std::int64_t thread = -1;
  std::uint64_t number = 0;

  explicit NameParts(std::string_view name) {
    number = take<std::uint64_t>(name);
    thread = take<std::int64_t>(name);
    process = take<std::int64_t>(name);
    prefix = name;
  }

 private:
  template <class Number>
  static Number take(std::string_view& name) {
    const std::size_t hyphen = name.rfind('-');
    const std::string_view digits = name.substr(hyphen + 1);
    Number value{};
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value);
    EXPECT_TRUE(hyphen != std::string_view::npos && error == std::errc{} && end == digits.end())
        << name;
    name = name.substr(0, hyphen);
    return value;
  }
};

std::string prefix_refusal(std::string_view prefix) {
  try {
    const NameGenerator names(prefix);
    return "taken as " + names.prefix();
  } catch (const std::logic_error& error) {
    return error.what();
  }
}

TEST(NameGenerator, GivesPrefixProcessThreadAndNumber) {
  const NameGenerator names("web");
  const std::string text = names.next();
  const NameParts name(text);
  EXPECT_EQ(name.prefix, "web");
  EXPECT_EQ(name.process, ::getpid());
  EXPECT_EQ(name.thread, ::gettid());
  EXPECT_EQ(text, "web-" + std::to_string(::getpid()) + "-" + std::to_string(::gettid()) + "-" +
                      std::to_string(name.number));
  EXPECT_EQ(NameParts(names.next()).number, name.number + 1);
}

TEST(NameGenerator, CountsOnOverEveryCarry) {
  const NameGenerator names("n");
  std::string name = names.next();
  const std::uint64_t first = NameParts(name).number;
  const std::string start = name.substr(0, name.rfind('-') + 1);
  for (std::uint64_t n = first; n < first + 25'000; ++n) {
    ASSERT_EQ(name, start + std::to_string(n));
    name = names.next();
  }
}

TEST(NameGenerator, WritesTheSameIntoABuffer) {
  const NameGenerator names("web");
  NameGenerator::Buffer buffer;
  const std::string before = names.next();
  const std::string_view name = names.next(buffer);
  EXPECT_EQ(name.data(), buffer.data());
  EXPECT_EQ(name,
            before.substr(0, before.rfind('-') + 1) + std::to_string(NameParts(before).number + 1));
}

TEST(NameGenerator, HasOneNumberForAllGeneratorsOfTheProcess) {
  const NameGenerator web("web");
  const NameGenerator mail("mail");
  const NameGenerator copy(web);
  std::uint64_t number = NameParts(web.next()).number;
  for (int i = 0; i < 100; ++i) {
    for (const auto* names : {&mail, &web, &copy, &rouse::process_names()}) {
      const NameParts name(names->next());
      EXPECT_EQ(name.prefix, names->prefix());
      EXPECT_EQ(name.number, ++number);
    }
  }
}

TEST(NameGenerator, EscapesWhatIsNotSafeInAFileName) {
  const auto prefix_of = [](std::string_view prefix) { return NameGenerator(prefix).prefix(); };
  EXPECT_EQ(prefix_of("Az09._-"), "Az09._-");
  EXPECT_EQ(prefix_of("host.example.org-1"), "host.example.org-1");
  EXPECT_EQ(prefix_of("/etc/passwd"), "%2Fetc%2Fpasswd");
  EXPECT_EQ(prefix_of("../x"), "%2E.%2Fx");
  EXPECT_EQ(prefix_of(".hidden"), "%2Ehidden");
  EXPECT_EQ(prefix_of("-rf"), "%2Drf");
  EXPECT_EQ(prefix_of("a b$c%d"), "a%20b%24c%25d");
  EXPECT_EQ(prefix_of("\xC3\xA9\xFF"), "%C3%A9%FF");
  const std::string name = NameGenerator("a/b").next();
  EXPECT_TRUE(name.starts_with("a%2Fb-")) << name;
}

TEST(NameGenerator, KeepsDifferentPrefixesDifferent) {
  std::vector<std::string> prefixes;
  for (int c = 0x20; c < 0x100; ++c) {
    if (c == 0x7F) continue;
    const std::string byte(1, static_cast<char>(c));
    for (const std::string& prefix : {byte, "a" + byte, byte + "2F", "%" + byte}) {
      prefixes.push_back(prefix);
    }
  }
  std::ranges::sort(prefixes);
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  std::vector<std::string> escaped;
  for (const std::string& prefix : prefixes) escaped.push_back(NameGenerator(prefix).prefix());
  std::ranges::sort(escaped);
  EXPECT_EQ(std::ranges::adjacent_find(escaped), escaped.end());
  EXPECT_EQ(escaped.size(), prefixes.size());
}

TEST(NameGenerator, RefusesPrefixesAndSaysWhy) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(prefix_refusal(""), "NameGenerator: the prefix is empty");
  EXPECT_EQ(prefix_refusal("ab\nc"),
            "NameGenerator: control byte 0x0A at position 3 of the prefix");
  EXPECT_EQ(prefix_refusal("\0"sv), "NameGenerator: control byte 0x00 at position 1 of the prefix");
  EXPECT_EQ(prefix_refusal("\x7F"), "NameGenerator: control byte 0x7F at position 1 of the prefix");
  EXPECT_THROW(NameGenerator("\x1B[31m"), std::invalid_argument);
  EXPECT_EQ(prefix_refusal(std::string(201, 'a')),
            "NameGenerator: the prefix has 201 bytes, more than 200");
  EXPECT_EQ(prefix_refusal(std::string(67, '/')),
            "NameGenerator: the prefix has 201 bytes when escaped, more than 200");
  EXPECT_THROW(NameGenerator(std::string(1'000'000, 'a')), std::length_error);
}

TEST(NameGenerator, TakesPrefixesUpToTheLimit) {
  const std::string longest(NameGenerator::max_prefix, 'a');
  const NameGenerator names(longest);
  NameGenerator::Buffer buffer;
  const NameParts name(names.next(buffer));
  EXPECT_EQ(name.prefix, longest);
  EXPECT_EQ(name.process, ::getpid());
  EXPECT_EQ(NameGenerator(std::string(66, '/')).prefix().size(), 198U);
}

TEST(NameGenerator, IsTheHostsWithoutAPrefix) {
  std::array<char, HOST_NAME_MAX + 1> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size()), 0);
  EXPECT_EQ(NameGenerator().prefix(), NameGenerator(host.data()).prefix());
  EXPECT_EQ(rouse::process_names().prefix(), NameGenerator().prefix());
  EXPECT_EQ(&rouse::process_names(), &rouse::process_names());
}

TEST(NameGenerator, GivesNoNumberTwiceToThreads) {
  constexpr int threads = 8;
  const auto count = static_cast<std::size_t>(rounds(50'000));
  const NameGenerator names("web");
  std::vector<std::vector<std::uint64_t>> numbers(threads);
  {
    std::vector<std::jthread> running;
    for (auto& mine : numbers) {
      running.emplace_back([&names, &mine, count] {
        const auto thread = static_cast<std::int64_t>(::gettid());
        NameGenerator::Buffer buffer;
        for (std::size_t i = 0; i < count; ++i) {
          const NameParts name(names.next(buffer));
          EXPECT_EQ(name.thread, thread);
          mine.push_back(name.number);
        }
      });
    }
  }
  std::vector<std::uint64_t> all;
  for (const auto& mine : numbers) {
    EXPECT_TRUE(std::ranges::is_sorted(mine));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::ranges::sort(all);
  ASSERT_EQ(all.size(), threads * count);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

// Whatever ids the kernel gives to them.
TEST(NameGenerator, GoesOnInThreadsThatComeAfterOthers) {
  const NameGenerator names("web");
  std::uint64_t number = NameParts(names.next()).number;
  for (int i = 0; i < 50; ++i) {
    std::thread([&] {
      const NameParts name(names.next());
      EXPECT_EQ(name.thread, ::gettid());
      EXPECT_EQ(name.number, ++number);
    }).join();
  }
}

struct NamesAtThreadExit {
  std::vector<std::string>* names = nullptr;

  ~NamesAtThreadExit() {
    if (names == nullptr) return;
    for (int i = 0; i < 3; ++i) names->push_back(NameGenerator("end").next());
  }
};
thread_local NamesAtThreadExit names_at_thread_exit;

TEST(NameGenerator, WorksWhileAThreadEnds) {
  std::vector<std::string> names;
  pid_t thread = 0;
  std::thread([&] {
    names_at_thread_exit.names = &names;  // made first, so destroyed last
    names.push_back(NameGenerator("end").next());
    thread = ::gettid();
  }).join();
  ASSERT_EQ(names.size(), 4U);
  const NameParts first(names[0]);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const NameParts name(names[i]);
    EXPECT_EQ(name.process, ::getpid());
    EXPECT_EQ(name.thread, thread);
    EXPECT_EQ(name.number, first.number + i);
  }
}

// 0 if the first name and the next are those of this process, with numbers from `number` on.
int misnamed(const NameGenerator& names, std::uint64_t number) {
  NameGenerator::Buffer buffer;
  for (std::uint64_t i = 0; i < 3; ++i) {
    const NameParts name(names.next(buffer));
    if (name.process != ::getpid() || name.thread != ::gettid()) return 1;
    if (name.number != number + i) return 2;
  }
  return 0;
}

// The numbers of a child begin at its own time, not at its parent's number: otherwise children of
// one parent that get the same pid, one after the other, would make the same names.
TEST(NameGenerator, BeginsAnewInAChildAndInItsChild) {
  const NameGenerator names("web");
  const std::uint64_t before = NameParts(names.next()).number;
  const std::chrono::nanoseconds later(before + 1'000'000'000);
  StandingCalendar calendar(later);
  EXPECT_EQ(in_child([&] {
              if (const int error = misnamed(names, before + 1'000'000'000)) return error;
              calendar.set(later + 5s);
              const int error = in_child([&] { return misnamed(names, before + 6'000'000'000); });
              return error != 0 ? 10 + error : 0;
            }),
            0);
  EXPECT_EQ(in_child([&] { return misnamed(names, before + 1'000'000'000); }), 0);
  EXPECT_EQ(NameParts(names.next()).number, before + 1);
}

TEST(NameGenerator, BeginsAnewInAChildWhereTheKernelDoesNotEmptyPages) {
  std::thread([] {
    const NameGenerator names("web");
    const Fault fault(Call::madvise, EINVAL, 0, LONG_MAX);
    (void)names.next();
    EXPECT_TRUE(fault.reached());
    const StandingCalendar calendar(4'000'000'000s);
    EXPECT_EQ(in_child([&] { return misnamed(names, 4'000'000'000'000'000'000); }), 0);
  }).join();
}

// Without the handlers of fork().
TEST(NameGenerator, HasThePidOfAChildThatTheKernelMade) {
  const NameGenerator names("web");
  const std::uint64_t number = NameParts(names.next()).number;
  const long child = ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    NameGenerator::Buffer buffer;
    const std::string_view name = names.next(buffer);
    const std::string_view rest = name.substr(name.find('-') + 1);
    long process = 0;
    std::from_chars(rest.begin(), rest.end(), process);
    std::_Exit(process == ::syscall(SYS_getpid) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(static_cast<pid_t>(child), &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(NameParts(names.next()).number, number + 1);
}

// All numbers have the digits of their group in front of four more.
TEST(NameGenerator, BeginsAtTenThousandWhereTheClockShowsLess) {
  const NameGenerator names("web");
  for (const std::chrono::nanoseconds time : {-1ns, 0ns, 9'999ns, 10'000ns}) {
    const StandingCalendar calendar(time);
    EXPECT_EQ(in_child([&] { return misnamed(names, 10'000); }), 0);
  }
  const StandingCalendar calendar(10'001ns);
  EXPECT_EQ(in_child([&] { return misnamed(names, 10'001); }), 0);
}

TEST(NameGenerator, WorksWithoutAPageForTheThread) {
  std::thread([] {
    const NameGenerator names("web");
    const Fault fault(Call::mmap, ENOMEM, 0, LONG_MAX);
    NameGenerator::Buffer buffer;
    const NameParts first(names.next(buffer));
    EXPECT_TRUE(fault.reached());
    EXPECT_EQ(first.thread, ::gettid());
    EXPECT_EQ(NameParts(names.next(buffer)).number, first.number + 1);
  }).join();
}

}  // namespace
