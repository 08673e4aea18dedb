// What must hold of any cron expression: libFuzzer's entry. An input is a time (eight bytes, in
// nanoseconds), a zone (one byte) and the expression. Built and run by run.sh.

#include "rouse/exec/cron.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr const char* fuzz_zones[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe",
                                      "America/Sao_Paulo", "Pacific/Apia"};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "cron_fuzz: does not hold: %s\n", what);
  std::abort();
}

void check_cron_times(const rouse::Cron& cron, system_clock::time_point after) {
  const auto next = cron.next(after);
  if (!next) {
    // Nothing comes once in less than 40 years, but where the clock ends.
    require(after > system_clock::time_point::max() - std::chrono::years(41), "there is a next");
    return;
  }
  require(*next > after, "the next is later");
  require(std::chrono::floor<seconds>(*next) == *next, "the next is a full second");
  for (const auto between : {after + (*next - after) / 2, *next - nanoseconds(1)}) {
    require(between < after || cron.next(between) == next, "nothing lies between");
  }
  const auto second = cron.next(*next);
  require(!second || *second > *next, "the one after the next is later");
  require(rouse::Cron(cron.expression(), cron.zone()).next(after) == next, "it comes again");
}

void check_cron_error(const rouse::CronError& error, std::size_t size) {
  require(error.column() >= 1, "columns begin at 1");
  require(error.column() <= std::min(size, rouse::Cron::max_length) + 1, "the column exists");
  const std::string_view what = error.what();
  require(std::none_of(what.begin(), what.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }),
          "control bytes are escaped");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::int64_t after = 0;
  if (size < sizeof after + 1) return 0;
  std::memcpy(&after, data, sizeof after);
  const char* const zone = fuzz_zones[data[sizeof after] % std::size(fuzz_zones)];
  const std::string_view expression(reinterpret_cast<const char*>(data) + sizeof after + 1,
                                    size - sizeof after - 1);
  std::optional<rouse::Cron> cron;
  try {
    cron.emplace(expression, zone);
  } catch (const rouse::CronError& error) {
    check_cron_error(error, expression.size());
    return 0;
  }
  check_cron_times(*cron, system_clock::time_point(nanoseconds(after)));
  return 0;
}
