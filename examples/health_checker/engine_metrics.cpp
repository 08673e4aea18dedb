#include "engine_metrics.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace health {
namespace {

// Each a gauge of its own: the label "quantile" belongs to summaries.
void add_quantiles(MetricsWriter& out, const std::string& name, const std::string& help,
                   const rouse::TimeHistogram& times) {
  constexpr std::pair<double, const char*> quantiles[] = {{0.5, "p50"}, {0.99, "p99"}, {1, "max"}};
  for (const auto& [share, label] : quantiles) {
    const std::chrono::duration<double> bound = times.quantile(share);
    out.gauge(name + "_" + label + "_seconds",
              help + " (" + label + "): an upper bound, of all since the start.", bound.count());
  }
}

}  // namespace

void write_metrics(const EngineFigures& figures, MetricsWriter& out) {
  const auto count = [](std::size_t n) { return static_cast<double>(n); };
  out.gauge("health_engine_checks", "Checks that are configured.", count(figures.checks));
  out.gauge("health_engine_in_flight", "Checks that run.", count(figures.in_flight));
  out.gauge("health_engine_queued", "Checks that are due and wait for a thread.",
            count(figures.queued));
  out.gauge("health_engine_threads", "Threads that run checks.", count(figures.threads));
  out.counter("health_engine_overdue_total", "Runs that did not end at their timeout.",
              count(figures.overdue));
  out.counter("health_engine_runs_by_the_clock_total", "Runs that were due, not asked for.",
              static_cast<double>(figures.lag.count()));
  add_quantiles(out, "health_engine_lag", "From the time a check was due to its start",
                figures.lag);
  add_quantiles(out, "health_engine_stop_latency",
                "From the timeout of a run to the end that it then had", figures.stop_latency);
}

}  // namespace health
