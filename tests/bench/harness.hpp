#pragma once
// The benchmark harness: rows of contestants that are measured in turns and compared by medians.
//
// An area is one file, <area>_bench.cpp, which becomes the program bench_<area>. It defines area():
//
/// @code
///   rouse::bench::Area rouse::bench::area() {
///     return {"event",
///             {{.targets = {{"set_clear", "mutex_cv", 0.30}},
///               .contestants = {{"rouse", &set_and_clear}, {"mutex_cv", &lock_and_notify}},
///               .operations = 1'000'000}}};
///   }
/// @endcode
//
// Absolute figures depend on the machine and its day. The ratio of two contestants that took turns
// does not, or much less: it is what the targets are about.

#include <chrono>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace rouse::bench {

enum class Unit { nanoseconds, bytes, count };

/// One way of doing what a row measures. `run` does `operations` of them and returns the figure, in
/// the row's unit; less is better. Each call has a new thread, which may be pinned at will.
struct Contestant {
  std::string name;
  std::function<double(std::size_t operations)> run;
  /// A library whose functions replace those of all others (LD_PRELOAD): another malloc, say. Only
  /// in rows of own processes. The system ignores one that is missing: `run` has to look.
  std::string preload = {};
};

/// In Target::peer: whichever of the peers has the lowest median.
inline constexpr const char* best_peer = "";

struct Target {
  std::string slug;
  std::string peer;
  double ratio;  ///< At most this much of the peer's figure.
};

struct Row {
  std::vector<Target> targets = {};          ///< One line each.
  std::vector<Contestant> contestants = {};  ///< Ours is the first.
  std::size_t operations = 1;                ///< In one repetition.
  Unit unit = Unit::nanoseconds;
  unsigned cpus = 1;  ///< With fewer usable CPUs the row is not measured.
  unsigned repetitions = 11;
  /// A new process for each call of `run`: for figures that depend on what ran before, like memory.
  bool own_process = false;
};

struct Area {
  std::string name;
  std::vector<Row> rows;
};

/// Defined once in each benchmark program.
Area area();

struct RunOptions {
  double scale = 1.0;  ///< Of `operations`. Below 1 it only shows that the rows work.
  std::vector<std::string> cases = {};  ///< Beginnings of slugs. Empty: all.
  std::string json_path = {};           ///< Empty: no file.
};

/// Measures an area. Prints one line per target and one per further peer. Returns false if a
/// contestant threw; the other rows are measured all the same.
bool run(const Area& area, const RunOptions& options, std::ostream& out, std::ostream& errors);

// --- for contestants
// -------------------------------------------------------------------------------

/// How many CPUs this process may use.
unsigned usable_cpus();

/// Keeps the calling thread on the index-th usable CPU, counted round.
void pin_to(std::size_t index);

/// Blocks until this process has next to nothing to do: all its threads sleep.
void settle();

/// What this process has in memory, its share of shared pages included.
double memory_in_use();

/// Lets the compiler know nothing about `value` from here on.
template <class T>
void keep(T&& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

/// The middle one of `samples`, or the mean of the two in the middle. There is at least one.
double median(std::vector<double> samples);

using Clock = std::chrono::steady_clock;

inline double nanoseconds(Clock::duration d) {
  return std::chrono::duration<double, std::nano>(d).count();
}

/// Calls `operation` so many times; returns how long one took.
template <class Operation>
double time_per_operation(std::size_t operations, Operation&& operation) {
  const Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < operations; ++i) operation();
  return nanoseconds(Clock::now() - begin) / static_cast<double>(operations);
}

}  // namespace rouse::bench
