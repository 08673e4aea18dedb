#include "server/check_metrics.hpp"

#include "checkers/fd.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

namespace health {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

double unix_seconds(steady_clock::time_point when) {
  return std::chrono::duration<double>(system_clock::now().time_since_epoch()).count() -
         std::chrono::duration<double>(steady_clock::now() - when).count();
}

std::size_t open_descriptors() {
  DIR* const folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  constexpr std::size_t others = 3;  // ".", ".." and the folder itself
  return count < others ? 0 : count - others;
}

}  // namespace

void write_check_metrics(MetricsWriter& metrics, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const MetricsWriter::Labels labels{
        {"name", row.name}, {"type", row.type}, {"group", row.group}};
    metrics.counter("health_check_runs_total", "How often the check has run.",
                    static_cast<double>(row.runs), labels);
    if (!row.state) continue;
    const Status state = *row.state;
    metrics.gauge("health_check_state",
                  "Its state: 0 ok, 1 warning, 2 critical, 3 unknown. None before its first run.",
                  static_cast<double>(state), labels);
    metrics.gauge("health_check_up", "1 if its state is ok or warning.",
                  state == Status::ok || state == Status::warning ? 1 : 0, labels);
    metrics.gauge("health_check_duration_seconds", "How long its last run took.",
                  std::chrono::duration<double>(row.last.duration).count(), labels);
    metrics.gauge("health_check_last_run_timestamp_seconds", "When its last run ended.",
                  unix_seconds(row.when), labels);
    for (const Figure& figure : row.last.figures) {
      metrics.gauge("health_check_figure", "What its last run has measured.", figure.value,
                    {{"name", row.name}, {"figure", figure.name}, {"unit", figure.unit}});
    }
  }
}

void write_process_metrics(MetricsWriter& metrics) {
  // Behind the ")" of its name: field 3 is the first.
  const std::string stat = read_small_file("/proc/self/stat").value_or("");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  std::string text;
  double threads = 0;
  double started = 0;  // clock ticks after the boot
  double pages = 0;
  for (int field = 3; fields >> text && field <= 24; ++field) {
    if (field == 20) threads = std::stod(text);
    if (field == 22) started = std::stod(text);
    if (field == 24) pages = std::stod(text);
  }
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  timespec boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  const double up = static_cast<double>(boot.tv_sec) + static_cast<double>(boot.tv_nsec) * 1e-9;

  metrics.counter("process_cpu_seconds_total", "CPU time of this process.",
                  seconds(used.ru_utime) + seconds(used.ru_stime));
  metrics.gauge("process_resident_memory_bytes", "Memory of this process.",
                pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  metrics.gauge("process_open_fds", "Open descriptors.", static_cast<double>(open_descriptors()));
  metrics.gauge("process_max_fds", "How many it may open.",
                static_cast<double>(descriptors.rlim_cur));
  metrics.gauge("process_threads", "Threads of this process.", threads);
  metrics.gauge("process_start_time_seconds", "When this process has started.",
                unix_seconds(steady_clock::now()) - up +
                    started / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

}  // namespace health
