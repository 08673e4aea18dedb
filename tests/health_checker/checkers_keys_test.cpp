// The keys that each kind reads from the configuration, and what it says of wrong ones.

#include "registry.hpp"
#include "settings.hpp"

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <toml++/toml.h>

namespace health {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// What is wrong with a check of `kind` that has the keys of `text`.
std::vector<std::string> errors_of(std::string_view kind, std::string_view text) {
  const toml::table table = toml::parse(text);
  std::vector<ConfigError> errors;
  Settings settings(table, "check 'x'", "test.toml", errors);
  EXPECT_NE(find_kind(kind)->make(settings), nullptr);
  settings.report_unknown_keys();
  std::vector<std::string> texts;
  for (const ConfigError& error : errors) texts.push_back(error.message);
  return texts;
}

TEST(CheckerKeys, AllOfThemAreTaken) {
  EXPECT_THAT(errors_of("tcp", R"(
    host = "h"
    port = 1
    send = "a"
    expect = "b"
    dns_servers = ["127.0.0.1:53"])"),
              IsEmpty());
  EXPECT_THAT(errors_of("http", R"(
    url = "http://h/"
    method = "POST"
    body = "a=b"
    redirects = 10
    expect = ["status < 300", "warning: json /ready == true"]
    verify = false
    status = ["200", "300-399"]
    latency_warning = "1s"
    latency_critical = "2s"
    body_regex = "a+"
    headers = ["Accept: */*"]
    dns_servers = [])"),
              IsEmpty());
  EXPECT_THAT(errors_of("log", R"(
    file = "/a"
    pattern = "a+"
    severity = "warning"
    hold = "5m")"),
              IsEmpty());
  EXPECT_THAT(errors_of("port", R"(
    port = 1
    protocol = "udp"
    address = "::1"
    state = "used"
    owner = "a")"),
              IsEmpty());
  EXPECT_THAT(errors_of("tls", R"(
    host = "h"
    port = 993
    server_name = "i"
    warning = "30d"
    critical = "10d"
    expect = ["latency < 1s", "days_left > 1"]
    verify = true
    dns_servers = [])"),
              IsEmpty());
  EXPECT_THAT(errors_of("process", R"(
    process = "a"
    path = "/a"
    command = "b"
    pid_file = "/c"
    min = 1
    max = 2)"),
              IsEmpty());
  EXPECT_THAT(errors_of("file", R"(
    path = "/a"
    state = "exists"
    kind = "regular"
    max_age = "1h"
    min_size = 1
    max_size = "1MiB")"),
              IsEmpty());
  EXPECT_THAT(errors_of("disk", R"(
    path = "/"
    warning = "80%"
    critical = 90
    inode_warning = "80%"
    inode_critical = "90%")"),
              IsEmpty());
  EXPECT_THAT(errors_of("memory", R"(
    warning = "10%"
    critical = "5%")"),
              IsEmpty());
  EXPECT_THAT(errors_of("load", R"(
    window = "15m"
    warning = 1
    critical = 2.5)"),
              IsEmpty());
  EXPECT_THAT(errors_of("command", R"(
    argv = ["true"]
    time_limit = "5s"
    grace = "1s")"),
              IsEmpty());
  EXPECT_THAT(errors_of("command", R"(shell = "exit 0")"), IsEmpty());
}

TEST(CheckerKeys, WhatIsMissingIsSaid) {
  EXPECT_THAT(errors_of("tcp", ""), ElementsAre(HasSubstr("host"), HasSubstr("port")));
  EXPECT_THAT(errors_of("http", ""), ElementsAre(HasSubstr("url")));
  EXPECT_THAT(errors_of("tls", ""), ElementsAre(HasSubstr("host")));
  EXPECT_THAT(errors_of("process", ""), ElementsAre(HasSubstr("pid_file")));
  EXPECT_THAT(errors_of("file", ""), ElementsAre(HasSubstr("path")));
  EXPECT_THAT(errors_of("disk", ""), ElementsAre(HasSubstr("path")));
  EXPECT_THAT(errors_of("command", ""), ElementsAre(HasSubstr("either 'argv'")));
}

TEST(CheckerKeys, WhatIsWrongIsSaid) {
  EXPECT_THAT(errors_of("http", "url = \"http://h/\"\nbody_regex = '(a'"),
              ElementsAre(AllOf(HasSubstr("body_regex"), HasSubstr("missing )"))));
  EXPECT_THAT(errors_of("http", "url = \"http://h/\"\nstatus = [\"2xx\", \"300-200\", \"99\"]"),
              ElementsAre(HasSubstr("2xx"), HasSubstr("300-200"), HasSubstr("99")));
  EXPECT_THAT(errors_of("http", "url = \"http://h/\"\nheaders = [\"a b: c\", \"x: y\\r\\nz: 1\"]"),
              ElementsAre(HasSubstr("a b"), HasSubstr("Name: value")));
  EXPECT_THAT(errors_of("http", "url = \"http://h/\"\nmethod = \"HEAD\"\nbody_regex = \"a\""),
              ElementsAre(HasSubstr("no body")));
  EXPECT_THAT(errors_of("http", "url = \"http://h/\"\nheaders = [\"Content-Length: 3\"]"),
              ElementsAre(HasSubstr("for the checker to say")));
  EXPECT_THAT(errors_of("http", "url = \"http://h/\"\nbody = \"a\""),
              ElementsAre(HasSubstr("none is sent with GET")));
  EXPECT_THAT(errors_of("http", "url = \"http://h/\"\nredirects = 11"),
              ElementsAre(HasSubstr("between 0 and 10")));
  EXPECT_THAT(
      errors_of("http", "url = \"http://h/\"\nmethod = \"HEAD\"\nexpect = ['json /a == 1']"),
      ElementsAre(HasSubstr("'json' is nothing to look at here")));
  EXPECT_THAT(errors_of("http", "url = \"http://h/\"\nexpect = ['days_left > 1']"),
              ElementsAre(HasSubstr("'days_left' is nothing to look at here")));
  EXPECT_THAT(errors_of("http", "url = \"https://h/\"\nca_file = \"/nowhere\""),
              ElementsAre(HasSubstr("'ca_file': /nowhere is not there")));
  EXPECT_THAT(errors_of("http", "url = \"https://h/\"\nca_file = \"/etc/passwd\""),
              ElementsAre(HasSubstr("cannot be read as certificates")));
  EXPECT_THAT(errors_of("http", "url = \"https://h/\"\nca_file = \"/dev/zero\""),
              ElementsAre(HasSubstr("is not a file")));
  EXPECT_THAT(errors_of("tls", "host = \"h\"\nverify = false\nca_file = \"/etc/passwd\""),
              ElementsAre(HasSubstr("no meaning")));
  EXPECT_THAT(errors_of("tls", "host = \"h\"\nwarning = \"1d\""),
              ElementsAre(HasSubstr("'warning'")));
  EXPECT_THAT(errors_of("process", "process = \"a\"\nmin = 3\nmax = 2"),
              ElementsAre(HasSubstr("'max'")));
  EXPECT_THAT(errors_of("file", "path = \"a\"\nmin_size = 3\nmax_size = 2"),
              ElementsAre(HasSubstr("'max_size'")));
  EXPECT_THAT(errors_of("file", "path = \"a\"\nstate = \"absent\"\nmax_age = \"1h\""),
              ElementsAre(HasSubstr("'max_age'")));
  EXPECT_THAT(errors_of("disk", "path = \"/\"\nwarning = 96"), ElementsAre(HasSubstr("'warning'")));
  EXPECT_THAT(errors_of("memory", "warning = 1"), ElementsAre(HasSubstr("'warning'")));
  EXPECT_THAT(errors_of("load", "warning = 9"), ElementsAre(HasSubstr("'warning'")));
  EXPECT_THAT(errors_of("command", "argv = [\"a\"]\nshell = \"b\""),
              ElementsAre(HasSubstr("either 'argv'")));
  EXPECT_THAT(errors_of("command", "argv = []"), ElementsAre(HasSubstr("the program")));
}

TEST(CheckerKeys, WhatIsWrongWithEventsIsSaid) {
  EXPECT_THAT(errors_of("log", "file = '/a'\npattern = '('"),
              ElementsAre(HasSubstr("'pattern': bad pattern: missing )")));
  EXPECT_THAT(errors_of("port", "port = 1\naddress = 'localhost'"),
              ElementsAre(HasSubstr("'address': ")));
  EXPECT_THAT(errors_of("port", "port = 1\nstate = 'free'\nowner = 'a'"),
              ElementsAre(HasSubstr("'owner' has no meaning")));
}

/// What docs/health_checker_checks.md has below "## kind".
std::string documented(std::string_view kind) {
  std::ifstream file(ROUSE_SOURCE_DIR "/docs/health_checker_checks.md");
  std::string section;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line.substr(3) == kind;
    if (inside) section += line + "\n";
  }
  return section;
}

TEST(CheckerKeys, AreDocumented) {
  const toml::table nothing;
  for (const Kind& kind : all_kinds()) {
    std::vector<ConfigError> errors;
    Settings settings(nothing, "", "", errors);
    (void)kind.make(settings);
    const std::string section = documented(kind.name);
    ASSERT_FALSE(settings.known_keys().empty());
    for (const std::string& key : settings.known_keys()) {
      EXPECT_THAT(section, HasSubstr("`" + key + "`")) << kind.name;
    }
  }
}

}  // namespace
}  // namespace health
