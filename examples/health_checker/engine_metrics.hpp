#pragma once
// The figures of the engine, for Prometheus: who watches the watcher.

#include "engine.hpp"
#include "server/metrics_writer.hpp"

namespace health {

void write_metrics(const EngineFigures& figures, MetricsWriter& out);

}  // namespace health
