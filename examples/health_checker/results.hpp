#pragma once
// Results: what is known of every check. (table.hpp shows it to people.)
//
//   Results::Subscription news(results);
//   for (std::uint64_t seen = 0; news.wait() == rouse::WaitStatus::ready;) {
//     for (const Row& row : results.changes_since(seen).rows) show(row);
//   }
//
// Many read and few write: the table is under an RWLock, so that a page with ten thousand rows
// holds up no other reader, and a check that ends only while its row is copied.
// Thread safety: all functions from any thread.

#include "rouse/resource/id128.hpp"
#include "rouse/sync/rw_lock.hpp"
#include "rouse/wait/event.hpp"

#include "base_checker.hpp"
#include "history.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace health {

struct Row {
  std::string name = {};
  std::string type = {};
  std::string group = {};            ///< Empty: none.
  std::optional<Status> state = {};  ///< Empty: it has not run yet.
  CheckResult last = {};
  std::chrono::steady_clock::time_point when = {};   ///< Of the last result.
  std::chrono::steady_clock::time_point since = {};  ///< Of the first result in this state.
  rouse::Id128 run = {};                             ///< Of the last result.
  std::uint64_t runs = 0;                            ///< Since the check was added.
};

class Results {
 public:
  class Subscription;

  /// At the end. The name is new. `awaited`: all_have_run() waits for its first result.
  void add(std::string name, std::string type, std::string group = {}, bool awaited = true);
  void remove(std::string_view name);
  /// The rows of these names come first, in this order.
  void arrange(const std::vector<std::string>& names);

  /// Does nothing if there is no such name: its check was removed while it ran.
  void update(std::string_view name, Status state, CheckResult last, const rouse::Id128& run = {});

  /// In order.
  [[nodiscard]] std::vector<Row> rows() const;

  struct Changes {
    std::vector<Row> rows;
    bool all = false;  ///< These are all: rows were added, removed or moved.
  };
  /// The rows that have changed since the call that left `seen` as it is, which is set anew. 0 is
  /// before all.
  [[nodiscard]] Changes changes_since(std::uint64_t& seen) const;

  /// Whether each that is awaited has a result.
  [[nodiscard]] bool all_have_run() const;

  [[nodiscard]] std::optional<Row> row(std::string_view name) const;

  /// Empty if there is no such check.
  [[nodiscard]] std::vector<History::Bucket> history(std::string_view name) const;

 private:
  struct Entry {
    Row row;
    History history;
    std::uint64_t version = 0;
    bool awaited = true;
  };

  void tell();

  mutable rouse::RWLock lock_;  // of what follows
  std::vector<std::unique_ptr<Entry>> entries_;
  std::map<std::string, Entry*, std::less<>> by_name_;
  std::uint64_t version_ = 1;   // counts changes
  std::uint64_t arranged_ = 1;  // the version at which rows came or went

  std::mutex subscribers_mutex_;
  std::vector<Subscription*> subscribers_;
};

/// Hears of changes. One thread's; it ends before the Results do.
class Results::Subscription {
 public:
  explicit Subscription(Results& results);
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  /// Blocks until something has changed since the last call returned, or since it was made.
  /// `stopped` by the thread's stop.
  [[nodiscard]] rouse::WaitStatus wait();
  [[nodiscard]] rouse::WaitStatus wait_for(std::chrono::nanoseconds d);

 private:
  friend class Results;

  Results& results_;
  rouse::Event changed_;
};

/// "ok", or "warning (now ok)" where the last result is not the state.
std::string state_text(const Row& row);

/// The worst state of all: critical, then warning, then unknown. A row without a result is unknown.
Status worst(const std::vector<Row>& rows) noexcept;

}  // namespace health
