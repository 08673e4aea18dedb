#pragma once
// What /metrics says of the checks and of this process.
//
// The state is one gauge (0 ok, 1 warning, 2 critical, 3 unknown) and not four that are 0 or 1:
// that is a quarter of the series, and an alert says `health_check_state == 2` either way. For "is
// it up" without a number to remember there is health_check_up.

#include "results.hpp"
#include "server/metrics_writer.hpp"

#include <vector>

namespace health {

void write_check_metrics(MetricsWriter& metrics, const std::vector<Row>& rows);

/// Under the names that all of Prometheus' client libraries use.
void write_process_metrics(MetricsWriter& metrics);

}  // namespace health
