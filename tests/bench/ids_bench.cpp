// What ids cost: numbers, cycle ids, UUIDs, names.

#include "rouse/resource/cycle_id.hpp"
#include "rouse/resource/name_generator.hpp"
#include "rouse/resource/number_generator.hpp"
#include "rouse/resource/random_id.hpp"

#include "bench/harness.hpp"
#include "support/rendezvous.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid.hpp>
#include <fmt/compile.h>
#include <fmt/format.h>
#include <uuid/uuid.h>

namespace {

using namespace rouse::bench;

// --- generators ----------------------------------------------------------------------------------
// Each is called for the next id; a whole line is its own.

struct alignas(64) Number {
  rouse::NumberGenerator numbers;
  auto operator()() { return numbers.next(); }
};

struct alignas(64) LeasedNumber {
  rouse::LeasedNumberGenerator numbers;
  auto operator()() { return numbers.next(); }
};

struct alignas(64) FetchAdd {
  std::atomic<std::int64_t> next{0};
  auto operator()() { return next.fetch_add(1, std::memory_order_relaxed); }
};

struct alignas(64) Cycle {
  rouse::CycleIdGenerator ids{"192.0.2.7", 8080};
  auto operator()() { return ids.next(); }
};

struct Uuid4 {
  auto operator()() { return rouse::uuid4(); }
};

struct Uuid7 {
  auto operator()() { return rouse::uuid7(); }
};

// Asks the system each time.
struct BoostRandom {
  boost::uuids::random_generator generate;
  auto operator()() { return generate(); }
};

// Asks it once; whoever has seen some of the ids can tell the others.
struct BoostMt19937 {
  boost::uuids::random_generator_mt19937 generate;
  auto operator()() { return generate(); }
};

struct Libuuid {
  auto operator()() {
    std::array<unsigned char, sizeof(uuid_t)> uuid;
    ::uuid_generate_random(uuid.data());
    return uuid;
  }
};

struct Name {
  const rouse::NameGenerator names{host};
  auto operator()() { return names.next(); }

  static constexpr const char* host = "server-17";
};

struct NameInBuffer : Name {
  auto operator()() {
    rouse::NameGenerator::Buffer buffer;
    return names.next(buffer).size();
  }
};

// The same names otherwise: what does not change is asked for beforehand.
struct NameParts {
  const std::string host = Name::host;
  const int pid = ::getpid();
  const int thread = ::gettid();
  FetchAdd number;
};

struct FmtCompiled : NameParts {
  auto operator()() { return fmt::format(FMT_COMPILE("{}-{}-{}-{}"), host, pid, thread, number()); }
};

struct Fmt : NameParts {
  auto operator()() { return fmt::format("{}-{}-{}-{}", host, pid, thread, number()); }
};

struct ToString : NameParts {
  auto operator()() {
    return host + '-' + std::to_string(pid) + '-' + std::to_string(thread) + '-' +
           std::to_string(number());
  }
};

struct Snprintf : NameParts {
  auto operator()() {
    std::array<char, 256> text;
    const int size = std::snprintf(text.data(), text.size(), "%s-%d-%d-%lld", host.c_str(), pid,
                                   thread, static_cast<long long>(number()));
    return std::string(text.data(), static_cast<std::size_t>(size));
  }
};

// --- loads ---------------------------------------------------------------------------------------

template <class Generator>
double by_one_thread(std::size_t operations) {
  pin_to(0);
  Generator generator;
  return time_per_operation(operations, [&] { keep(generator()); });
}

// All of them from one generator. Until the last thread is through, per id.
template <class Generator>
double by_4_threads(std::size_t operations) {
  constexpr std::size_t count = 4;
  const std::size_t share = std::max<std::size_t>(1, operations / count);
  Generator generator;
  rouse::test::Rendezvous start(count);
  std::array<Clock::time_point, count> begins;
  std::array<Clock::time_point, count> ends;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        pin_to(i);
        start.arrive();
        begins[i] = Clock::now();
        for (std::size_t n = 0; n < share; ++n) keep(generator());
        ends[i] = Clock::now();
      });
    }
  }
  return nanoseconds(std::ranges::max(ends) - std::ranges::min(begins)) /
         static_cast<double>(share * count);
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  return {"ids",
          {
              {.targets = {{"number", "fetch_add", 1.10}},
               .contestants = {{"rouse", &by_one_thread<Number>},
                               {"fetch_add", &by_one_thread<FetchAdd>},
                               {"rouse_leased", &by_one_thread<LeasedNumber>}},
               .operations = 5'000'000},
              {.targets = {{"number_4_threads", "fetch_add", 1.10}},
               .contestants = {{"rouse", &by_4_threads<Number>},
                               {"fetch_add", &by_4_threads<FetchAdd>},
                               {"rouse_leased", &by_4_threads<LeasedNumber>}},
               .operations = 5'000'000,
               .cpus = 2},
              {.targets = {{"cycle", "fetch_add", 1.50}},
               .contestants = {{"rouse", &by_one_thread<Cycle>},
                               {"fetch_add", &by_one_thread<FetchAdd>}},
               .operations = 5'000'000},
              {.targets = {{"uuid4", "boost", 0.10}},
               .contestants = {{"rouse", &by_one_thread<Uuid4>},
                               {"boost", &by_one_thread<BoostRandom>},
                               {"boost_mt19937", &by_one_thread<BoostMt19937>},
                               {"libuuid", &by_one_thread<Libuuid>}},
               .operations = 200'000},
              {.targets = {{"uuid7", "boost", 0.10}},
               .contestants = {{"rouse", &by_one_thread<Uuid7>},
                               {"boost", &by_one_thread<BoostRandom>},
                               {"boost_mt19937", &by_one_thread<BoostMt19937>}},
               .operations = 200'000},
              {.targets = {{"name", "fmt_compiled", 0.60}},
               .contestants = {{"rouse", &by_one_thread<Name>},
                               {"fmt_compiled", &by_one_thread<FmtCompiled>},
                               {"fmt", &by_one_thread<Fmt>},
                               {"to_string", &by_one_thread<ToString>},
                               {"snprintf", &by_one_thread<Snprintf>},
                               {"rouse_in_buffer", &by_one_thread<NameInBuffer>}},
               .operations = 1'000'000},
          }};
}
