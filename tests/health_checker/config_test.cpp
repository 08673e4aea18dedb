#include "config.hpp"

#include "config_file.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
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
using testing::Not;
using testing::StartsWith;

struct Parsed {
  Config config;
  std::vector<ConfigError> errors;
};

Parsed parsed(const std::string& text) {
  Parsed result;
  result.config = parse_config(text, "f.toml", result.errors);
  return result;
}

std::string report_of(const std::string& text) { return error_report(parsed(text).errors); }

std::string check(const std::string& name, const std::string& more = "") {
  return "[[check]]\nname = \"" + name + "\"\ntype = \"load\"\n" + more;
}

TEST(Config, ReadsChecksInOrderWithTheirDefaults) {
  const Parsed result = parsed(check("b") + check("a"));
  ASSERT_THAT(result.errors, IsEmpty());
  ASSERT_EQ(result.config.checks.size(), 2U);
  const CheckConfig& first = result.config.checks[0];
  EXPECT_EQ(first.name, "b");
  EXPECT_EQ(first.type, "load");
  EXPECT_EQ(first.period, 60s);
  EXPECT_EQ(first.timeout, 10s);
  EXPECT_EQ(first.rise, 1);
  EXPECT_EQ(first.fall, 1);
  EXPECT_NE(first.checker, nullptr);
  EXPECT_EQ(result.config.checks[1].name, "a");
}

TEST(Config, ChecksOverrideDefaults) {
  const Parsed result = parsed(
      "[defaults]\nperiod = \"5m\"\ntimeout = \"20s\"\nrise = 2\nfall = 3\n" + check("a") +
      check("b", "period = \"1s\"\nrise = 4\n") + check("c", "timeout = \"250ms\"\nfall = 9\n"));
  ASSERT_THAT(result.errors, IsEmpty());
  const auto& checks = result.config.checks;
  EXPECT_EQ(checks[0].period, 5min);
  EXPECT_EQ(checks[0].timeout, 20s);
  EXPECT_EQ(checks[0].rise, 2);
  EXPECT_EQ(checks[0].fall, 3);
  EXPECT_EQ(checks[1].period, 1s);
  EXPECT_EQ(checks[1].timeout, 1s) << "the default is cut to the period";
  EXPECT_EQ(checks[1].rise, 4);
  EXPECT_EQ(checks[2].timeout, 250ms);
  EXPECT_EQ(checks[2].fall, 9);
}

TEST(Config, ReadsHowTheEngineRunsThem) {
  EXPECT_EQ(parsed(check("a")).config.engine, EngineKind::pool);
  const Parsed result = parsed("engine = \"threads\"\nmost_at_once = 3\n" + check("a"));
  ASSERT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(result.config.engine, EngineKind::threads);
  EXPECT_EQ(result.config.most_at_once, 3U);
  EXPECT_THAT(report_of("engine = \"fast\"\nmost_at_once = 0\n" + check("a")),
              testing::AllOf(HasSubstr("one of 'pool', 'threads'"),
                             HasSubstr("'most_at_once' must be an integer between 1 and 4096")));
}

TEST(Config, ReadsWhenAndInWhichOrderTheyRun) {
  const Parsed result =
      parsed(check("a", "urgency = \"high\"\ngroup = \"web\"\nperiod = \"5m\"\n") +
             check("b", "cron = \"0 8 * * MON-FRI\"\ntime_zone = \"UTC\"\nrecheck = \"2s\"\n"));
  ASSERT_THAT(result.errors, IsEmpty());
  const auto& checks = result.config.checks;
  EXPECT_EQ(checks[0].urgency, rouse::Urgency::high);
  EXPECT_EQ(checks[0].group, "web");
  EXPECT_EQ(checks[0].recheck, 30s) << "a tenth of the period";
  EXPECT_FALSE(checks[0].cron);
  EXPECT_EQ(checks[1].urgency, rouse::Urgency::normal);
  EXPECT_TRUE(checks[1].cron);
  EXPECT_EQ(checks[1].recheck, 2s);
  EXPECT_EQ(checks[1].timeout, 10s);

  EXPECT_THAT(report_of(check("a", "cron = \"0 25 * * *\"\n")),
              testing::AllOf(StartsWith("f.toml:4:"), HasSubstr("'cron': "), HasSubstr("hour")));
  EXPECT_THAT(report_of(check("a", "cron = \"@daily\"\nperiod = \"5m\"\n")),
              HasSubstr("'period' and 'cron' exclude each other"));
  EXPECT_THAT(report_of(check("a", "time_zone = \"UTC\"\n")), HasSubstr("without 'cron'"));
  EXPECT_THAT(report_of(check("a", "group = \"a\\u0007\"\n")), HasSubstr("'group' must be"));
}

TEST(Config, ALogNeedsNoSecondLine) {
  const std::string log =
      "[[check]]\nname = \"l\"\ntype = \"log\"\nfile = \"f\"\npattern = \"p\"\n";
  const std::string defaults = "[defaults]\nfall = 4\n";
  EXPECT_EQ(parsed(defaults + log).config.checks[0].fall, 1);
  EXPECT_EQ(parsed(defaults + log + "fall = 2\n").config.checks[0].fall, 2);
}

TEST(Config, TellsWhichChecksAreTheSame) {
  const auto text = [](const std::string& config) { return parsed(config).config.checks[0].text; };
  EXPECT_EQ(text(check("a", "window = \"1m\"\nperiod = \"60s\"\n")),
            text("# moved\n\n" + check("a", "period = \"60s\"\nwindow = \"1m\"\n")));
  EXPECT_NE(text(check("a")), text(check("a", "period = \"61s\"\n")));
  EXPECT_NE(text(check("a")), text("[defaults]\nperiod = \"61s\"\n" + check("a")));
}

TEST(Config, ReadsWhereTheServerListens) {
  EXPECT_FALSE(parsed(check("a")).config.server);
  const auto server = [](const std::string& listen) {
    return parsed("[server]\nlisten = \"" + listen + "\"\n" + check("a"));
  };
  EXPECT_EQ(server("127.0.0.1:8080").config.server->address, "127.0.0.1");
  EXPECT_EQ(server("127.0.0.1:8080").config.server->port, 8080);
  EXPECT_EQ(server("[::1]:0").config.server->address, "::1");
  for (const char* const wrong : {"8080", ":8080", "::1:8080", "[::1]:", "[::1]:-1", "[::1]:65536",
                                  "127.0.0.1:1x", "localhost:8080"}) {
    EXPECT_THAT(error_report(server(wrong).errors), HasSubstr("'listen' must be")) << wrong;
  }
  EXPECT_THAT(report_of("[server]\n" + check("a")), HasSubstr("'listen' is missing"));
  EXPECT_THAT(report_of("server = 1\n" + check("a")), HasSubstr("'server' must be a table"));
}

TEST(Config, ReadsTheTokenFromItsFile) {
  const rouse::test::TemporaryDirectory folder;
  const auto with = [&](const std::string& text) {
    return parsed("[server]\nlisten = \"[::1]:1\"\ntoken_file = \"" + folder.write("t", text) +
                  "\"\n" + check("a"));
  };
  EXPECT_EQ(with("secret\nmore\n").config.server->token, "secret");
  EXPECT_THAT(error_report(with("").errors), HasSubstr("there is no token"));
  EXPECT_THAT(
      report_of("[server]\nlisten = \"[::1]:1\"\ntoken_file = \"/nowhere/t\"\n" + check("a")),
      HasSubstr("'token_file': No such file"));
}

TEST(Config, DisabledChecksAreCheckedButNotRun) {
  const Parsed result = parsed(check("a", "enabled = false\n") + check("b"));
  ASSERT_THAT(result.errors, IsEmpty());
  ASSERT_EQ(result.config.checks.size(), 1U);
  EXPECT_EQ(result.config.checks[0].name, "b");
  EXPECT_THAT(report_of(check("a", "enabled = false\nperid = 1\n") + check("b")),
              HasSubstr("unknown key 'perid'"));
  EXPECT_THAT(report_of(check("a", "enabled = false\n")), HasSubstr("no check is enabled"));
}

TEST(Config, ShowsAllMistakesAtOnce) {
  const std::string report = report_of(
      "[defaults]\n"
      "perid = 1\n"
      "[[check]]\n"
      "name = \"web\"\n"
      "type = \"htpp\"\n"
      "[[check]]\n"
      "name = \"web\"\n"
      "type = \"load\"\n"
      "period = \"500ms\"\n"
      "[[check]]\n"
      "type = \"load\"\n"
      "timeout = \"2m\"\n"
      "fall = 0\n"
      "[other]\n");
  EXPECT_THAT(report,
              StartsWith("f.toml:2:1: defaults: unknown key 'perid'; did you mean 'period'?\n"
                         "f.toml:5:8: check 'web': unknown type 'htpp'; did you mean 'http'?"));
  EXPECT_THAT(report, HasSubstr("f.toml:7:8: check 'web': the name is taken already, in line 4\n"));
  EXPECT_THAT(report, HasSubstr("f.toml:9:10: check 'web': 'period' must be a duration between 1s "
                                "and 1d"));
  EXPECT_THAT(report, HasSubstr("f.toml:10:1: check 3: 'name' is missing\n"));
  EXPECT_THAT(report, HasSubstr("f.toml:12:11: check 3: 'timeout' (2m) must not be longer than the "
                                "period (1m)\n"));
  EXPECT_THAT(report,
              HasSubstr("f.toml:13:8: check 3: 'fall' must be an integer between 1 and 100"));
  EXPECT_THAT(report, HasSubstr(": unknown key 'other'\n"));
}

TEST(Config, TellsWhereTheSyntaxIsWrong) {
  EXPECT_THAT(report_of("a = 1\nb = = 2\n"), StartsWith("f.toml:2:"));
  EXPECT_THAT(report_of("name = \"\xff\"\n"), StartsWith("f.toml:1:"));
  EXPECT_THAT(report_of("a = 1\na = 2\n"), StartsWith("f.toml:2:"));
}

TEST(Config, WantsChecks) {
  EXPECT_THAT(report_of(""), HasSubstr("there are no checks"));
  EXPECT_THAT(report_of("check = []\n"), HasSubstr("there are no checks"));
  EXPECT_THAT(report_of("[check]\nname = \"a\"\n"), HasSubstr("write [[check]]"));
  EXPECT_THAT(report_of("check = [1, 2]\n"), HasSubstr("write [[check]]"));
  EXPECT_THAT(report_of("[[chek]]\nname = \"a\"\n"), HasSubstr("did you mean 'check'?"));
  EXPECT_THAT(report_of("defaults = 1\n" + check("a")), HasSubstr("must be a table"));
}

TEST(Config, WantsNamesThatCanBeShownAndTyped) {
  EXPECT_THAT(report_of(check("")), HasSubstr("'name' must not be empty"));
  EXPECT_THAT(report_of(check("a\\nb")), HasSubstr("control characters"));
  EXPECT_THAT(report_of(check(" a")), HasSubstr("blank"));
  EXPECT_THAT(report_of(check(std::string(101, 'x'))), HasSubstr("longer than 100 bytes"));
  EXPECT_THAT(report_of(check("Größe der Platte")), IsEmpty());
}

TEST(Config, RefusesWhatNestsTooDeep) {
  std::string dots = "a";
  for (int i = 0; i < 100'000; ++i) dots += ".a";
  std::string arrays = "a = " + std::string(100'000, '[');
  std::string tables = "a = ";
  for (int i = 0; i < 100'000; ++i) tables += "{a=";
  for (const std::string& text : {dots + " = 1\n", "[" + dots + "]\n", arrays, tables}) {
    const Parsed result = parsed(text);
    ASSERT_EQ(result.errors.size(), 1U);
    EXPECT_THAT(result.errors[0].message, HasSubstr("nested too deep"));
    EXPECT_EQ(result.errors[0].line, 1U);
  }
}

TEST(Config, FindsNestingBehindStringsAndComments) {
  std::string deep = "x";
  for (int i = 0; i < 20; ++i) deep += ".x";
  for (const char* before :
       {"# [[[\"\n", "a = \"[[[ \\\" \"\n", "a = '[[[\\'\n", "a = \"\"\"[[\n\"\" x\\\"\"\"\"\n",
        "a = '''[[\n'' x'''''\n", "a = \"\"\n", "a = \"\"\"\"\"\"\n"}) {
    EXPECT_TRUE(find_deep_nesting(before + deep + " = 1\n", "f")) << before;
    EXPECT_FALSE(find_deep_nesting(before + std::string("b = 1\n"), "f")) << before;
  }
  const std::string many_dots = "a = \"" + std::string(1000, '.') + "\" # " + std::string(99, '[');
  EXPECT_FALSE(find_deep_nesting(many_dots, "f"));
  EXPECT_FALSE(find_deep_nesting("a = [\n" + std::string(1000, ' ') + "1.5, 1.5, 1.5]\n", "f"));
  EXPECT_FALSE(find_deep_nesting("\"", "f"));
  EXPECT_FALSE(find_deep_nesting("\"\\", "f"));
}

TEST(Config, CapsTheNumberOfChecks) {
  std::string text;
  for (std::size_t i = 0; i <= most_checks; ++i) text += "[[check]]\n";
  const Parsed result = parsed(text);
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_THAT(result.errors[0].message, HasSubstr("more than 20000 checks"));
}

TEST(Config, CapsTheErrorsThatAreShown) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "[[check]]\nname = 1\ntype = \"load\"\n";
  const std::string report = report_of(text);
  EXPECT_EQ(std::ranges::count(report, '\n'), 51);
  EXPECT_THAT(report, testing::EndsWith("and 50 more errors\n"));
}

class ConfigFile : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  std::string write(const std::string& name, const std::string& text) const {
    return folder_.write(name, text);
  }

  static std::string error_of(const std::string& file) {
    std::vector<ConfigError> errors;
    (void)load_config(file, errors);
    return error_report(errors);
  }

  rouse::test::TemporaryDirectory folder_;
};

TEST_F(ConfigFile, IsReadFromAFileOrALinkToOne) {
  const std::string file = write("a.toml", check("a"));
  std::filesystem::create_symlink(file, path("link"));
  std::vector<ConfigError> errors;
  EXPECT_EQ(load_config(file, errors).checks.size(), 1U);
  EXPECT_EQ(load_config(path("link"), errors).checks.size(), 1U);
  EXPECT_THAT(errors, IsEmpty());
}

TEST_F(ConfigFile, MustBeThere) {
  EXPECT_EQ(error_of(path("none")),
            path("none") + ": cannot be opened: No such file or directory\n");
}

TEST_F(ConfigFile, MustBeAFile) {
  EXPECT_EQ(error_of(folder_.path().string()),
            folder_.path().string() + ": is a directory, not a file\n");
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(error_of(path("fifo")), path("fifo") + ": is a FIFO, not a file\n");
  EXPECT_EQ(error_of("/dev/null"), "/dev/null: is a device, not a file\n");
}

TEST_F(ConfigFile, MustBeReadable) {
  const std::string file = write("secret", check("a"));
  ASSERT_EQ(::chmod(file.c_str(), 0), 0);
  // Root may read everything: as root the test is somebody else for the moment.
  const uid_t me = ::geteuid();
  constexpr uid_t nobody = 65534;
  ASSERT_EQ(me == 0 ? ::seteuid(nobody) : 0, 0);
  const std::string error = error_of(file);
  ASSERT_EQ(me == 0 ? ::seteuid(me) : 0, 0);
  EXPECT_EQ(error, file + ": cannot be opened: Permission denied\n");
}

TEST_F(ConfigFile, MustNotBeHuge) {
  const std::string comment(largest_config - check("a").size() - 1, '#');
  EXPECT_EQ(error_of(write("most", comment + "\n" + check("a"))), "");
  EXPECT_THAT(error_of(write("more", comment + "#\n" + check("a"))), HasSubstr("is larger than"));
}

TEST_F(ConfigFile, NameIsEscapedInMessages) {
  EXPECT_THAT(error_of(path("a\nb")), Not(HasSubstr("\nb")));
}

}  // namespace
}  // namespace health
