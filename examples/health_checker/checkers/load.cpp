#include "checkers/load.hpp"

#include "checkers/fd.hpp"
#include "checkers/kinds.hpp"
#include "checkers/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <thread>
#include <utility>

namespace health {
namespace {

/// The three averages of "0.52 0.58 0.59 1/467 12345".
std::array<double, 3> read_averages(const std::string& path) {
  const std::optional<std::string> text = read_small_file(path);
  if (!text) throw_errno("read " + path);
  std::array<double, 3> averages{};
  const char* at = text->data();
  const char* const end = at + text->size();
  for (double& average : averages) {
    const auto [next, error] = std::from_chars(at, end, average);
    if (error != std::errc{}) throw std::runtime_error(path + " is not as expected");
    at = std::min(next + 1, end);
  }
  return averages;
}

}  // namespace

LoadChecker::LoadChecker(LoadOptions options) : options_(std::move(options)) {}

CheckResult LoadChecker::check(std::stop_token) {
  const auto averages = read_averages(options_.loadavg);
  // Asked each time: CPUs come and go. Linux' libraries count those that the thread may use.
  const unsigned cpus =
      options_.cpus != 0 ? options_.cpus : std::max(1U, std::thread::hardware_concurrency());
  const double per_cpu = averages[static_cast<std::size_t>(options_.window)] / cpus;
  return verdict(options_.per_cpu.grade(per_cpu),
                 number_text(per_cpu, 2) + " per CPU (" + std::to_string(cpus) +
                     " CPUs, averages " + number_text(averages[0], 2) + " " +
                     number_text(averages[1], 2) + " " + number_text(averages[2], 2) + ")",
                 {{"load1", averages[0], ""},
                  {"load5", averages[1], ""},
                  {"load15", averages[2], ""},
                  {"per_cpu", per_cpu, ""}});
}

std::unique_ptr<BaseChecker> make_load(Settings& settings) {
  LoadOptions options;
  const std::string window = settings.choice("window", {"5m", "1m", "15m"});
  options.window = window == "1m"    ? LoadOptions::Window::one
                   : window == "15m" ? LoadOptions::Window::fifteen
                                     : LoadOptions::Window::five;
  constexpr double most = 10'000;
  options.per_cpu.warning = settings.number("warning", options.per_cpu.warning, 0, most);
  options.per_cpu.critical = settings.number("critical", options.per_cpu.critical, 0, most);
  if (options.per_cpu.warning > options.per_cpu.critical) {
    settings.error_at("warning", "'warning' must not be above 'critical'");
  }
  return std::make_unique<LoadChecker>(std::move(options));
}

}  // namespace health
