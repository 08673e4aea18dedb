#include "bench/harness.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace rouse::bench {
namespace {

using namespace std::chrono_literals;

const std::vector<int>& cpu_numbers() {
  static const std::vector<int> numbers = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) {
      throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    }
    std::vector<int> result;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) result.push_back(cpu);
    }
    return result;
  }();
  return numbers;
}

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

// Three digits and the unit that fits: 2.71us, 40.3us, 480ms.
std::string format_figure(double value, Unit unit) {
  if (unit == Unit::count) return format("%g", value);
  struct Step {
    double size;
    const char* name;
  };
  static const std::vector<Step> times{{1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}};
  static const std::vector<Step> sizes{{1, "B"}, {1024, "KiB"}, {1024.0 * 1024, "MiB"}};
  const std::vector<Step>& steps = unit == Unit::bytes ? sizes : times;
  Step step = steps.front();
  for (const Step& larger : steps) {
    if (value >= larger.size) step = larger;
  }
  const double shown = value / step.size;
  return format(shown < 10 ? "%.2f" : shown < 100 ? "%.1f" : "%.0f", shown) + step.name;
}

const char* unit_name(Unit unit) {
  return unit == Unit::nanoseconds ? "ns" : unit == Unit::bytes ? "B" : "count";
}

struct Measured {
  const Contestant* contestant;
  std::vector<double> samples;
  double figure = 0;
};

double call(const Contestant& contestant, std::size_t operations) {
  double result = 0;
  std::exception_ptr error;
  std::thread([&] {
    try {
      result = contestant.run(operations);
    } catch (...) {
      error = std::current_exception();
    }
  }).join();
  if (error != nullptr) std::rethrow_exception(error);
  return result;
}

// This program again, for one figure.
double call_in_own_process(const std::string& slug, const Contestant& contestant,
                           std::size_t operations) {
  const std::string environment =
      contestant.preload.empty() ? "" : "LD_PRELOAD=" + contestant.preload + " ";
  const std::string command = environment + "/proc/" + std::to_string(::getpid()) +
                              "/exe --figure " + slug + " " + contestant.name + " " +
                              std::to_string(operations);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output(::popen(command.c_str(), "re"),
                                                               &::pclose);
  double result = 0;
  if (output == nullptr || std::fscanf(output.get(), "%lf", &result) != 1) {
    throw std::runtime_error("no figure from: " + command);
  }
  return result;
}

bool wanted(const Row& row, const Area& area, const std::vector<std::string>& cases) {
  return cases.empty() || std::ranges::any_of(cases, [&](const std::string& begin) {
           return std::ranges::any_of(row.targets, [&](const Target& target) {
             return (area.name + "/" + target.slug).starts_with(begin);
           });
         });
}

class Runner {
 public:
  Runner(const Area& area, const RunOptions& options, std::ostream& out)
      : area_(area), options_(options), out_(out) {}

  void measure(const Row& row) {
    if (usable_cpus() < row.cpus) {
      const std::string why = "needs " + std::to_string(row.cpus) + " usable CPUs, there is " +
                              std::to_string(usable_cpus());
      for (const Target& target : row.targets) {
        out_ << "skip: " << slug(target) << " not measured: " << why << std::endl;
        json_rows_.push_back("{\"slug\": \"" + slug(target) + "\", \"skipped\": \"" + why + "\"}");
      }
      return;
    }
    const std::vector<Measured> results = take_turns(row);
    for (const Target& target : row.targets) print(row, target, results);
    print_others(row, results);
  }

  std::string json() const {
    std::string text = "{\n\"compiler\": \"" ROUSE_BENCH_COMPILER "\",\n\"cpus\": " +
                       std::to_string(usable_cpus()) +
                       ",\n\"scale\": " + format("%g", options_.scale) + ",\n\"rows\": [\n";
    for (std::size_t i = 0; i < json_rows_.size(); ++i) {
      text += json_rows_[i] + (i + 1 < json_rows_.size() ? ",\n" : "\n");
    }
    return text + "]\n}\n";
  }

 private:
  std::string slug(const Target& target) const { return area_.name + "/" + target.slug; }

  std::vector<Measured> take_turns(const Row& row) const {
    const auto operations = static_cast<std::size_t>(
        std::max(1.0, std::round(static_cast<double>(row.operations) * options_.scale)));
    const auto once = [&](const Contestant& contestant, std::size_t count) {
      return row.own_process ? call_in_own_process(row.targets.front().slug, contestant, count)
                             : call(contestant, count);
    };
    std::vector<Measured> results;
    for (const Contestant& contestant : row.contestants) results.push_back({&contestant, {}});
    if (!row.own_process) {
      for (const Measured& each : results) {
        once(*each.contestant, std::max<std::size_t>(1, operations / 10));
      }
    }
    for (std::size_t repetition = 0; repetition < row.repetitions; ++repetition) {
      // Another begins each time: what one leaves behind in caches is not always the same one's.
      for (std::size_t i = 0; i < results.size(); ++i) {
        Measured& each = results[(repetition + i) % results.size()];
        each.samples.push_back(once(*each.contestant, operations));
      }
    }
    for (Measured& each : results) each.figure = median(each.samples);
    return results;
  }

  static const Measured& find_peer(const Target& target, const std::vector<Measured>& results) {
    if (target.peer == best_peer) {
      return *std::min_element(
          results.begin() + 1, results.end(),
          [](const Measured& a, const Measured& b) { return a.figure < b.figure; });
    }
    const auto found = std::ranges::find(
        results, target.peer, [](const Measured& each) { return each.contestant->name; });
    if (found == results.end()) throw std::logic_error("no contestant '" + target.peer + "'");
    return *found;
  }

  void print(const Row& row, const Target& target, const std::vector<Measured>& results) {
    const Measured& ours = results.front();
    const Measured& peer = find_peer(target, results);
    const double ratio = ours.figure / peer.figure;
    const char* const verdict = ratio <= target.ratio ? "ok" : "short";
    out_ << "bench: " << slug(target) << " ours=" << format_figure(ours.figure, row.unit)
         << " peer=" << peer.contestant->name << ":" << format_figure(peer.figure, row.unit)
         << " ratio=" << format("%.3f", ratio) << " target=<=" << format("%.2f", target.ratio)
         << " " << verdict << std::endl;

    std::string text = "{\"slug\": \"" + slug(target) + "\", \"unit\": \"" + unit_name(row.unit) +
                       "\", \"peer\": \"" + peer.contestant->name +
                       "\", \"ratio\": " + format("%.6g", ratio) +
                       ", \"target\": " + format("%g", target.ratio) + ", \"verdict\": \"" +
                       verdict + "\",\n \"contestants\": [";
    for (const Measured& each : results) {
      text += std::string(&each == &ours ? "" : ",") + "\n  {\"name\": \"" + each.contestant->name +
              "\", \"median\": " + format("%.6g", each.figure) + ", \"samples\": [";
      for (const double& sample : each.samples) {
        text += (&sample == each.samples.data() ? "" : ", ") + format("%.6g", sample);
      }
      text += "]}";
    }
    json_rows_.push_back(text + "]}");
  }

  void print_others(const Row& row, const std::vector<Measured>& results) {
    for (std::size_t i = 1; i < results.size(); ++i) {
      const Measured& each = results[i];
      const bool told = std::ranges::any_of(
          row.targets, [&](const Target& target) { return &find_peer(target, results) == &each; });
      if (told) continue;
      out_ << "also: " << slug(row.targets.front()) << " peer=" << each.contestant->name << ":"
           << format_figure(each.figure, row.unit)
           << " ratio=" << format("%.3f", results.front().figure / each.figure) << std::endl;
    }
  }

  const Area& area_;
  const RunOptions& options_;
  std::ostream& out_;
  std::vector<std::string> json_rows_;
};

}  // namespace

bool run(const Area& area, const RunOptions& options, std::ostream& out, std::ostream& errors) {
  Runner runner(area, options, out);
  bool all_ran = true;
  for (const Row& row : area.rows) {
    if (!wanted(row, area, options.cases)) continue;
    try {
      runner.measure(row);
    } catch (const std::exception& error) {
      errors << "failed: " << area.name << "/" << row.targets.front().slug << ": " << error.what()
             << std::endl;
      all_ran = false;
    }
  }
  if (!options.json_path.empty()) {
    std::ofstream file(options.json_path);
    file << runner.json();
    if (!file.flush()) {
      errors << "failed: cannot write " << options.json_path << std::endl;
      all_ran = false;
    }
  }
  return all_ran;
}

unsigned usable_cpus() { return static_cast<unsigned>(cpu_numbers().size()); }

void pin_to(std::size_t index) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu_numbers()[index % cpu_numbers().size()], &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
  }
}

void settle() {
  const auto cpu_time = [] {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  for (;;) {
    const auto before = cpu_time();
    std::this_thread::sleep_for(20ms);
    if (cpu_time() - before < 1ms) return;
  }
}

double memory_in_use() {
  std::ifstream file("/proc/self/smaps_rollup");
  std::string word;
  while (file >> word) {
    double kibibytes = 0;
    if (word == "Pss:" && file >> kibibytes) return kibibytes * 1024;
  }
  throw std::runtime_error("/proc/self/smaps_rollup tells no Pss");
}

double median(std::vector<double> samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  if (samples.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(samples.begin(), middle)) / 2;
}

}  // namespace rouse::bench
