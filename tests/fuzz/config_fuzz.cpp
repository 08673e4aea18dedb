// What must hold of any text that is given to the health-checker as its configuration: libFuzzer's
// entry. Built and run by run.sh.

#include "config.hpp"
#include "display.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using health::CheckConfig;
using health::Config;
using health::ConfigError;

void require_of_config(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "config_fuzz: does not hold: %s\n", what);
  std::abort();
}

void require_usable(const Config& config) {
  require_of_config(!config.checks.empty(), "without an error there are checks");
  std::set<std::string> names;
  for (const CheckConfig& check : config.checks) {
    require_of_config(check.checker != nullptr, "each check has a checker");
    require_of_config(names.insert(check.name).second, "names are taken once");
    require_of_config(health::printable(check.name) == check.name, "a name can be shown");
    require_of_config(check.timeout.count() > 0 && check.timeout <= check.period,
                      "a check does not overlap itself");
    require_of_config(check.recheck.count() > 0, "no check runs without a pause");
  }
}

// The certificates of the system are read once for all checks that are there at the same time: to
// read them for each input would take nearly all of the time.
const Config& certificates_in_use() {
  static const Config config = [] {
    std::vector<ConfigError> errors;
    return health::parse_config("[[check]]\nname = \"a\"\ntype = \"tls\"\nhost = \"h\"\nport = 1\n",
                                "tls.toml", errors);
  }();
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  require_of_config(certificates_in_use().checks.size() == 1, "a tls check can be made");
  std::vector<ConfigError> errors;
  const Config config = health::parse_config(text, "fuzz.toml", errors);
  if (errors.empty()) require_usable(config);
  for (const ConfigError& error : errors) {
    const std::string shown = error.to_string();
    require_of_config(shown == health::printable(shown), "an error can be shown");
    require_of_config(shown.size() < 100'000, "an error is bounded");
  }
  std::vector<ConfigError> again;
  (void)health::parse_config(text, "fuzz.toml", again);
  require_of_config(errors.size() == again.size(), "the same text has the same mistakes");
  return 0;
}
