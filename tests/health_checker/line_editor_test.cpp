#include "line_editor.hpp"

#include "console.hpp"
#include "display.hpp"

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Outcome = LineEditor::Outcome;

constexpr std::string_view up = "\x1b[A";
constexpr std::string_view down = "\x1bOB";  // as in the terminal's other mode
constexpr std::string_view right = "\x1b[C";
constexpr std::string_view left = "\x1b[D";

struct Typing {
  // The last outcome that is not `none`. Lines are taken.
  Outcome type(std::string_view keys) {
    Outcome last = Outcome::none;
    for (const char key : keys) {
      const Outcome outcome = editor.feed(key);
      if (outcome != Outcome::none) last = outcome;
      if (outcome == Outcome::line) lines.push_back(editor.take_line());
    }
    return last;
  }
  void keys(std::string_view keys) { type(keys); }

  const std::vector<std::string> names{"disk", "web one", "web two", "Größe", "Grün", "\x1b[2J"};
  LineEditor editor{[this](std::string_view before) { return completions(before, names); }};
  std::vector<std::string> lines;
};

TEST(LineEditor, TakesALine) {
  Typing t;
  EXPECT_EQ(t.type("status"), Outcome::changed);
  EXPECT_EQ(t.editor.text(), "status");
  EXPECT_EQ(t.type("\r"), Outcome::line);
  EXPECT_EQ(t.editor.text(), "");
  t.keys("\nstop\n");
  EXPECT_THAT(t.lines, ElementsAre("status", "", "stop"));
}

TEST(LineEditor, MovesAndErasesByCharacters) {
  Typing t;
  t.keys("Grße");
  t.keys(left);
  t.keys(left);
  t.keys("ö");
  EXPECT_EQ(t.editor.text(), "Größe");
  t.keys("\x7f");
  EXPECT_EQ(t.editor.text(), "Grße");
  t.keys("\x1b[3~");  // Delete
  EXPECT_EQ(t.editor.text(), "Gre");
  t.keys("\x1b[H<");
  t.keys("\x1b[F>");
  t.keys("\x1b[1~[\x1b[4~]\x01{\x05}");
  EXPECT_EQ(t.editor.text(), "{[<Gre>]}");
  t.keys("\x02\x02\x0b");  // back, back, the rest
  EXPECT_EQ(t.editor.text(), "{[<Gre>");
  t.keys("\x01\x06\x06\x15");  // to the third, what is before it
  EXPECT_EQ(t.editor.text(), "<Gre>");
  t.keys("\x05 a  b\x17");  // a word
  EXPECT_EQ(t.editor.text(), "<Gre> a  ");
  t.keys("\x17\x17");
  EXPECT_EQ(t.editor.text(), "");
}

TEST(LineEditor, DoesNothingAtTheEdges) {
  Typing t;
  for (const std::string_view keys : {left, right, up, down, std::string_view("\x7f"),
                                      std::string_view("\x1b[3~\x0b\x15\x17\x01\x05")}) {
    t.keys(keys);
    EXPECT_EQ(t.editor.text(), "");
    EXPECT_EQ(t.editor.view(80).cursor, 0U);
  }
  EXPECT_EQ(t.type("\x04"), Outcome::end);
  t.keys("a");
  EXPECT_EQ(t.type("\x04"), Outcome::changed) << "deletes, where there is text";
  EXPECT_EQ(t.editor.text(), "a");
}

TEST(LineEditor, TakesNothingThatIsNoText) {
  Typing t;
  EXPECT_EQ(t.type("\x1b[5~\x1b[200~\x1b[1;5P\x1bx\x1bOP\x07\x1f\xff\xc3(\x80\xe2\x80\xae"),
            Outcome::changed);  // the bracket
  EXPECT_EQ(t.editor.text(), "(");
  t.keys(std::string(5000, 'x'));
  EXPECT_EQ(t.editor.text().size(), LineEditor::longest_line);
}

TEST(LineEditor, FindsLinesAgain) {
  Typing t;
  t.keys("one\ntwo\n  \nthree\ndraft");
  t.keys(up);
  EXPECT_EQ(t.editor.text(), "three");
  t.keys(up);
  EXPECT_EQ(t.editor.text(), "two");
  t.keys(up);
  t.keys(up);
  EXPECT_EQ(t.editor.text(), "one");
  for (int i = 0; i < 5; ++i) t.keys(down);
  EXPECT_EQ(t.editor.text(), "draft");
  t.keys(up);
  t.keys(up);
  t.keys("!\n");
  EXPECT_EQ(t.lines.back(), "two!");
  t.keys("\x10\x10\x10\x0e");  // Ctrl-P, Ctrl-N
  EXPECT_EQ(t.editor.text(), "three") << "what was changed is a line of its own";
}

TEST(LineEditor, RemembersEachLineOnceAndNotTooMany) {
  Typing t;
  t.keys("a\nb\na\n");
  t.keys(up);
  EXPECT_EQ(t.editor.text(), "a");
  t.keys(up);
  EXPECT_EQ(t.editor.text(), "b");
  t.keys(up);
  EXPECT_EQ(t.editor.text(), "b") << "nothing is before it";
  t.keys("\x15");
  for (std::size_t i = 0; i <= LineEditor::most_history; ++i) t.keys(std::to_string(i) + "\n");
  for (std::size_t i = 0; i <= LineEditor::most_history; ++i) t.keys(up);
  EXPECT_EQ(t.editor.text(), "1");
}

TEST(LineEditor, CompletesCommandsAndNames) {
  Typing t;
  EXPECT_EQ(t.type("che\t"), Outcome::changed);
  EXPECT_EQ(t.editor.text(), "check ");
  t.keys("d\t");
  EXPECT_EQ(t.editor.text(), "check disk");
  EXPECT_EQ(t.type("\t"), Outcome::none);
  t.keys(
      "\x15"
      "CHECK   w\t");
  EXPECT_EQ(t.editor.text(), "check web ");
  EXPECT_EQ(t.type("\t"), Outcome::choices);
  EXPECT_THAT(t.editor.choices(), ElementsAre("check web one", "check web two"));
  t.keys("t\t");
  EXPECT_EQ(t.editor.text(), "check web two");
  t.keys(
      "\x15"
      "check G\t");
  EXPECT_EQ(t.editor.text(), "check Gr") << "not half of a letter";
  EXPECT_EQ(t.type("\x15"
                   "nothing\t"),
            Outcome::changed);
  EXPECT_EQ(t.editor.text(), "nothing");
}

TEST(LineEditor, CompletesBeforeTheCursor) {
  Typing t;
  t.keys("check di!");
  t.keys(left);
  t.keys("\t");
  EXPECT_EQ(t.editor.text(), "check disk!");
}

TEST(Completions, AreWhatALineMayBecome) {
  const std::vector<std::string> names{"alpha", "a b", "beta", "a\nb"};
  EXPECT_THAT(completions("", names), ElementsAre("check ", "help", "status", "stop"));
  EXPECT_THAT(completions(" ST", names), ElementsAre("status", "stop"));
  EXPECT_THAT(completions("check", names), ElementsAre("check "));
  EXPECT_THAT(completions("check ", names), ElementsAre("check alpha", "check a b", "check beta"));
  EXPECT_THAT(completions("check a ", names), ElementsAre("check a b"));
  EXPECT_THAT(completions("stop ", names), IsEmpty());
}

TEST(LineEditor, ShowsThePartAroundTheCursor) {
  Typing t;
  t.keys("0123456789");
  EXPECT_EQ(t.editor.view(20).text, "0123456789");
  EXPECT_EQ(t.editor.view(20).cursor, 10U);
  EXPECT_EQ(t.editor.view(5).text, "6789");
  EXPECT_EQ(t.editor.view(5).cursor, 4U);
  t.keys("\x01");
  EXPECT_EQ(t.editor.view(5).text, "01234");
  EXPECT_EQ(t.editor.view(5).cursor, 0U);
  EXPECT_EQ(t.editor.view(0).text, "");
}

// Whatever is typed: the text stays printable, and the view fits.
TEST(LineEditor, StandsEverything) {
  constexpr std::string_view keys =
      "\x1b\x1b\x1b[[O~;139ABCDHF\t\r\x01\x05\x02\x06\x17\x7fäß€😀 check";
  std::mt19937 random(9);
  Typing t;
  for (int i = 0; i < 100'000; ++i) {
    const char key = random() % 8 == 0 ? static_cast<char>(random()) : keys[random() % keys.size()];
    t.keys({&key, 1});
    ASSERT_EQ(printable(t.editor.text()), t.editor.text());
    const std::size_t width = random() % 30 + 1;
    const LineEditor::View view = t.editor.view(width);
    ASSERT_LE(columns(view.text), width);
    ASSERT_EQ(printable(view.text), view.text);
    ASSERT_LT(view.cursor, width);
    ASSERT_LE(view.cursor, columns(view.text));
  }
}

}  // namespace
}  // namespace health
