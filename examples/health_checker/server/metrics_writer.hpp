#pragma once
// MetricsWriter: figures in Prometheus' text format (0.0.4), which it cannot be made to break.
//
//   MetricsWriter metrics;
//   metrics.gauge("health_queue_length", "Checks that wait for a thread.", 3);
//   metrics.counter("health_runs_total", "Runs of checks.", 12, {{"group", "web"}});
//   send(metrics.text());
//
// Names are made valid, labels are escaped, a counter's name gets the "_total" that it should have.
// The samples of a name stand together, and of two with equal labels there is one: counters add up,
// of gauges the last one holds. A name is what it was first, a gauge or a counter.
// Thread safety: none of its own.

#include <deque>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace health {

class MetricsWriter {
 public:
  /// Names and values, where an empty value means the same as no label. Made once for several
  /// samples they are escaped once.
  class Labels {
   public:
    Labels() = default;
    Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> labels);

   private:
    friend class MetricsWriter;
    std::string text_;
  };

  void gauge(std::string_view name, std::string_view help, double value, const Labels& labels = {});
  void counter(std::string_view name, std::string_view help, double value,
               const Labels& labels = {});

  [[nodiscard]] std::string text() const;

 private:
  struct Sample {
    std::string labels;
    double value;
  };
  struct Family {
    std::string name;
    std::string help;
    bool counter;
    std::deque<Sample> samples;  // whose addresses stay
    std::unordered_map<std::string_view, Sample*> by_labels;
  };

  void add(std::string name, std::string_view help, bool counter, double value,
           const Labels& labels);

  std::deque<Family> families_;
  std::unordered_map<std::string_view, Family*> by_name_;
};

}  // namespace health
