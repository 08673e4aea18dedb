#include "server/metrics_writer.hpp"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using testing::HasSubstr;

TEST(MetricsWriter, KeepsTheSamplesOfANameTogether) {
  MetricsWriter metrics;
  metrics.gauge("a", "What a is.", 1, {{"of", "x"}});
  metrics.counter("b_total", "What b is.", 2);
  metrics.gauge("a", "It was said.", 2.5, {{"of", "y"}});
  EXPECT_EQ(metrics.text(),
            "# HELP a What a is.\n# TYPE a gauge\na{of=\"x\"} 1\na{of=\"y\"} 2.5\n"
            "# HELP b_total What b is.\n# TYPE b_total counter\nb_total 2\n");
}

TEST(MetricsWriter, MergesEqualLabels) {
  MetricsWriter metrics;
  for (const double value : {1.0, 2.0}) {
    metrics.gauge("g", "G.", value, {{"of", "x"}});
    metrics.counter("c", "C.", value, {{"of", "x"}, {"empty", ""}});
  }
  EXPECT_THAT(metrics.text(), HasSubstr("gauge\ng{of=\"x\"} 2\n#"));
  EXPECT_THAT(metrics.text(), HasSubstr("counter\nc_total{of=\"x\"} 3\n"));
}

TEST(MetricsWriter, EscapesLabelsAndHelp) {
  MetricsWriter metrics;
  metrics.gauge("a", "two\nlines \\ and \"quotes\"", 1, {{"of", "a\"b\\c\nd\xff"}});
  EXPECT_EQ(metrics.text(),
            "# HELP a two\\\\x0Alines \\\\ and \"quotes\"\n# TYPE a gauge\n"
            "a{of=\"a\\\"b\\\\c\\\\x0Ad\\\\xFF\"} 1\n");
}

TEST(MetricsWriter, MakesNamesValid) {
  MetricsWriter metrics;
  metrics.gauge("1 bad-name", "", 1, {{"__name__", "a"}, {"9", "b"}, {"é", "c"}});
  metrics.gauge("", "", 2);
  EXPECT_EQ(metrics.text(),
            "# HELP x_1_bad_name x_1_bad_name\n# TYPE x_1_bad_name gauge\n"
            "x_1_bad_name{name__=\"a\",x_9=\"b\",x_=\"c\"} 1\n"
            "# HELP x_ x_\n# TYPE x_ gauge\nx_ 2\n");
}

TEST(MetricsWriter, LeavesANameWhatItWasFirst) {
  MetricsWriter metrics;
  metrics.counter("a", "A.", 1);
  metrics.gauge("a_total", "A.", 2);
  EXPECT_EQ(metrics.text(), "# HELP a_total A.\n# TYPE a_total counter\na_total 3\n");
}

TEST(MetricsWriter, WritesNumbersThatAreNone) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  MetricsWriter metrics;
  metrics.gauge("a", "A.", infinite, {{"of", "a"}});
  metrics.gauge("a", "A.", -infinite, {{"of", "b"}});
  metrics.gauge("a", "A.", std::numeric_limits<double>::quiet_NaN(), {{"of", "c"}});
  metrics.gauge("a", "A.", 1e300, {{"of", "d"}});
  EXPECT_THAT(metrics.text(), HasSubstr("a{of=\"a\"} +Inf\na{of=\"b\"} -Inf\na{of=\"c\"} NaN\n"
                                        "a{of=\"d\"} 1e+300\n"));
}

}  // namespace
}  // namespace health
