#include "engine_metrics.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace health {
namespace {

void add_quantiles(MetricsWriter& out, const char* name, const std::string& help,
                   const rouse::TimeHistogram& times) {
  constexpr std::pair<double, const char*> quantiles[] = {{0.5, "0.5"}, {0.99, "0.99"}, {1, "1"}};
  for (const auto& [share, label] : quantiles) {
    const std::chrono::duration<double> bound = times.quantile(share);
    out.gauge(name, help + ": an upper bound for that share of all since the start.", bound.count(),
              {{"quantile", label}});
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
  add_quantiles(out, "health_engine_lag_seconds", "From the time a check was due to its start",
                figures.lag);
  add_quantiles(out, "health_engine_stop_latency_seconds",
                "From the timeout of a run to the end that it then had", figures.stop_latency);
}

}  // namespace health
