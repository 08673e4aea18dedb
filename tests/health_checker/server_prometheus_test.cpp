// The real Prometheus reads /metrics, and so does its checker.

#include "rouse/wait/event.hpp"

#include "server/server.hpp"
#include "support/child_process.hpp"
#include "support/find_program.hpp"
#include "support/http_client.hpp"
#include "support/temporary_directory.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::ChildProcess;
using rouse::test::find_program;
using rouse::test::http_get;
using rouse::test::TemporaryDirectory;
using testing::HasSubstr;

class Prometheus {
 public:
  /// Scrapes `port` each second. Throws std::runtime_error if it does not come up.
  explicit Prometheus(std::uint16_t port, const std::string& token) {
    const std::string config = folder_.write(
        "prometheus.yml",
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: health\n"
        "    authorization:\n      credentials: " +
            token + "\n    static_configs:\n      - targets: ['127.0.0.1:" + std::to_string(port) +
            "']\n");
    std::ostringstream said;
    // Between our look at a free port and its own, somebody else may take it.
    for (int attempt = 0; attempt < 5; ++attempt) {
      port_ = free_port();
      process_ = std::make_unique<ChildProcess>(
          std::vector<std::string>{find_program("prometheus"), "--config.file=" + config,
                                   "--storage.tsdb.path=" + folder_ / "data",
                                   "--web.listen-address=127.0.0.1:" + std::to_string(port_)});
      if (process_->wait_for_output("Server is ready to receive web requests")) return;
      said << *process_;
    }
    throw std::runtime_error("prometheus does not start: " + said.str());
  }

  std::string query(const std::string& text) const {
    return http_get(port_, "/api/v1/query?query=" + text).body;
  }

 private:
  static std::uint16_t free_port() { return Listener("127.0.0.1", 0).port(); }

  TemporaryDirectory folder_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

class Metrics : public testing::Test {
 protected:
  Metrics() {
    results_.add("web \"1\"\n", "http", "outside\\");
    results_.update("web \"1\"\n", Status::critical,
                    {.status = Status::critical,
                     .message = "refused",
                     .figures = {{"load 1", 0.5, "%"}, {"load 1", 0.7, "%"}, {"\xff", 1, ""}}});
  }

  Results results_;
  Log log_{LogOptions{}};
};

TEST_F(Metrics, PassPromtool) {
  Server server({},
                {.results = results_,
                 .metrics =
                     [](MetricsWriter& writer) {
                       writer.counter("more", "", 1, {{"a", "b"}, {"a", "c"}});
                       writer.gauge("0 odd name!", "two\nlines", 1, {{"__x", "\"\\\n"}});
                     }},
                log_);
  ChildProcess promtool({find_program("promtool"), "check", "metrics"});
  promtool.write(http_get(server.port(), "/metrics").body);
  promtool.close_input();
  EXPECT_EQ(promtool.wait_for_exit(), 0) << promtool;
  EXPECT_EQ(promtool.output() + promtool.error(), "");
}

TEST_F(Metrics, AreScrapedByPrometheus) {
  // When the third scrape begins the first has been stored.
  std::atomic<int> scrapes = 0;
  rouse::Event scraped;
  Server server({.token = "secret"},
                {.results = results_,
                 .metrics =
                     [&](MetricsWriter&) {
                       if (++scrapes == 3) scraped.set();
                     }},
                log_);
  const Prometheus prometheus(server.port(), "secret");
  ASSERT_EQ(scraped.wait_for(rouse::test::child_limit), rouse::WaitStatus::ready);
  const std::string state = prometheus.query("health_check_state");
  EXPECT_THAT(state, HasSubstr(R"("name":"web \"1\"\\x0A")"));
  EXPECT_THAT(state, HasSubstr(R"("group":"outside\\")"));
  EXPECT_THAT(state, HasSubstr(R"(,"2"])"));
  EXPECT_THAT(prometheus.query("up"), HasSubstr(R"(,"1"])"));
  EXPECT_THAT(prometheus.query("sum(health_check_runs_total)"), HasSubstr(R"(,"1"])"));
}

}  // namespace
}  // namespace health
