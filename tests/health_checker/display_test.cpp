#include "display.hpp"

#include <string>

#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;

TEST(Display, LeavesTextAlone) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("plain, with \\ and %s {}"), "plain, with \\ and %s {}");
  EXPECT_EQ(printable("Größe 日本 🙂"), "Größe 日本 🙂");
}

TEST(Display, EscapesControlCharacters) {
  EXPECT_EQ(printable("a\nb\rc\t"), "a\\x0Ab\\x0Dc\\x09");
  EXPECT_EQ(printable("\x1b[31m"), "\\x1B[31m");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\x7f"), "\\x7F");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xC2\\x9B");           // CSI as one character
  EXPECT_EQ(printable("\xE2\x80\xAE"), "\\xE2\\x80\\xAE");  // right-to-left override
  EXPECT_EQ(printable("\xE2\x80\xA8"), "\\xE2\\x80\\xA8");  // line separator
  // Zero width space, left-to-right mark, Arabic letter mark, word joiner, byte order mark.
  for (const char* const unseen :
       {"\u200B", "\u200E", "\u200F", "\u061C", "\u2060", "\u2064", "\uFEFF"}) {
    EXPECT_EQ(printable(unseen).find(unseen), std::string::npos) << printable(unseen);
  }
  EXPECT_EQ(printable("\u2010\u2065\u061B"), "\u2010\u2065\u061B") << "their neighbours";
}

TEST(Display, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(printable("\xff"), "\\xFF");
  EXPECT_EQ(printable("\xC3"), "\\xC3");  // cut off
  EXPECT_EQ(printable("\xE2\x82("), "\\xE2\\x82(");
  EXPECT_EQ(printable("\xC0\xAF"), "\\xC0\\xAF");  // overlong
  EXPECT_EQ(printable("\xE0\x80\xAF"), "\\xE0\\x80\\xAF");
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xED\\xA0\\x80");  // surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");
}

TEST(Display, EscapesOnce) {
  const std::string once = printable("a\n\xff");
  EXPECT_EQ(printable(once), once);
}

TEST(Display, CutsBetweenCharacters) {
  EXPECT_EQ(columns("äöü"), 3U);
  EXPECT_EQ(cut("äöü", 3), "äöü");
  EXPECT_EQ(cut("äöü", 2), "ä…");
  EXPECT_EQ(cut("äöü", 1), "…");
  EXPECT_EQ(cut("äöü", 0), "");
  EXPECT_EQ(cut("", 0), "");
  EXPECT_EQ(columns(cut("a long message", 6)), 6U);
}

TEST(Display, ShowsDurationsAsTheyAreWritten) {
  EXPECT_EQ(exact_text(0ms), "0s");
  EXPECT_EQ(exact_text(500ms), "500ms");
  EXPECT_EQ(exact_text(1500ms), "1500ms");
  EXPECT_EQ(exact_text(90s), "90s");
  EXPECT_EQ(exact_text(5min), "5m");
  EXPECT_EQ(exact_text(1h), "1h");
  EXPECT_EQ(exact_text(48h), "2d");
}

}  // namespace
}  // namespace health
