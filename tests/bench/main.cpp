// main() of every benchmark program.
//
// bench_<area> [--json FILE] [--scale X] [AREA/CASE...]
// bench_<area> --figure CASE CONTESTANT OPERATIONS    prints one figure, of a process of its own

#include "bench/harness.hpp"

#include <cstddef>
#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace rouse::bench;

void print_figure(const std::string& slug, const std::string& contestant, std::size_t operations) {
  for (const Row& row : area().rows) {
    if (row.targets.front().slug != slug) continue;
    for (const Contestant& each : row.contestants) {
      if (each.name == contestant) {
        std::printf("%.9g\n", each.run(operations));
        return;
      }
    }
  }
  throw std::invalid_argument("no contestant '" + contestant + "' in '" + slug + "'");
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 4 && arguments[0] == "--figure") {
    print_figure(arguments[1], arguments[2], std::stoul(arguments[3]));
    return 0;
  }
  RunOptions options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool takes_value = arguments[i] == "--json" || arguments[i] == "--scale";
    if (takes_value && i + 1 == arguments.size()) {
      throw std::invalid_argument(arguments[i] + " needs a value");
    }
    if (arguments[i] == "--json") {
      options.json_path = arguments[++i];
    } else if (arguments[i] == "--scale") {
      options.scale = std::stod(arguments[++i]);
    } else if (arguments[i].starts_with("-")) {
      throw std::invalid_argument("unknown option " + arguments[i]);
    } else {
      options.cases.push_back(arguments[i]);
    }
  }
  return run(area(), options, std::cout, std::cerr) ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << argv[0] << ": " << error.what() << '\n';
  return 2;
}
