#pragma once
// stop_latency: how long a call takes to return when its thread is asked to stop.

#include "support/stopping/blocking_rows.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace rouse::test {

enum class Machine : std::uint8_t {
  idle,
  busy,  // a thread that computes on each CPU
};

/// For people: "20 µs, 45 µs, 110 µs", the median, the 99th percentile and the longest.
std::string stop_latency(const std::function<Scene()>& prepare, Ends expected, Machine machine);

}  // namespace rouse::test
