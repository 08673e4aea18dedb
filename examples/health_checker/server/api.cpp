#include "server/api.hpp"

#include "checkers/text.hpp"
#include "display.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

namespace health {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr std::size_t message_cut = 1000;
constexpr std::size_t figures_shown = 64;

std::int64_t unix_ms(system_clock::time_point when) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
}

// Of the two clocks at one moment, so that equal times stay equal.
struct Now {
  system_clock::time_point calendar = system_clock::now();
  steady_clock::time_point steady = steady_clock::now();

  [[nodiscard]] std::int64_t unix_ms_of(steady_clock::time_point when) const {
    return unix_ms(calendar + std::chrono::duration_cast<system_clock::duration>(when - steady));
  }
};

json safe(std::string_view text) { return cut(printable(text), message_cut); }

json row_json(const Row& row, const Now& now) {
  json object{{"name", safe(row.name)},
              {"type", safe(row.type)},
              {"group", safe(row.group)},
              {"runs", row.runs},
              {"state", nullptr}};
  if (!row.state) return object;
  object["state"] = to_string(*row.state);
  object["result"] = to_string(row.last.status);
  object["message"] = safe(row.last.message);
  object["duration_ms"] = milliseconds(row.last.duration);
  object["checked"] = now.unix_ms_of(row.when);
  object["since"] = now.unix_ms_of(row.since);
  object["run"] = row.run.to_hex();
  json& figures = object["figures"] = json::array();
  for (const Figure& figure : row.last.figures) {
    if (figures.size() == figures_shown) break;
    figures.push_back({{"name", safe(figure.name)},
                       {"value", figure.value},  // null where it is not a number
                       {"unit", safe(figure.unit)}});
  }
  return object;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// Never throws because of what is in it.
std::string dumped(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Row by row: all of them as objects would take ten times the memory of their text.
std::string with_rows(const Results::Changes& changes, json object) {
  const Now now;
  object["time"] = unix_ms(now.calendar);
  object["all"] = changes.all;
  std::string text = dumped(object);
  text.back() = ',';
  text += "\"checks\":[";
  for (const Row& row : changes.rows) text += dumped(row_json(row, now)) + ",";
  if (text.back() == ',') text.pop_back();
  return text + "]}";
}

}  // namespace

std::string changes_json(const Results::Changes& changes) {
  return with_rows(changes, json::object());
}

std::string status_json(const Results::Changes& changes) {
  std::array<std::size_t, 4> sums{};
  std::size_t pending = 0;
  for (const Row& row : changes.rows) {
    ++(row.state ? sums.at(static_cast<std::size_t>(*row.state)) : pending);
  }
  json counts{{"pending", pending}};
  for (const Status status : {Status::ok, Status::warning, Status::critical, Status::unknown}) {
    counts[to_string(status)] = sums.at(static_cast<std::size_t>(status));
  }
  return with_rows(changes, {{"counts", std::move(counts)}, {"host", safe(host_name())}});
}

std::string check_json(const Row& row, const std::vector<History::Bucket>& history) {
  json object = row_json(row, Now());
  object["uptime"] = History::uptime(history);
  object["bucket_seconds"] = std::chrono::seconds(History::width).count();
  json& buckets = object["history"] = json::array();
  for (const History::Bucket& bucket : history) {
    buckets.push_back({{"runs", bucket.runs},
                       {"failed", bucket.failed},
                       {"mean_ms", bucket.mean_ms()},
                       {"worst", bucket.runs == 0 ? json() : json(to_string(bucket.worst))}});
  }
  return dumped(object);
}

std::string histories_json(
    const std::vector<std::pair<std::string, std::vector<History::Bucket>>>& histories) {
  json checks = json::object();
  for (const auto& [name, history] : histories) {
    json buckets = json::array();
    for (const History::Bucket& bucket : history) {
      buckets.push_back(
          {bucket.runs, bucket.failed, bucket.mean_ms(), static_cast<int>(bucket.worst)});
    }
    checks[printable(name)] = {{"uptime", History::uptime(history)},
                               {"buckets", std::move(buckets)}};
  }
  return dumped({{"bucket_seconds", std::chrono::seconds(History::width).count()},
                 {"checks", std::move(checks)}});
}

}  // namespace health
