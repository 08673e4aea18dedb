// Random ids: the layout of RFC 9562, the order of uuid7, bytes that are used once, in children as
// well, and characters that are all alike.

#include "rouse/resource/random_id.hpp"

#include "rouse/resource/id128.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/wait_status.hpp"

#include "resource/chacha20.hpp"
#include "resource/thread_page.hpp"
#include "resource/uuid_layout.hpp"
#include "support/clock/clock.hpp"
#include "support/faults/faults.hpp"
#include "support/scale.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Id128;
using rouse::detail::ThreadPage;
using rouse::test::Call;
using rouse::test::Fault;
using rouse::test::rounds;
using rouse::test::StandingCalendar;

int version_of(const Id128& id) { return static_cast<int>(id.high >> 12 & 0xF); }
int variant_of(const Id128& id) { return static_cast<int>(id.low >> 62); }
std::uint64_t unix_ms_of(const Id128& id) { return id.high >> 16; }

// What is ordered in a uuid7: milliseconds, rand_a, and the bits of rand_b that count.
std::uint64_t time_of(const Id128& id) {
  return id.high >> 16 << 20 | (id.high & 0xFFF) << 8 | (id.low >> 54 & 0xFF);
}

// RFC 9562, appendix A.3 and A.6.
const Id128 rfc_uuid4 = Id128::from_uuid("919108f7-52d1-4320-9bac-f847db4148a8");
const Id128 rfc_uuid7 = Id128::from_uuid("017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
constexpr std::int64_t rfc_uuid7_ms = 0x017F22E279B0;  // 2022-02-22 14:22:22 -05:00

TEST(Uuid4, HasTheLayoutOfTheStandard) {
  const std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(rouse::detail::uuid4_of(rfc_uuid4), rfc_uuid4);
  // Version and variant are not those of what was random.
  EXPECT_EQ(rouse::detail::uuid4_of({rfc_uuid4.high ^ 0xF000, rfc_uuid4.low ^ 3ULL << 62}),
            rfc_uuid4);
  EXPECT_EQ(rouse::detail::uuid4_of({0, 0}).to_uuid(), "00000000-0000-4000-8000-000000000000");
  EXPECT_EQ(rouse::detail::uuid4_of({ones, ones}).to_uuid(),
            "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

TEST(Uuid7, HasTheLayoutOfTheStandard) {
  // rand_a is 0xCC3, rand_b 0x18C4DC0C0C07398F in 62 bits, of which the first 8 are ours to count.
  constexpr std::uint64_t rand_b = 0x18C4DC0C0C07398F;
  const std::uint64_t time =
      static_cast<std::uint64_t>(rfc_uuid7_ms) << 20 | 0xCC3 << 8 | rand_b >> 54;
  EXPECT_EQ(rouse::detail::uuid7_of(time, rand_b), rfc_uuid7);
  EXPECT_EQ(time_of(rfc_uuid7), time);
  EXPECT_EQ(unix_ms_of(rfc_uuid7), static_cast<std::uint64_t>(rfc_uuid7_ms));
  EXPECT_EQ(rouse::detail::uuid7_of(0, ~std::uint64_t{0}).to_uuid(),
            "00000000-0000-7000-803f-ffffffffffff");
}

TEST(Uuid7, CountsTimeInPartsOfAMillisecond) {
  using rouse::detail::uuid7_time;
  constexpr std::int64_t ms = 1'000'000;
  EXPECT_EQ(uuid7_time(INT64_MIN), 0U);
  EXPECT_EQ(uuid7_time(-1), 0U);
  EXPECT_EQ(uuid7_time(0), 0U);
  EXPECT_EQ(uuid7_time(ms / 2), 1U << 19);
  EXPECT_EQ(uuid7_time(rfc_uuid7_ms * ms), static_cast<std::uint64_t>(rfc_uuid7_ms) << 20);
  // Each nanosecond has a time of its own.
  for (std::int64_t ns = ms - 10'000; ns < ms + 10'000; ++ns) {
    ASSERT_LT(uuid7_time(rfc_uuid7_ms * ms + ns), uuid7_time(rfc_uuid7_ms * ms + ns + 1));
  }
  EXPECT_LT(uuid7_time(INT64_MAX - 1), uuid7_time(INT64_MAX));
}

// RFC 8439, appendix A.1, test vectors 1 to 4: words of the blocks in little-endian order.
TEST(ChaCha20, MakesTheBlocksOfTheStandard) {
  using rouse::detail::chacha20_step;
  const auto blocks = [](const rouse::detail::ChaCha20Key& key) {
    std::array<std::byte, 2 * chacha20_step> bytes;
    rouse::detail::chacha20_stream(key, bytes);
    std::vector<std::array<std::uint32_t, 16>> result(8);
    for (std::size_t block = 0; block < 8; ++block) {
      for (std::size_t word = 0; word < 16; ++word) {
        const std::size_t at = block / 4 * chacha20_step + word * 16 + block % 4 * 4;
        std::memcpy(&result[block][word], bytes.data() + at, 4);
      }
    }
    return result;
  };
  const auto of_zeros = blocks({});
  EXPECT_EQ(of_zeros[0],
            (std::array<std::uint32_t, 16>{0xade0b876, 0x903df1a0, 0xe56a5d40, 0x28bd8653,  //
                                           0xb819d2bd, 0x1aed8da0, 0xccef36a8, 0xc70d778b,  //
                                           0x7c5941da, 0x8d485751, 0x3fe02477, 0x374ad8b8,  //
                                           0xf4b8436a, 0x1ca11815, 0x69b687c3, 0x8665eeb2}));
  EXPECT_EQ(of_zeros[1],
            (std::array<std::uint32_t, 16>{0xbee7079f, 0x7a385155, 0x7c97ba98, 0x0d082d73,  //
                                           0xa0290fcb, 0x6965e348, 0x3e53c612, 0xed7aee32,  //
                                           0x7621b729, 0x434ee69c, 0xb03371d5, 0xd539d874,  //
                                           0x281fed31, 0x45fb0a51, 0x1f0ae1ac, 0x6f4d794b}));
  EXPECT_EQ(blocks({0, 0, 0, 0, 0, 0, 0, 0x01000000})[1],
            (std::array<std::uint32_t, 16>{0x2452eb3a, 0x9249f8ec, 0x8d829d9b, 0xddd4ceb1,  //
                                           0xe8252083, 0x60818b01, 0xf38422b8, 0x5aaa49c9,  //
                                           0xbb00ca8e, 0xda3ba7b4, 0xc4b592d1, 0xfdf2732f,  //
                                           0x4436274e, 0x2561b3c8, 0xebdd4aa6, 0xa0136c00}));
  EXPECT_EQ(blocks({0x0000ff00})[2],
            (std::array<std::uint32_t, 16>{0xfb4dd572, 0x4bc42ef1, 0xdf922636, 0x327f1394,  //
                                           0xa78dea8f, 0x5e269039, 0xa1bebbc1, 0xcaf09aae,  //
                                           0xa25ab213, 0x48a6b46c, 0x1b9d9bcb, 0x092c5be6,  //
                                           0x546ca624, 0x1bec45d5, 0x87f47473, 0x96f0992e}));
  // The second step goes on where the first has ended.
  EXPECT_NE(of_zeros[4], of_zeros[0]);
}

TEST(Uuid4, HasVersionAndVariant) {
  for (int i = 0; i < 10'000; ++i) {
    const Id128 id = rouse::uuid4();
    ASSERT_EQ(version_of(id), 4) << id;
    ASSERT_EQ(variant_of(id), 2) << id;
  }
}

TEST(Uuid7, HasVersionAndVariant) {
  for (int i = 0; i < 10'000; ++i) {
    const Id128 id = rouse::uuid7();
    ASSERT_EQ(version_of(id), 7) << id;
    ASSERT_EQ(variant_of(id), 2) << id;
  }
}

// A bit that is set with probability 1/2 is off by seven standard deviations once in 4 * 10^11: for
// 128 bits that is a false alarm in 3 * 10^9 runs.
template <class Make>
void expect_random_bits(const Id128& random, Make make) {
  constexpr int ids = 100'000;
  std::array<int, 128> set{};
  for (int i = 0; i < ids; ++i) {
    const Id128 id = make();
    for (std::size_t bit = 0; bit < 64; ++bit) {
      set[bit] += static_cast<int>(id.low >> bit & 1);
      set[64 + bit] += static_cast<int>(id.high >> bit & 1);
    }
  }
  const double allowed = 7 * std::sqrt(ids) / 2;
  for (std::size_t bit = 0; bit < 128; ++bit) {
    const std::uint64_t half = bit < 64 ? random.low : random.high;
    if ((half >> bit % 64 & 1) == 0) continue;
    EXPECT_NEAR(set[bit], ids / 2, allowed) << "bit " << bit;
  }
}

TEST(Uuid4, HasEachRandomBitSetAsOftenAsNot) {
  expect_random_bits(Id128::from_hex("ffffffffffff0fff3fffffffffffffff"), rouse::uuid4);
}

TEST(Uuid7, HasEachRandomBitSetAsOftenAsNot) {
  expect_random_bits(Id128::from_hex("0000000000000000003fffffffffffff"), rouse::uuid7);
}

// Ids of several threads, 10^8 of them with ROUSE_TEST_SCALE=100.
std::vector<Id128> ids_of_threads(Id128 (*make)()) {
  constexpr std::size_t threads = 8;
  const auto each = static_cast<std::size_t>(rounds(125'000));
  std::vector<Id128> ids(threads * each);
  std::vector<std::jthread> running;
  for (std::size_t t = 0; t < threads; ++t) {
    running.emplace_back([mine = std::span(ids).subspan(t * each, each), make] {
      for (Id128& id : mine) id = make();
      if (make == &rouse::uuid7) {
        EXPECT_EQ(std::ranges::adjacent_find(mine, std::ranges::greater_equal{}), mine.end());
      }
    });
  }
  return running.clear(), ids;
}

TEST(Uuid4, IsUniqueAmongThreads) {
  std::vector<Id128> ids = ids_of_threads(&rouse::uuid4);
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

// By its time alone, and in the order of each thread.
TEST(Uuid7, IsUniqueAmongThreads) {
  std::vector<Id128> ids = ids_of_threads(&rouse::uuid7);
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids, {}, time_of), ids.end());
}

TEST(Uuid7, IncreasesFromThreadToThread) {
  constexpr int turns = 1'000;
  std::array<rouse::Event, 2> turn;
  std::vector<Id128> ids;
  const auto play = [&](std::size_t me) {
    for (int i = 0; i < turns; ++i) {
      ASSERT_EQ(turn[me].wait(), rouse::WaitStatus::ready);
      turn[me].clear();
      ids.push_back(rouse::uuid7());
      turn[1 - me].set();
    }
  };
  {
    const std::jthread first(play, 0);
    const std::jthread second(play, 1);
    turn[0].set();
  }
  ASSERT_EQ(ids.size(), 2U * turns);
  EXPECT_EQ(std::ranges::adjacent_find(ids, std::ranges::greater_equal{}), ids.end());
}

// Later than what other tests of this program have left behind.
std::chrono::nanoseconds later_than_any_uuid7() {
  return std::chrono::milliseconds(unix_ms_of(rouse::uuid7())) + 1h;
}

TEST(Uuid7, HasTheTimeOfTheCalendar) {
  const std::chrono::nanoseconds time = later_than_any_uuid7();
  StandingCalendar calendar(time);
  EXPECT_EQ(time_of(rouse::uuid7()), rouse::detail::uuid7_time(time.count()));
  calendar.set(time + 1'234'567ns);
  EXPECT_EQ(time_of(rouse::uuid7()), rouse::detail::uuid7_time(time.count() + 1'234'567));
  calendar.set(time + 1h);
  EXPECT_EQ(
      unix_ms_of(rouse::uuid7()),
      static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(time + 1h).count()));
}

TEST(Uuid7, CountsOnWhileTheClockStands) {
  const std::chrono::nanoseconds time = later_than_any_uuid7();
  const StandingCalendar calendar(time);
  Id128 last = rouse::uuid7();
  // Further than the bits of the fraction that stand in rand_b.
  for (int i = 0; i < 5'000; ++i) {
    const Id128 next = rouse::uuid7();
    ASSERT_LT(last, next);
    ASSERT_EQ(time_of(next), time_of(last) + 1);
    last = next;
  }
  EXPECT_EQ(version_of(last), 7);
  EXPECT_EQ(variant_of(last), 2);
}

// The count carries into the milliseconds: no part of it can overflow.
TEST(Uuid7, CountsOnIntoTheNextMillisecond) {
  const auto time = std::chrono::ceil<std::chrono::milliseconds>(later_than_any_uuid7());
  const StandingCalendar calendar(time + 999'999ns);
  const Id128 first = rouse::uuid7();
  Id128 last = first;
  for (int i = 0; i < 10; ++i) {
    const Id128 next = rouse::uuid7();
    ASSERT_LT(last, next);
    last = next;
  }
  EXPECT_EQ(unix_ms_of(last), unix_ms_of(first) + 1);
}

TEST(Uuid7, CountsOnWhenTheClockGoesBack) {
  const std::chrono::nanoseconds time = later_than_any_uuid7();
  StandingCalendar calendar(time);
  const Id128 latest = rouse::uuid7();
  for (const std::chrono::nanoseconds back : {time - 1ns, time - 30min, 0ns, -1ns}) {
    calendar.set(back);
    EXPECT_GT(rouse::uuid7(), latest);
  }
  EXPECT_EQ(time_of(rouse::uuid7()), time_of(latest) + 5);
  calendar.set(time + 1ms);
  EXPECT_EQ(time_of(rouse::uuid7()), rouse::detail::uuid7_time((time + 1ms).count()));
}

// What processes that descend from this one have taken, in memory that they share.
class SharedIds {
 public:
  static constexpr std::size_t each = 600;  // more than two pages of a thread have
  static constexpr std::size_t processes = 4;

  SharedIds()
      : ids_(static_cast<Id128*>(
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~SharedIds() { ::munmap(ids_, bytes); }
  SharedIds(const SharedIds&) = delete;
  SharedIds& operator=(const SharedIds&) = delete;

  void take(std::size_t process) noexcept {
    for (Id128& id : std::span(ids_ + process * each, each)) id = rouse::uuid4();
  }

  /// Each half of each id, which are the same bytes wherever they are in a page.
  void expect_unique() const {
    std::vector<std::uint64_t> halves;
    for (const Id128& id : std::span(ids_, each * processes)) {
      halves.push_back(id.high | 0xF000);
      halves.push_back(id.low | 3ULL << 62);
    }
    std::ranges::sort(halves);
    EXPECT_EQ(std::ranges::adjacent_find(halves), halves.end());
  }

 private:
  static constexpr std::size_t bytes = each * processes * sizeof(Id128);
  Id128* const ids_;
};

void wait_for(pid_t child) {
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// Parent, two children, and a child of a child; the parent's page is full but for an id when it
// forks.
template <class Fork>
void expect_unique_in_children(Fork fork_now) {
  SharedIds ids;
  std::array<std::byte, ThreadPage::Random::capacity> rest;
  while (ThreadPage::current() != nullptr && ThreadPage::current()->random.left != 0) {
    rouse::random_bytes(std::span(rest).first(8));
  }
  (void)rouse::uuid4();
  const pid_t first = fork_now();
  if (first == 0) {
    const pid_t grandchild = fork_now();
    ids.take(grandchild == 0 ? 3 : 1);
    int status = 0;
    if (grandchild != 0) ::waitpid(grandchild, &status, 0);
    std::_Exit(status);
  }
  const pid_t second = fork_now();
  if (second == 0) {
    ids.take(2);
    std::_Exit(0);
  }
  ids.take(0);
  wait_for(first);
  wait_for(second);
  ids.expect_unique();
}

TEST(RandomBytes, AreNotSharedWithForkedChildren) { expect_unique_in_children(::fork); }

// Without the handlers of fork().
TEST(RandomBytes, AreNotSharedWithChildrenThatTheKernelMade) {
  expect_unique_in_children(
      [] { return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); });
}

TEST(RandomBytes, AreNotSharedWithForkedChildrenWhereTheKernelDoesNotEmptyPages) {
  std::thread([] {
    const Fault fault(Call::madvise, EINVAL, 0, LONG_MAX);
    (void)rouse::uuid4();
    EXPECT_TRUE(fault.reached());
    expect_unique_in_children(::fork);
  }).join();
}

TEST(RandomBytes, AreWipedOutOncePassedOn) {
  const auto in_page = [](const Id128& id) {
    const auto& bytes = ThreadPage::current()->random.bytes;
    const auto half = std::as_bytes(std::span(&id.low, 1)).first(7);  // without the variant
    return std::search(bytes.begin(), bytes.end(), half.begin(), half.end()) != bytes.end();
  };
  for (int i = 0; i < 300; ++i) {
    const Id128 id = rouse::uuid4();
    ASSERT_FALSE(in_page(id));
  }
  // The search would find it.
  Id128 next;
  const ThreadPage::Random& random = ThreadPage::current()->random;
  if (random.left < sizeof next) (void)rouse::uuid4();
  std::memcpy(&next, random.bytes.data() + random.left - sizeof next, sizeof next);
  ASSERT_TRUE(in_page(next));
  EXPECT_EQ(rouse::uuid4(), rouse::detail::uuid4_of(next));
  EXPECT_FALSE(in_page(next));
}

TEST(RandomBytes, FillAnySize) {
  for (const std::size_t size : {0U, 1U, 7U, 255U, 256U, 257U, 4'096U, 1'000'000U}) {
    std::vector<std::byte> bytes(size + 2, std::byte{0xA5});
    rouse::random_bytes(std::span(bytes).subspan(1, size));
    EXPECT_EQ(bytes.front(), std::byte{0xA5});
    EXPECT_EQ(bytes.back(), std::byte{0xA5});
    if (size < 255) continue;
    // A value that is missing among so many, or a run of 16 alike, has a chance of 10^-33 at most.
    std::vector<std::byte> again(size);
    rouse::random_bytes(again);
    EXPECT_FALSE(std::ranges::equal(again, std::span(bytes).subspan(1, size)));
    EXPECT_EQ(std::search_n(bytes.begin(), bytes.end(), 16, bytes[size / 2]), bytes.end());
  }
}

struct IdsAtThreadExit {
  std::vector<Id128>* ids = nullptr;

  ~IdsAtThreadExit() {
    if (ids == nullptr) return;
    for (int i = 0; i < 3; ++i) {
      ids->push_back(rouse::uuid4());
      ids->push_back(rouse::uuid7());
    }
    EXPECT_EQ(ThreadPage::current(), nullptr);
  }
};
thread_local IdsAtThreadExit ids_at_thread_exit;

TEST(RandomBytes, AreThereWhileAThreadEnds) {
  std::vector<Id128> ids;
  std::thread([&] {
    ids_at_thread_exit.ids = &ids;  // made first, so destroyed last
    ids.push_back(rouse::uuid4());
    EXPECT_NE(ThreadPage::current(), nullptr);
  }).join();
  std::ranges::sort(ids);
  EXPECT_EQ(ids.size(), 7U);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

TEST(RandomBytes, AreThereWithoutAPageForTheThread) {
  std::thread([] {
    const Fault fault(Call::mmap, ENOMEM, 0, LONG_MAX);
    const Id128 id = rouse::uuid4();
    EXPECT_TRUE(fault.reached());
    EXPECT_EQ(version_of(id), 4);
    EXPECT_NE(id, rouse::uuid4());
    EXPECT_EQ(rouse::random_string(100).size(), 100U);
  }).join();
}

// On a new thread, whose page is empty.
TEST(RandomBytes, AreRefusedByNameWhereTheKernelRefusesThem) {
  std::thread([] {
    for (const int error : {ENOSYS, EPERM, EFAULT}) {
      const Fault fault(Call::getrandom, error, 0, LONG_MAX);
      std::array<std::byte, 1'000> bytes;
      long refused = 0;
      for (const auto& call : std::vector<std::function<void()>>{
               [] { (void)rouse::uuid4(); }, [] { (void)rouse::uuid7(); },
               [] { (void)rouse::random_string(10); }, [&] { rouse::random_bytes(bytes); }}) {
        try {
          call();
          ADD_FAILURE() << "nothing was thrown";
        } catch (const std::system_error& e) {
          EXPECT_EQ(e.code().value(), error);
          EXPECT_NE(std::string(e.what()).find("getrandom"), std::string::npos) << e.what();
        }
        EXPECT_EQ(fault.failed(), ++refused);
      }
    }
    // A refusal leaves nothing behind: neither bytes that were not filled, nor a thread that keeps
    // away from its page.
    EXPECT_EQ(ThreadPage::current()->random.left, 0U);
    EXPECT_NE(rouse::uuid4(), rouse::uuid4());
    EXPECT_EQ(ThreadPage::current()->random.left, ThreadPage::Random::capacity - 2 * sizeof(Id128));
  }).join();
}

TEST(RandomBytes, AreAskedForAgainAfterASignal) {
  std::thread([] {
    const Fault fault(Call::getrandom, EINTR, 0, 1'000);
    EXPECT_EQ(version_of(rouse::uuid4()), 4);
    EXPECT_EQ(fault.failed(), 1'000);
  }).join();
}

TEST(RandomString, HasTheLengthAndTheCharactersItIsGiven) {
  EXPECT_EQ(rouse::random_string(0), "");
  EXPECT_EQ(rouse::random_string(1).size(), 1U);
  EXPECT_EQ(rouse::random_string(10'000).find_first_not_of(rouse::letters_and_digits),
            std::string::npos);
  EXPECT_EQ(rouse::letters_and_digits.size(), 62U);
  const std::string bits = rouse::random_string(200, "01");
  EXPECT_EQ(bits.find_first_not_of("01"), std::string::npos);
  EXPECT_NE(bits.find('0'), std::string::npos);
  EXPECT_NE(bits.find('1'), std::string::npos);
  EXPECT_NE(rouse::random_string(22), rouse::random_string(22));
  EXPECT_THROW((void)rouse::random_string(std::string::npos), std::length_error);
}

std::string alphabet_refusal(std::string_view alphabet) {
  try {
    (void)rouse::random_string(0, alphabet);
    return "taken";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

TEST(RandomString, RefusesAlphabetsAndSaysWhy) {
  std::string all(256, '\0');
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i);
  EXPECT_EQ(alphabet_refusal(all), "taken");
  EXPECT_EQ(alphabet_refusal("ab"), "taken");
  const char* const too_few =
      "random_string: nothing is random with an alphabet of fewer than 2 characters";
  EXPECT_EQ(alphabet_refusal(""), too_few);
  EXPECT_EQ(alphabet_refusal("a"), too_few);
  EXPECT_EQ(alphabet_refusal("abca"),
            "random_string: the alphabet has the same byte at positions 1 and 4");
  EXPECT_EQ(alphabet_refusal(all + "a"),
            "random_string: the alphabet has the same byte at positions 98 and 257");
  EXPECT_THROW((void)rouse::random_string(5, "xx"), std::invalid_argument);
}

// Pearson's statistic of how often each character of `alphabet` comes, over equal shares.
double chi_square(std::string_view text, std::string_view alphabet) {
  std::array<double, 256> counts{};
  for (const char c : text) ++counts[static_cast<unsigned char>(c)];
  const double share = static_cast<double>(text.size()) / static_cast<double>(alphabet.size());
  double sum = 0;
  for (const char c : alphabet) {
    const double off = counts[static_cast<unsigned char>(c)] - share;
    sum += off * off / share;
  }
  return sum;
}

// With 61 degrees of freedom it is above 160, or below 14, once in 10^9 times and less.
constexpr double chi_square_low = 14;
constexpr double chi_square_high = 160;
constexpr std::size_t chi_square_size = 620'000;

TEST(RandomString, PrefersNoCharacter) {
  const double sum = chi_square(rouse::random_string(chi_square_size), rouse::letters_and_digits);
  EXPECT_GT(sum, chi_square_low);
  EXPECT_LT(sum, chi_square_high);
}

// That is how the test above would see the usual mistake: 256 bytes are no multiple of 62.
TEST(RandomString, WouldBeFoundOutIfItTookARemainder) {
  std::vector<std::byte> bytes(chi_square_size);
  rouse::random_bytes(bytes);
  std::string text;
  for (const std::byte byte : bytes) {
    text += rouse::letters_and_digits[std::to_integer<std::size_t>(byte) % 62];
  }
  EXPECT_GT(chi_square(text, rouse::letters_and_digits), 10 * chi_square_high);
}

}  // namespace
