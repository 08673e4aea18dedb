#pragma once
// AllocationRows: the public functions of a layer, each called with no memory left, at each of its
// allocations.
//
//   AllocationRows row;
//   row.header = "rouse/wait/event.hpp";
//   row("set", Promise::allocates_nothing, [] {
//     auto event = std::make_shared<Event>();
//     return [event] { event->set(); };
//   });
//   row.expect_promises_kept();
//   row.expect_complete("wait");
//
// Thread safety: the thread of the test, while nobody else allocates or opens anything.

#include <functional>
#include <initializer_list>
#include <new>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace rouse::test {

enum class Promise {
  allocates_nothing,
  throws,    // std::bad_alloc, for each allocation that fails
  survives,  // does its work without the memory
  throws_or_survives,
};

class AllocationRows {
 public:
  // Of the rows that follow:
  const char* header = nullptr;
  long one_by_one = 256;  ///< So many allocations; behind them ever fewer of a long loop fail.

  /// Adds a row: `prepare()` makes all that the call needs, and returns the call.
  template <class Prepare>
  void operator()(const char* function, Promise promise, Prepare prepare) {
    rows_.push_back({header, function, promise, one_by_one,
                     [prepare]() -> std::function<void()> { return prepare(); }});
  }

  /// Makes each call on a thread of its own that has never waited, with allocation 0, 1, 2 ...
  /// failing, until it needs no more. Nothing may leak: no memory, no descriptor.
  void expect_promises_kept() const;

  /// Each function of each header in include/rouse/`layer` has a row, but for the headers of
  /// `without`, which have no functions, or none that could allocate. In detail/, which is not for
  /// users, a row for each header will do.
  void expect_complete(const std::string& layer,
                       std::initializer_list<std::string_view> without = {}) const;

 private:
  struct Row {
    const char* header;
    const char* function;
    Promise promise;
    long one_by_one;
    std::function<std::function<void()>()> prepare;
  };

  static void run(const Row& row);

  std::vector<Row> rows_;
};

/// Whoever catches std::bad_alloc looks whether everything is as it was.
template <class Body, class Check>
void strongly(Body body, Check unchanged) {
  try {
    body();
  } catch (const std::bad_alloc&) {
    unchanged();
    throw;
  }
}

inline std::stop_token stopped_token() {
  std::stop_source source;
  source.request_stop();
  return source.get_token();
}

inline const std::string long_name = "a name that does not fit into a short string";

}  // namespace rouse::test
