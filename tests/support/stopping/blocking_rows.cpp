#include "support/stopping/blocking_rows.hpp"

#include "support/stopping/provoked_call.hpp"
#include "support/stopping/stop_latency.hpp"
#include "support/stopping/stopping_page.hpp"
#include "support/watchdog.hpp"

#include <algorithm>
#include <cstddef>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

bool has_own_deadline(const Promises& promises) {
  return promises.deadline == Ends::timeout || promises.deadline == Ends::false_ ||
         promises.deadline == Ends::empty || promises.deadline == Ends::stragglers ||
         promises.deadline == Ends::throws_timed_out;
}

// By its parameters, its result, or what is said of it. A destructor does unless it is said not to:
// nobody sees its call.
bool looks_blocking(const PublicFunction& function) {
  static const std::regex asks_for_it(
      R"(\(.*(stop_token|duration|time_point|WaitTime)|(WaitStatus|AnyReady|AllReady|Found|StopReport) \w+\()");
  static const std::regex never(R"(\b(never|none) (blocks|waits)\b)", std::regex::icase);
  static const std::regex says_so(
      R"(\bblocks? (until|for|at most|only|and throws|as)\b|\bjoins?\b)"
      R"(|\bwaits (for|until|as|at most)\b|\bas (wait|post|lock|join)\(|\bin a thread's first wait\b)",
      std::regex::icase);
  if (function.scope.starts_with("detail")) return false;
  if (std::regex_search(function.text, asks_for_it)) return true;
  if (std::regex_search(function.comment, never)) return false;
  return function.name.starts_with("~") || std::regex_search(function.comment, says_so);
}

bool takes_token(const PublicFunction& function) {
  static const std::regex token(R"(stop_token)");
  return std::regex_search(function.text, token) ||
         function.comment.find("[stop]") != std::string::npos;
}

bool takes_time(const PublicFunction& function) {
  static const std::regex time(
      R"(\(.*(duration|time_point|\bWhen\b|\b(Wait|File|Line|Process|Port|Predicate)Options ))");
  return std::regex_search(function.text, time) ||
         function.comment.find("[deadline]") != std::string::npos;
}

}  // namespace

void BlockingRows::expect_promises_kept() const {
  for (const Row& row : rows_) {
    const Promises& promises = row.promises;
    const auto expect = [&](EndBy by, Ends promised) {
      if (promised == Ends::cannot_be_asked) return;
      SCOPED_TRACE(testing::Message() << row.signature << ", ended by " << to_string(by));
      const Ending ending = provoke(row.prepare(), by, promised);
      EXPECT_TRUE(ending.blocked);
      EXPECT_EQ(ending.went_on, promised == Ends::goes_on);
      const Ends expected = promised == Ends::goes_on ? Ends::ready : promised;
      EXPECT_EQ(ending.how, expected)
          << to_string(ending.how) << " instead of " << to_string(expected);
    };
    if (promises.released) expect(EndBy::release, Ends::ready);
    expect(EndBy::token, promises.token);
    expect(EndBy::ambient, promises.ambient);
    expect(EndBy::scope_deadline, promises.ambient);
    if (has_own_deadline(promises)) expect(EndBy::own_deadline, promises.deadline);
    expect(EndBy::raise, promises.raise);
  }
}

std::vector<std::string> BlockingRows::complaints(
    const std::vector<PublicFunction>& functions) const {
  std::vector<std::string> found;
  using Name = std::pair<std::string, std::string>;  // overloads may share it
  std::set<Name> declared;
  std::set<Name> suspected;
  for (const PublicFunction& function : functions) {
    declared.emplace(function.header, function.signature);
    if (looks_blocking(function)) suspected.emplace(function.header, function.signature);

    const auto is_this = [&](const auto& entry) {
      return entry.header == function.header && entry.signature == function.signature;
    };
    const std::string name =
        function.header + ":" + std::to_string(function.line) + ": " + function.signature;
    if (const auto row = std::ranges::find_if(rows_, is_this); row != rows_.end()) {
      if (takes_token(function) != (row->promises.token != Ends::cannot_be_asked)) {
        found.push_back(name + " takes a token, or its row does, but not both");
      }
      if (takes_time(function) != has_own_deadline(row->promises)) {
        found.push_back(name + " takes a time, or its row does, but not both");
      }
    } else if (looks_blocking(function) && std::ranges::none_of(harmless_, is_this)) {
      found.push_back(name + " looks as if it blocked, and has no row");
    }
  }
  const auto expect_among = [&found](const auto& entries, const std::set<Name>& names,
                                     const char* otherwise) {
    for (const auto& entry : entries) {
      if (!names.contains({entry.header, entry.signature})) {
        found.push_back(entry.header + otherwise + entry.signature);
      }
    }
  };
  expect_among(rows_, declared, " does not declare ");
  expect_among(harmless_, suspected, " has nothing that looks as if it blocked and is called ");
  return found;
}

void BlockingRows::expect_complete() const {
  std::vector<PublicFunction> functions;
  for (const std::string& name : public_headers(layer_)) {
    for (PublicFunction& function : public_functions(name)) {
      functions.push_back(std::move(function));
    }
  }
  for (const std::string& complaint : complaints(functions)) ADD_FAILURE() << complaint;
  for (const Row& row : rows_) {
    const bool obeys = row.promises.ambient != Ends::goes_on;
    EXPECT_EQ(std::string(row.promises.why).empty(), obeys) << row.signature;
  }
}

// A line for each row, under a title for each header.
std::string BlockingRows::table(bool with_figures) const {
  std::ostringstream text;
  std::string of_header;
  for (const Row& row : rows_) {
    if (row.header != of_header) {
      if (!of_header.empty()) text << "\n";
      of_header = row.header;
      text << "### `" << of_header << "`\n\n"
           << "| call | token | ambient stop | deadline | raise | idle: p50, p99, max "
           << "| busy: p50, p99, max |\n|---|---|---|---|---|---|---|\n";
    }
    const Promises& promises = row.promises;
    const bool of_scope = !has_own_deadline(promises) && promises.deadline != Ends::goes_on;
    text << "| `" << row.signature << "` | " << to_string(promises.token) << " | "
         << to_string(promises.ambient) << " | " << (of_scope ? "of a scope: " : "")
         << to_string(promises.deadline) << " | " << to_string(promises.raise) << " | ";
    if (with_figures && promises.ambient != Ends::goes_on) {
      text << stop_latency(row.prepare, promises.ambient, Machine::idle) << " | "
           << stop_latency(row.prepare, promises.ambient, Machine::busy) << " |\n";
    } else {
      text << "– | – |\n";
    }
  }
  return text.str();
}

// Those that do not obey, by the reason.
std::string BlockingRows::exceptions() const {
  std::vector<const char*> reasons;
  for (const Row& row : rows_) {
    const char* const why = row.promises.why;
    if (*why != '\0' && std::ranges::find(reasons, std::string_view(why)) == reasons.end()) {
      reasons.push_back(why);
    }
  }
  std::ostringstream text;
  for (const char* const why : reasons) {
    const char* separator = "- ";
    for (const Row& row : rows_) {
      if (std::string_view(row.promises.why) != why) continue;
      text << separator << "`" << row.signature << "`";
      separator = ", ";
    }
    text << ": " << why << ".\n";
  }
  return text.str();
}

void BlockingRows::expect_documented() const {
  StoppingPage page;
  if (StoppingPage::is_to_be_written()) {
    disarm_watchdog();  // to measure takes its time
    page.write(layer_ + ": calls", table(true));
    page.write(layer_ + ": exceptions", exceptions());
  } else {
    page.expect_but_for_figures(layer_ + ": calls", table(false));
    page.expect_but_for_figures(layer_ + ": exceptions", exceptions());
  }
}

}  // namespace rouse::test
