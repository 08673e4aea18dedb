// Every memory order of the core, weakened one at a time: some scenario fails, or the table in
// docs/design/testing.md says why none does.

#include "model/schedule/explorer.hpp"

#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace rouse::test::model;

struct Weakening {
  Site site;
  std::memory_order order;
  std::vector<const Scenario*> reached_by;

  std::string name() const {
    // "wait/x.cpp Class::function: exchange acquire -> relaxed"
    return site.name + " -> " + order_name(order);
  }
};

std::vector<std::memory_order> weaker(const Site& site) {
  using enum std::memory_order;
  switch (site.order) {
    case seq_cst:
      return {site.kind == 'l' ? acquire : site.kind == 's' ? release : acq_rel};
    case acq_rel:
      return {acquire, release};
    case acquire:
    case release:
      return {relaxed};
    default:
      return {};
  }
}

// The sites of the core that any scenario reaches.
std::vector<Weakening> weakenings() {
  std::map<std::string, Weakening> by_place;
  for (const Area& area : areas()) {
    for (const Scenario& scenario : area.scenarios) {
      for (Site& site : explore(scenario, {.random = 300}).sites) {
        if (site.name.starts_with("scenarios/")) continue;
        Weakening& entry = by_place[site.place];
        entry.site = site;
        entry.reached_by.push_back(&scenario);
      }
    }
  }
  std::vector<Weakening> all;
  for (const auto& [place, entry] : by_place) {
    for (const std::memory_order order : weaker(entry.site)) {
      all.push_back(entry);
      all.back().order = order;
    }
  }
  return all;
}

// The first column of the table's rows: `name -> order`.
std::set<std::string> justified() {
  std::ifstream in(ROUSE_SOURCE_DIR "/docs/design/testing.md");
  std::set<std::string> names;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("| `") || line.find(" -> ") == std::string::npos) continue;
    names.insert(line.substr(3, line.find('`', 3) - 3));
  }
  return names;
}

TEST(MemoryOrders, AreEachNeededOrJustified) {
  const std::set<std::string> known = justified();
  std::set<std::string> not_found;
  std::size_t found_count = 0;
  const std::vector<Weakening> all = weakenings();
  for (const Weakening& weakening : all) {
    bool found = false;
    for (const Scenario* scenario : weakening.reached_by) {
      const Exploration result =
          explore(*scenario, {.random = 1'500,
                              .preemptions = 2,
                              .exhaustive = 1'500,
                              .weak = {weakening.site.place, weakening.order},
                              .seconds = 30});
      if (!result.failed) continue;
      std::printf("order: %s: found by %s: %s\n", weakening.name().c_str(), scenario->name,
                  result.report.substr(0, result.report.find('\n')).c_str());
      found = true;
      break;
    }
    if (found) {
      ++found_count;
    } else {
      std::printf("order: %s: not found\n", weakening.name().c_str());
      not_found.insert(weakening.name());
    }
    std::fflush(stdout);
  }
  for (const std::string& name : not_found) {
    EXPECT_TRUE(known.contains(name)) << "no scenario needs it, and the table has no row: " << name;
  }
  for (const std::string& name : known) {
    EXPECT_TRUE(not_found.contains(name)) << "the table has a row that nothing needs: " << name;
  }
  std::printf("figure: memory orders weakened: %zu, found %zu, justified %zu\n", all.size(),
              found_count, all.size() - found_count);
}

}  // namespace
