#include "settings.hpp"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A table from text, read as [table] "thing" in "f.toml".
struct Read {
  explicit Read(const std::string& text) : table(toml::parse(text)) {}

  std::string only_error() const {
    EXPECT_EQ(errors.size(), 1U);
    return errors.empty() ? "" : errors[0].to_string();
  }

  toml::table table;
  std::vector<ConfigError> errors;
  Settings settings{table, "thing", "f.toml", errors};
};

TEST(Settings, ReadsWhatIsThereAndDefaultsWhatIsNot) {
  Read read(R"(
host = "example.org"
port = 8080
ratio = 0.5
on = true
list = ["a", "b"]
)");
  Settings& s = read.settings;
  EXPECT_EQ(s.required_text("host"), "example.org");
  EXPECT_EQ(s.text("path", "/"), "/");
  EXPECT_EQ(s.integer("port", 80, 1, 65535), 8080);
  EXPECT_EQ(s.integer("other", 80, 1, 65535), 80);
  EXPECT_EQ(s.required_integer("port", 1, 65535), 8080);
  EXPECT_EQ(s.number("ratio", 0, 0, 1), 0.5);
  EXPECT_EQ(s.number("port", 0, 0, 1e6), 8080);
  EXPECT_TRUE(s.flag("on", false));
  EXPECT_FALSE(s.flag("off", false));
  EXPECT_THAT(s.text_list("list"), ElementsAre("a", "b"));
  EXPECT_THAT(s.text_list("none"), IsEmpty());
  EXPECT_TRUE(s.has("host"));
  EXPECT_FALSE(s.has("path"));
  s.report_unknown_keys();
  EXPECT_THAT(read.errors, IsEmpty());
}

TEST(Settings, TellsFileLineColumnAndTable) {
  Read read("a = 1\n  port = \"http\"\n");
  EXPECT_EQ(read.settings.integer("port", 80, 1, 65535), 80);
  EXPECT_EQ(read.only_error(),
            "f.toml:2:10: thing: 'port' must be an integer between 1 and 65535, but is 'http'");
}

TEST(Settings, CollectsAllErrors) {
  Read read("a = 1\nb = 2\nc = 3\n");
  (void)read.settings.text("a", "");
  (void)read.settings.flag("b", true);
  (void)read.settings.text_list("c");
  (void)read.settings.required_text("d");
  ASSERT_EQ(read.errors.size(), 4U);
  EXPECT_THAT(read.errors[0].message, HasSubstr("'a' must be a string, but is 1"));
  EXPECT_THAT(read.errors[1].message, HasSubstr("'b' must be true or false"));
  EXPECT_THAT(read.errors[2].message, HasSubstr("'c' must be an array of strings"));
  EXPECT_THAT(read.errors[3].message, HasSubstr("'d' is missing"));
}

TEST(Settings, RefusesNumbersOutOfRangeAndNotANumber) {
  Read read("a = 0\nb = 65536\nc = nan\nd = inf\ne = -1\n");
  EXPECT_EQ(read.settings.integer("a", 80, 1, 65535), 80);
  EXPECT_EQ(read.settings.integer("b", 80, 1, 65535), 80);
  EXPECT_EQ(read.settings.number("c", 0.5, 0, 1), 0.5);
  EXPECT_EQ(read.settings.number("d", 0.5, 0, 1), 0.5);
  EXPECT_EQ(read.settings.optional_bytes("e"), std::nullopt);
  EXPECT_EQ(read.errors.size(), 5U);
}

TEST(Settings, RefusesTextThatIsTooLongOrHoldsNul) {
  Read read("a = \"" + std::string(4097, 'x') + "\"\nb = \"x\\u0000y\"\nc = \"\"\n");
  EXPECT_EQ(read.settings.text("a", "default"), "default");
  EXPECT_EQ(read.settings.text("b", "default"), "default");
  EXPECT_EQ(read.settings.required_text("c"), "");
  EXPECT_EQ(read.errors.size(), 3U);
}

TEST(Settings, CapsLists) {
  std::string text = "a = [";
  for (int i = 0; i < 257; ++i) text += "\"x\",";
  Read read(text + "]\nb = [\"x\", 2]\n");
  EXPECT_THAT(read.settings.text_list("a"), IsEmpty());
  EXPECT_THAT(read.settings.text_list("b"), ElementsAre("x"));
  EXPECT_EQ(read.errors.size(), 2U);
}

TEST(Settings, ReadsDurations) {
  Read read("a = \"500ms\"\nb = \"10s\"\nc = \"5m\"\nd = \"1h\"\ne = \"1d\"\nf = 3\ng = 0.25\n");
  Settings& s = read.settings;
  EXPECT_EQ(s.duration("a", 0s, 0s, 48h), 500ms);
  EXPECT_EQ(s.duration("b", 0s, 0s, 48h), 10s);
  EXPECT_EQ(s.duration("c", 0s, 0s, 48h), 5min);
  EXPECT_EQ(s.duration("d", 0s, 0s, 48h), 1h);
  EXPECT_EQ(s.duration("e", 0s, 0s, 48h), 24h);
  EXPECT_EQ(s.duration("f", 0s, 0s, 48h), 3s);
  EXPECT_EQ(s.duration("g", 0s, 0s, 48h), 250ms);
  EXPECT_EQ(s.optional_duration("none", 0s, 48h), std::nullopt);
  EXPECT_THAT(read.errors, IsEmpty());
}

TEST(Settings, RefusesDurationsThatAreNone) {
  for (const char* value : {"\"\"",
                            "\"10\"",
                            "\"s\"",
                            "\"10 s\"",
                            "\"-10s\"",
                            "\"+10s\"",
                            "\"1.5s\"",
                            "\"10S\"",
                            "\"10sec\"",
                            "\"0x10s\"",
                            "\"9223372036854775807d\"",
                            "\"99999999999999999999s\"",
                            "9223372036854775807",
                            "-9223372036854775807",
                            "nan",
                            "inf",
                            "1e300",
                            "true",
                            "[]",
                            "\"2d\"",
                            "\"1ms\""}) {
    Read read(std::string("a = ") + value);
    EXPECT_EQ(read.settings.duration("a", 7s, 10ms, 24h), 7s) << value;
    EXPECT_THAT(read.only_error(), HasSubstr("duration between 10ms and 1d")) << value;
  }
}

TEST(Settings, ReadsSizes) {
  Read read("a = \"10MiB\"\nb = \"4k\"\nc = \"1GB\"\nd = 17\ne = \"2T\"\nf = \"0\"\n");
  Settings& s = read.settings;
  EXPECT_EQ(s.optional_bytes("a"), 10U << 20);
  EXPECT_EQ(s.optional_bytes("b"), 4096U);
  EXPECT_EQ(s.optional_bytes("c"), 1'000'000'000U);
  EXPECT_EQ(s.optional_bytes("d"), 17U);
  EXPECT_EQ(s.optional_bytes("e"), std::uint64_t{2} << 40);
  EXPECT_EQ(s.optional_bytes("f"), 0U);
  EXPECT_EQ(s.optional_bytes("none"), std::nullopt);
  EXPECT_THAT(read.errors, IsEmpty());
}

TEST(Settings, RefusesSizesThatAreNone) {
  for (const char* value : {"\"\"", "\"k\"", "\"-1k\"", "\"1.5G\"", "\"1 G\"", "\"1Gib\"",
                            "\"18446744073709551615k\"", "\"99999999999999999999\"", "-1", "1.5"}) {
    Read read(std::string("a = ") + value);
    EXPECT_EQ(read.settings.optional_bytes("a"), std::nullopt) << value;
    EXPECT_THAT(read.only_error(), HasSubstr("must be a size")) << value;
  }
}

TEST(Settings, ReadsShares) {
  Read read("a = \"90%\"\nb = 12.5\nc = 100\nd = \"101%\"\ne = \"90\"\nf = -1\n");
  Settings& s = read.settings;
  EXPECT_EQ(s.percent("a", 0), 90);
  EXPECT_EQ(s.percent("b", 0), 12.5);
  EXPECT_EQ(s.percent("c", 0), 100);
  EXPECT_THAT(read.errors, IsEmpty());
  EXPECT_EQ(s.percent("d", 5), 5);
  EXPECT_EQ(s.percent("e", 5), 5);
  EXPECT_EQ(s.percent("f", 5), 5);
  EXPECT_EQ(read.errors.size(), 3U);
}

TEST(Settings, ChoosesFromAFewWords) {
  Read read("a = \"udp\"\nb = \"sctp\"\n");
  EXPECT_EQ(read.settings.choice("a", {"tcp", "udp"}), "udp");
  EXPECT_EQ(read.settings.choice("none", {"tcp", "udp"}), "tcp");
  EXPECT_EQ(read.settings.choice("b", {"tcp", "udp"}), "tcp");
  EXPECT_THAT(read.only_error(), HasSubstr("one of 'tcp', 'udp', but is 'sctp'"));
}

TEST(Settings, SuggestsTheKeyThatWasMeant) {
  Read read("perid = 1\n  tiemout = 2\nNAME = 3\nzzz = 4\n");
  Settings& s = read.settings;
  (void)s.integer("period", 0, 0, 1);
  (void)s.integer("timeout", 0, 0, 1);
  s.report_unknown_keys({"name"});
  std::vector<std::string> texts;
  for (const ConfigError& error : read.errors) texts.push_back(error.to_string());
  EXPECT_THAT(texts, testing::UnorderedElementsAre(
                         "f.toml:1:1: thing: unknown key 'perid'; did you mean 'period'?",
                         "f.toml:2:3: thing: unknown key 'tiemout'; did you mean 'timeout'?",
                         "f.toml:3:1: thing: unknown key 'NAME'; did you mean 'name'?",
                         "f.toml:4:1: thing: unknown key 'zzz'"));
}

TEST(Settings, SuggestsNoKeyThatIsThere) {
  Read read("warn = 1\nwarm = 2\n");
  (void)read.settings.integer("warn", 0, 0, 10);
  read.settings.report_unknown_keys();
  EXPECT_THAT(read.only_error(), HasSubstr("unknown key 'warm'"));
  EXPECT_THAT(read.only_error(), testing::Not(HasSubstr("did you mean")));
}

TEST(Settings, EscapesWhatItShows) {
  Read read("\"a\\u001b[31m\\n\" = 1\n");
  read.settings.report_unknown_keys();
  EXPECT_THAT(read.only_error(), HasSubstr("unknown key 'a\\x1B[31m\\x0A'"));
}

}  // namespace
}  // namespace health
