#include "support/stopping/stopping_page.hpp"

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

const char* const documented_page = ROUSE_SOURCE_DIR "/docs/stopping.md";
const char* const how_to_write_it = "; if the rows are right: bash tests/stopping/run.sh --publish";

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Where a section's text lies in the page.
struct Place {
  std::size_t begin = std::string::npos;
  std::size_t size = 0;
};

Place find(const std::string& page, const std::string& section) {
  const std::string first = "<!-- " + section + " -->\n";
  const std::size_t at = page.find(first);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + first.size();
  const std::size_t end = page.find("<!-- end -->\n", begin);
  return end == std::string::npos ? Place{} : Place{begin, end - begin};
}

// Table rows lose their last two cells.
std::string without_figures(const std::string& text) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| `")) {
      for (int cell = 0; cell < 2; ++cell) line.resize(line.rfind('|', line.size() - 2) + 1);
    }
    kept += line + "\n";
  }
  return kept;
}

}  // namespace

bool StoppingPage::is_to_be_written() { return std::getenv("ROUSE_STOPPING_PAGE") != nullptr; }

void StoppingPage::write(const std::string& section, const std::string& text) const {
  const char* const path = std::getenv("ROUSE_STOPPING_PAGE");
  std::string page = content_of(path);
  const Place place = find(page, section);
  ASSERT_NE(place.begin, std::string::npos) << path << " has no section '" << section << "'";
  page.replace(place.begin, place.size, text);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << page;
}

void StoppingPage::expect_but_for_figures(const std::string& section,
                                          const std::string& text) const {
  const std::string page = content_of(documented_page);
  const Place place = find(page, section);
  ASSERT_NE(place.begin, std::string::npos)
      << documented_page << " has no section '" << section << "'";
  EXPECT_EQ(without_figures(page.substr(place.begin, place.size)), without_figures(text))
      << documented_page << how_to_write_it;
}

}  // namespace rouse::test
