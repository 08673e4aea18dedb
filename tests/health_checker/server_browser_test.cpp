// The status page as a person meets it, in the real Chromium. With ROUSE_SCREENSHOTS=<folder> it
// leaves pictures of itself there.

#include "server/server.hpp"
#include "support/browser.hpp"
#include "support/child_process.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::Browser;

class StatusPage : public testing::Test {
 protected:
  // Not in the time of a test: a busy machine starts a browser slowly.
  static void SetUpTestSuite() { browser_ = new Browser; }
  static void TearDownTestSuite() {
    delete browser_;
    browser_ = nullptr;
  }
  static Browser& browser() { return *browser_; }

  void add(const std::string& name, const std::string& type, const std::string& group,
           std::optional<Status> state, const std::string& message, std::chrono::nanoseconds took,
           std::vector<Figure> figures = {}) {
    results_.add(name, type, group);
    if (!state) return;
    results_.update(
        name, *state,
        {.status = *state, .message = message, .duration = took, .figures = std::move(figures)});
  }

  void add_some() {
    add("shop front", "http", "Shop", Status::ok, "200 OK in 84.2 ms", 84ms,
        {{"latency", 84.2, "ms"}, {"size", 18211, "B"}});
    add("checkout", "http", "Shop", Status::critical,
        "503 Service Unavailable in 2104.7 ms, an unexpected status", 2105ms,
        {{"latency", 2104.7, "ms"}, {"size", 312, "B"}});
    add("payment gateway", "tcp", "Shop", Status::warning, "connected in 412.0 ms, too slow",
        412ms);
    add("search index", "http", "Shop", Status::ok, "200 OK in 31.9 ms", 32ms);
    add("orders", "tcp", "Databases", Status::ok, "connected in 0.8 ms", 820us);
    add("orders replica", "command", "Databases", Status::warning, "replication is 48 s behind",
        61ms);
    add("sessions", "tcp", "Databases", Status::ok, "connected in 0.4 ms", 410us);
    add("reports", "tcp", "Databases", Status::unknown, "name look-up: no answer", 5s);
    for (const char* const host : {"alpha", "beta", "gamma"}) {
      const std::string name = host;
      add(name + " disk /", "disk", "Machines", Status::ok, "61.3 % of 240 GiB used", 3ms,
          {{"used", 61.3, "%"}});
      add(name + " memory", "memory", "Machines", Status::ok, "5.1 GiB of 16 GiB available", 1ms);
      add(name + " load", "load", "Machines", Status::ok, "0.42 per CPU", 1ms);
    }
    add("nightly backup", "file", "Machines", std::nullopt, "", 0s);
  }

  /// Somebody may have the port for a moment.
  std::unique_ptr<Server> listening_on(std::uint16_t port) {
    const auto limit = std::chrono::steady_clock::now() + rouse::test::child_limit;
    for (;;) {
      try {
        return std::make_unique<Server>(ServerOptions{.port = port},
                                        ServerSources{.results = results_}, log_);
      } catch (const std::system_error&) {
        if (std::chrono::steady_clock::now() >= limit) throw;
        std::this_thread::yield();
      }
    }
  }

  /// Hours that the test has not waited for, for the pictures.
  static void invent_histories() {
    browser().run(R"(
      let seed = 7;
      const random = () => (seed = seed * 16807 % 2147483647) / 2147483647;
      for (const check of checks.values()) {
        if (!check.state) continue;
        const base = check.duration_ms || 1, bad = byNumber.indexOf(check.state);
        const buckets = Array.from({ length: 48 }, (_, i) => {
          const late = bad > 0 && i > 44 - random() * 6, blip = random() < .012;
          const ms = base * (late ? 1 : bad > 0 ? .3 : 1) * (.75 + random() * .5);
          return [10, late ? 10 : blip ? 1 : 0, ms, late ? bad : blip ? 1 : 0];
        });
        const failed = buckets.reduce((sum, bucket) => sum + bucket[1], 0);
        histories.set(check.name, { uptime: 1 - failed / 480, buckets, width: 300 });
        asked.set(check.name, Infinity);
      }
      draw();
      if (opened !== null) showDetails();)");
  }

  static void picture(const std::string& name) {
    const char* const folder = std::getenv("ROUSE_SCREENSHOTS");
    if (folder == nullptr) return;
    invent_histories();
    std::ofstream(std::string(folder) + "/" + name + ".png", std::ios::binary)
        << browser().screenshot();
  }

  static bool selected(const std::string& name) {
    return browser().sees("document.querySelector('.row.current .name').textContent === '" + name +
                          "' && $('grid').getAttribute('aria-activedescendant') === "
                          "document.querySelector('.row.current').id");
  }

  Results results_;
  Log log_{LogOptions{}};

 private:
  static Browser* browser_;
};

Browser* StatusPage::browser_ = nullptr;

TEST_F(StatusPage, IsUsedWithKeysAndClicks) {
  add_some();
  Server server({.news_interval = 10ms}, {.results = results_}, log_);
  browser().resize(1180, 720);
  browser().prefer_dark(false);
  browser().open(server.url());
  ASSERT_TRUE(browser().sees("$('live').dataset.state === 'live'"));
  ASSERT_TRUE(browser().sees("document.title === '1 critical · Health'"));
  EXPECT_TRUE(browser().sees("document.querySelectorAll('.section').length === 3"));
  EXPECT_TRUE(browser().sees("document.querySelector('.history svg')")) << "its history arrives";
  picture("status-light");

  // Search, by keys alone.
  browser().press("/");
  ASSERT_TRUE(browser().sees("document.activeElement.id === 'search'"));
  browser().type("orders");
  EXPECT_TRUE(
      browser().sees("document.querySelectorAll('#spacer .row:not(.section)').length === 2"));
  browser().press(Browser::down);
  EXPECT_TRUE(selected("orders"));
  browser().press(Browser::down);
  EXPECT_TRUE(selected("orders replica"));
  browser().press(Browser::enter);
  EXPECT_TRUE(browser().sees("$('details-name').textContent === 'orders replica'"));
  EXPECT_TRUE(browser().sees("document.activeElement.id === 'details'"));
  browser().press(Browser::tab);
  EXPECT_TRUE(browser().sees("document.activeElement.id === 'details-close'"));

  // News arrive, in the details too.
  results_.update("orders replica", Status::ok,
                  {.status = Status::ok, .message = "<b>caught</b> up & well"});
  EXPECT_TRUE(
      browser().sees("$('details').querySelector('.said').textContent === "
                     "'<b>caught</b> up & well'"));
  EXPECT_TRUE(browser().sees("document.querySelector('.row.current').classList.contains('ok')"));
  EXPECT_TRUE(browser().sees("$('spoken').textContent.startsWith('orders replica is ok')"));
  EXPECT_TRUE(browser().sees("document.activeElement.id === 'details-close'"));
  browser().press(Browser::escape);
  EXPECT_TRUE(browser().sees("$('details').hidden && document.activeElement.id === 'grid'"));
  browser().press(Browser::escape);
  EXPECT_TRUE(browser().sees("$('search').value === '' && items.length > 10"));

  // Filter, and the rest by clicks.
  browser().click(".chip.critical");
  EXPECT_TRUE(browser().sees("items.filter(item => item.check).length === 1"));
  browser().click("#spacer .row:not(.section)");
  EXPECT_TRUE(browser().sees("$('details-name').textContent === 'checkout'"));
  browser().click(".chip.critical");
  results_.update("orders replica", Status::warning,
                  {.status = Status::warning, .message = "replication is 48 s behind"});
  EXPECT_TRUE(browser().sees("checks.get('orders replica').state === 'warning'"));
  browser().click("#theme");
  EXPECT_TRUE(browser().sees("document.documentElement.dataset.theme === 'dark'"));
  picture("status-dark");
  browser().open(server.url());
  EXPECT_TRUE(browser().sees("document.documentElement.dataset.theme === 'dark'")) << "remembered";
  browser().run("localStorage.clear(); return '';");
  EXPECT_EQ(browser().complaints(), "[]") << "also of its own policy";
}

TEST_F(StatusPage, FitsAPhone) {
  add_some();
  Server server({}, {.results = results_}, log_);
  browser().resize(375, 740, true);
  browser().prefer_dark(true);
  browser().open(server.url());
  ASSERT_TRUE(browser().sees("$('live').dataset.state === 'live'"));
  EXPECT_TRUE(browser().sees("document.documentElement.dataset.theme === 'dark'"));
  EXPECT_TRUE(browser().sees("document.documentElement.scrollWidth <= 375"));
  EXPECT_TRUE(
      browser().sees("[...document.querySelectorAll('.row .name, button, input')].every("
                     "e => e.getBoundingClientRect().left >= 0)"));
  EXPECT_TRUE(browser().sees("document.querySelector('.row.critical').offsetHeight < 60"));
  browser().prefer_dark(false);
  EXPECT_TRUE(browser().sees("document.documentElement.dataset.theme === 'light'"));
  picture("status-phone");
  browser().click("#spacer .row.critical");
  EXPECT_TRUE(browser().sees("$('details').getBoundingClientRect().width === 375"));
  browser().click("#details-close");
  EXPECT_TRUE(browser().sees("$('details').hidden"));
}

TEST_F(StatusPage, AsksForTheToken) {
  add_some();
  Server server({.token = "secret"}, {.results = results_}, log_);
  browser().resize(1280, 800);
  browser().open(server.url());
  for (const std::string token : {"wrong", "secret"}) {
    ASSERT_TRUE(browser().sees("$('ask').open && $('token').value === ''"));
    browser().type(token);
    browser().press(Browser::enter);
  }
  EXPECT_TRUE(browser().sees("$('ask-why').textContent === 'That token is not the right one.'"));
  EXPECT_TRUE(browser().sees("$('live').dataset.state === 'live' && items.length > 10"));
  browser().open(server.url());
  EXPECT_TRUE(browser().sees("$('live').dataset.state === 'live'")) << "remembered in this tab";
  browser().run("sessionStorage.clear(); return '';");
}

TEST_F(StatusPage, StaysUsableWithTenThousandChecks) {
  for (int i = 0; i < 10000; ++i) {
    add("check " + std::to_string(i), "tcp", "Group " + std::to_string(i / 1000),
        i % 100 == 0 ? Status::critical : Status::ok, "connected", 1ms);
  }
  Server server({}, {.results = results_}, log_);
  browser().resize(1280, 800);
  browser().open(server.url());
  static_cast<void>(browser().complaints());  // of the pages before
  ASSERT_TRUE(browser().sees("$('live').dataset.state === 'live' && checks.size === 10000"));
  EXPECT_TRUE(browser().sees("document.querySelectorAll('.row').length < 60"));
  browser().press("/");
  browser().press(Browser::down);
  EXPECT_TRUE(selected("check 0"));
  browser().press(Browser::end);
  EXPECT_TRUE(selected("check 9999"));
  EXPECT_TRUE(browser().sees("document.querySelectorAll('.row').length < 60"));
  browser().press("/");
  browser().type("9876");
  EXPECT_TRUE(browser().sees("items.filter(item => item.check).length === 1"));
  EXPECT_EQ(browser().complaints(), "[]");
}

TEST_F(StatusPage, ConnectsAgain) {
  add_some();
  std::uint16_t port = 0;
  {
    Server server({}, {.results = results_}, log_);
    port = server.port();
    browser().open(server.url());
    ASSERT_TRUE(browser().sees("$('live').dataset.state === 'live'"));
    EXPECT_TRUE(server.stop(20s));
    EXPECT_TRUE(browser().sees("$('live').dataset.state === 'lost'"));
  }
  const auto server = listening_on(port);
  EXPECT_TRUE(browser().sees("$('live').dataset.state === 'live'"));
}

}  // namespace
}  // namespace health
