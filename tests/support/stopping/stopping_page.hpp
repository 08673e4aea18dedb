#pragma once
// StoppingPage: docs/stopping.md, whose tables the tests know.
//
// A section lies between the lines <!-- NAME --> and <!-- end -->.
// Thread safety: one thread; one program at a time writes it.

#include <string>

namespace rouse::test {

class StoppingPage {
 public:
  /// Whether ROUSE_STOPPING_PAGE names a file that the sections are to be written to.
  static bool is_to_be_written();

  /// Puts `text` into the section.
  void write(const std::string& section, const std::string& text) const;

  /// The section is `text`, whatever stands in the last two columns of its rows.
  void expect_but_for_figures(const std::string& section, const std::string& text) const;
};

}  // namespace rouse::test
