#include "config.hpp"

#include "checkers/fd.hpp"
#include "checkers/text.hpp"
#include "config_file.hpp"
#include "display.hpp"
#include "registry.hpp"
#include "suggest.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>
#include <utility>

namespace health {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::size_t longest_name = 100;
constexpr int most_in_a_row = 100;
constexpr milliseconds least_period = 1s;
constexpr milliseconds most_period = 24h;
constexpr milliseconds least_timeout = 10ms;
constexpr milliseconds least_recheck = 100ms;
constexpr std::size_t most_at_once = 4096;

struct Defaults {
  milliseconds period = 60s;
  milliseconds timeout = 10s;
  int rise = 1;
  int fall = 1;
  std::optional<milliseconds> recheck;
};

bool is_numeric(const std::string& address) {
  in6_addr found{};  // has room for either
  return ::inet_pton(AF_INET, address.c_str(), &found) == 1 ||
         ::inet_pton(AF_INET6, address.c_str(), &found) == 1;
}

// "127.0.0.1:8080", "[::1]:8080". False if it is neither.
bool parse_listen(std::string_view text, ServerConfig& server) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  std::string_view address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  } else if (address.find(':') != std::string_view::npos) {
    return false;
  }
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), server.port);
  server.address = address;
  return error == std::errc{} && end == port.data() + port.size() && is_numeric(server.address);
}

class ConfigReader {
 public:
  ConfigReader(const toml::table& root, std::string file, std::vector<ConfigError>& errors)
      : root_(root), file_(std::move(file)), errors_(errors) {}

  Config read() {
    Settings top(root_, "", file_, errors_);
    config_.engine = top.choice("engine", {"pool", "threads"}) == "pool" ? EngineKind::pool
                                                                         : EngineKind::threads;
    config_.most_at_once = static_cast<std::size_t>(
        top.integer("most_at_once", static_cast<std::int64_t>(config_.most_at_once), 1,
                    static_cast<std::int64_t>(most_at_once)));
    read_defaults(top);
    read_server(top);
    read_checks(top);
    top.report_unknown_keys({"defaults", "server", "check"});
    return std::move(config_);
  }

 private:
  // The table of that name; null, with an error recorded if it is there and something else.
  const toml::table* find_table(Settings& top, const std::string& name) {
    const toml::node* const node = root_.get(name);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) top.error_at(name, "'" + name + "' must be a table: [" + name + "]");
    return node->as_table();
  }

  void read_server(Settings& top) {
    const toml::table* const table = find_table(top, "server");
    if (table == nullptr) return;
    Settings settings(*table, "server", file_, errors_);
    ServerConfig server;
    const std::string listen = settings.required_text("listen");
    if (!listen.empty() && !parse_listen(listen, server)) {
      settings.error_at("listen",
                        "'listen' must be a numeric address and a port: \"127.0.0.1:8080\", "
                        "\"[::1]:8080\"");
    }
    const std::string token_file = settings.text("token_file", "");
    if (!token_file.empty()) {
      const auto text = read_small_file(token_file, 4096);
      if (text) server.token = first_line(*text);
      if (server.token.empty()) {
        settings.error_at("token_file", "'token_file': " + (text ? std::string("there is no token")
                                                                 : error_text(errno)));
      }
    }
    settings.report_unknown_keys();
    config_.server = std::move(server);
  }

  void read_defaults(Settings& top) {
    const toml::table* const table = find_table(top, "defaults");
    if (table == nullptr) return;
    Settings settings(*table, "defaults", file_, errors_);
    defaults_.period = settings.duration("period", defaults_.period, least_period, most_period);
    defaults_.timeout = settings.duration("timeout", defaults_.timeout, least_timeout, most_period);
    defaults_.recheck = settings.optional_duration("recheck", least_recheck, most_period);
    read_thresholds(settings, defaults_.rise, defaults_.fall);
    settings.report_unknown_keys();
  }

  static void read_thresholds(Settings& settings, int& rise, int& fall) {
    rise = static_cast<int>(settings.integer("rise", rise, 1, most_in_a_row));
    fall = static_cast<int>(settings.integer("fall", fall, 1, most_in_a_row));
  }

  void read_checks(Settings& top) {
    const toml::node* const node = root_.get("check");
    const toml::array* const checks = node == nullptr ? nullptr : node->as_array();
    if (node == nullptr || (checks != nullptr && checks->empty())) {
      // With a mistyped [[chek]] the unknown key says what is wrong.
      if (root_.empty() || root_.contains("defaults") || node != nullptr) {
        top.error_at("check", "there are no checks: each begins with [[check]]");
      }
      return;
    }
    if (checks == nullptr || !checks->is_homogeneous<toml::table>()) {
      top.error_at("check", "'check' must be an array of tables: write [[check]] before each");
      return;
    }
    if (checks->size() > most_checks) {
      top.error_at("check", "more than " + std::to_string(most_checks) + " checks");
      return;
    }
    const std::size_t errors_before = errors_.size();
    bool any_enabled = false;
    for (std::size_t i = 0; i < checks->size(); ++i) {
      any_enabled |= read_check(*checks->get_as<toml::table>(i), i + 1);
    }
    if (!any_enabled && errors_.size() == errors_before) {
      top.error_at("check", "no check is enabled");
    }
  }

  // Returns whether it is enabled.
  bool read_check(const toml::table& table, std::size_t number) {
    const auto* const name_node = table.get_as<std::string>("name");
    const bool named = name_node != nullptr && !name_node->get().empty();
    std::string what = "check " + std::to_string(number);
    if (named) what = "check '" + cut(printable(name_node->get()), longest_name) + "'";

    Settings settings(table, std::move(what), file_, errors_);
    CheckConfig check;
    check.name = settings.required_text("name");
    if (!check.name.empty()) check_name(settings, check.name, table);
    check.type = settings.required_text("type");
    check.group = settings.text("group", "");
    if (printable(check.group) != check.group || check.group.size() > longest_name) {
      settings.error_at("group", "'group' must be at most " + std::to_string(longest_name) +
                                     " bytes without control characters");
    }
    read_times(settings, check);
    check.rise = defaults_.rise;
    check.fall = defaults_.fall;
    const Kind* const kind = find_kind(check.type);
    if (kind != nullptr && kind->fall != 0) check.fall = kind->fall;
    read_thresholds(settings, check.rise, check.fall);
    const std::string urgency = settings.choice("urgency", {"normal", "high", "low"});
    check.urgency = urgency == "high"  ? rouse::Urgency::high
                    : urgency == "low" ? rouse::Urgency::low
                                       : rouse::Urgency::normal;
    const bool enabled = settings.flag("enabled", true);

    if (kind != nullptr) {
      check.checker = kind->make(settings);
      // Of another kind's keys nothing is known, so only here.
      settings.report_unknown_keys();
    } else if (!check.type.empty()) {
      report_unknown_type(settings, check.type);
    }
    check.text = text_of(check, table);
    if (enabled) config_.checks.push_back(std::move(check));
    return enabled;
  }

  void read_times(Settings& settings, CheckConfig& check) {
    check.period = settings.duration("period", defaults_.period, least_period, most_period);
    const std::string expression = settings.text("cron", "");
    const std::string zone = settings.text("time_zone", "local");
    if (!expression.empty()) {
      if (settings.has("period")) {
        settings.error_at("period", "'period' and 'cron' exclude each other");
      }
      check.period = most_period;
      try {
        check.cron.emplace(expression, zone);
      } catch (const rouse::CronError& error) {
        settings.error_at("cron", std::string("'cron': ") + error.what());
      }
    } else if (settings.has("time_zone")) {
      settings.error_at("time_zone", "'time_zone' has no meaning without 'cron'");
    }
    check.timeout = read_timeout(settings, check.period);
    const auto usual = std::clamp<milliseconds>((check.cron ? defaults_.period : check.period) / 10,
                                                1s, check.period);
    check.recheck =
        settings.duration("recheck", defaults_.recheck.value_or(usual), least_recheck, most_period);
  }

  // The table, and what it has from elsewhere.
  static std::string text_of(const CheckConfig& check, const toml::table& table) {
    std::ostringstream text;
    text << table << '\n'
         << check.period.count() << ' ' << check.timeout.count() << ' ' << check.recheck.count()
         << ' ' << check.rise << ' ' << check.fall;
    return std::move(text).str();
  }

  void check_name(Settings& settings, const std::string& name, const toml::table& table) {
    if (name.size() > longest_name) {
      settings.error_at("name", "'name' is longer than " + std::to_string(longest_name) + " bytes");
    }
    if (printable(name) != name) {
      settings.error_at("name", "'name' must not hold control characters");
    }
    // The console could not address it.
    if (name.front() == ' ' || name.back() == ' ') {
      settings.error_at("name", "'name' must not begin or end with a blank");
    }
    const auto [other, is_new] = names_.emplace(name, table.get("name")->source().begin.line);
    if (!is_new) {
      settings.error_at("name",
                        "the name is taken already, in line " + std::to_string(other->second));
    }
  }

  milliseconds read_timeout(Settings& settings, milliseconds period) const {
    const auto own = settings.optional_duration("timeout", least_timeout, most_period);
    if (!own) return std::min(defaults_.timeout, period);
    if (*own > period) {
      settings.error_at("timeout", "'timeout' (" + exact_text(*own) +
                                       ") must not be longer than the period (" +
                                       exact_text(period) + ")");
    }
    return *own;
  }

  static void report_unknown_type(Settings& settings, const std::string& type) {
    std::vector<std::string_view> names;
    std::string all;
    for (const Kind& kind : all_kinds()) {
      names.push_back(kind.name);
      all += (all.empty() ? "" : ", ") + std::string(kind.name);
    }
    settings.error_at("type", "unknown type '" + cut(printable(type), longest_name) + "'" +
                                  suggestion(type, names) + " (there are " + all + ")");
  }

  const toml::table& root_;
  const std::string file_;
  std::vector<ConfigError>& errors_;
  Defaults defaults_;
  std::map<std::string, std::uint32_t> names_;  // and the lines they are in
  Config config_;
};

}  // namespace

Config load_config(const std::string& path, std::vector<ConfigError>& errors) {
  const std::optional<std::string> text = read_config_file(path, errors);
  if (!text) return {};
  return parse_config(*text, path, errors);
}

Config parse_config(std::string_view text, const std::string& file,
                    std::vector<ConfigError>& errors) {
  if (auto error = find_deep_nesting(text, file)) {
    errors.push_back(*std::move(error));
    return {};
  }
  try {
    const toml::table root = toml::parse(text);
    return ConfigReader(root, file, errors).read();
  } catch (const toml::parse_error& error) {
    const toml::source_position where = error.source().begin;
    errors.push_back({file, where.line, where.column, std::string(error.description())});
    return {};
  }
}

std::string error_report(std::vector<ConfigError> errors) {
  constexpr std::size_t most_shown = 50;
  std::ranges::stable_sort(
      errors, {}, [](const ConfigError& error) { return std::pair(error.line, error.column); });
  std::string report;
  for (const ConfigError& error : errors) {
    if (&error == errors.data() + most_shown) break;
    report += error.to_string() + "\n";
  }
  if (errors.size() > most_shown) {
    report += "and " + std::to_string(errors.size() - most_shown) + " more errors\n";
  }
  return report;
}

}  // namespace health
