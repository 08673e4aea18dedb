#pragma once
// The answers of the API, in JSON. Names and messages are printable() in it, so that bytes of a
// target break neither it nor the terminal of who asks. Times are milliseconds since 1970.

#include "history.hpp"
#include "results.hpp"

#include <string>
#include <utility>
#include <vector>

namespace health {

/// {"time", "all", "checks": [...]}: all rows, or those that have changed.
std::string changes_json(const Results::Changes& changes);

/// The same with "host" and "counts" per state.
std::string status_json(const Results::Changes& changes);

/// A row, with "uptime" (0 to 1) and "history", one object per bucket.
std::string check_json(const Row& row, const std::vector<History::Bucket>& history);

/// {"bucket_seconds", "checks": {name: {"uptime", "buckets": [[runs, failed, mean_ms, worst]...]}}}
std::string histories_json(
    const std::vector<std::pair<std::string, std::vector<History::Bucket>>>& histories);

}  // namespace health
