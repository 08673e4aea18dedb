#pragma once
// BlockingRows: the blocking calls of a layer, each ended in all the ways that it promises.
//
//   BlockingRows row("wait");
//   row.header = "rouse/wait/event.hpp";
//   row("Event::wait(stop)", waits,
//       on<Event>([](Event& event, const Given& given) { return event.wait(given.stop); },
//                 [](Event& event) { event.set(); }));
//   row.expect_promises_kept();
//   row.expect_complete();
//   row.expect_documented();
//
// Thread safety: the thread of the test.

#include "rouse/thread/stop_all.hpp"
#include "rouse/wait/wait_any.hpp"
#include "rouse/wait/wait_status.hpp"

#include "support/public_headers.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

namespace rouse::test {

/// How a call ends when something asks it to.
enum class Ends : std::uint8_t {
  cannot_be_asked,  // it takes no such parameter
  goes_on,          // it does not obey: it blocks on
  ready,
  stopped,
  timeout,
  false_,
  empty,       // std::nullopt
  stragglers,  // a report that names them
  throws_stopped,
  throws_timed_out,
  throws_raised,
  throws_something_else,
};

struct Promises {
  Ends token = Ends::cannot_be_asked;
  Ends ambient = Ends::goes_on;
  Ends deadline = Ends::goes_on;  ///< The call's own, or if it has none, that of a bound StopScope.
  Ends raise = Ends::goes_on;
  const char* why = "";  ///< Where it does not obey a stop: why, and what does.
  bool released = true;  ///< Something else than time and stops ends it.
};

inline constexpr Promises waits{Ends::stopped, Ends::stopped, Ends::stopped, Ends::throws_raised};
inline constexpr Promises waits_for_a_time{Ends::stopped, Ends::stopped, Ends::timeout,
                                           Ends::throws_raised};
inline constexpr Promises asks_for_a_value{Ends::throws_stopped, Ends::throws_stopped,
                                           Ends::throws_stopped, Ends::throws_raised};

/// `promises` of a function that takes no token.
constexpr Promises without_token(Promises promises) {
  promises.token = Ends::cannot_be_asked;
  return promises;
}
constexpr Promises with_deadline(Promises promises, Ends deadline) {
  promises.deadline = deadline;
  return promises;
}
constexpr Promises without_release(Promises promises) {
  promises.released = false;
  return promises;
}
constexpr Promises nothing_ends(const char* why) { return {.why = why}; }
constexpr Promises only_time_ends(Ends deadline, const char* why) {
  return {.deadline = deadline, .why = why};
}

inline Ends how_ended(WaitStatus status) {
  return status == WaitStatus::ready     ? Ends::ready
         : status == WaitStatus::stopped ? Ends::stopped
                                         : Ends::timeout;
}
inline Ends how_ended(const AnyReady& any) { return how_ended(any.status); }
inline Ends how_ended(bool done) { return done ? Ends::ready : Ends::false_; }
inline Ends how_ended(const StopReport& report) { return report ? Ends::ready : Ends::stragglers; }
template <class T>
Ends how_ended(const std::optional<T>& value) {
  return value ? Ends::ready : Ends::empty;
}

/// What a call is given, as far as it takes it.
struct Given {
  std::stop_token stop;
  std::chrono::nanoseconds time;

  std::chrono::steady_clock::time_point until() const {
    return std::chrono::steady_clock::now() + time;
  }
};

/// A call that will block, and what makes it `ready`, which may be called more than once, also
/// after the call.
struct Scene {
  std::function<Ends(const Given&)> call;
  std::function<void()> release;
};

inline constexpr auto nothing_releases = [](auto&) {};

/// How to make a Scene of a new `Fixture`.
template <class Fixture, class Call, class Release>
std::function<Scene()> on(Call call, Release release) {
  return [call, release] {
    auto fixture = std::make_shared<Fixture>();
    return Scene{[fixture, call](const Given& given) {
                   if constexpr (std::is_void_v<std::invoke_result_t<Call, Fixture&, Given>>) {
                     call(*fixture, given);
                     return Ends::ready;
                   } else {
                     return how_ended(call(*fixture, given));
                   }
                 },
                 [fixture, release] { release(*fixture); }};
  };
}

class BlockingRows {
 public:
  /// Empty: of the headers in no layer.
  explicit BlockingRows(std::string layer) : layer_(std::move(layer)) {}

  const char* header = nullptr;  ///< Of the rows that follow.

  /// `signature` is PublicFunction's.
  void operator()(const char* signature, const Promises& promises, std::function<Scene()> prepare) {
    rows_.push_back({header, signature, promises, std::move(prepare)});
  }

  /// A function that looks as if it blocked, and a reader knows why it does not.
  void does_not_block(const char* signature, const char* why) {
    harmless_.push_back({header, signature, why});
  }

  /// Ends each call by what it waits for, a token, the ambient stop, a deadline and a raised
  /// exception; it blocks before.
  void expect_promises_kept() const;

  /// Each function of the layer's headers that looks as if it blocked has a row, or is said not to
  /// block; each row has its function.
  void expect_complete() const;
  /// What expect_complete() complains about, where `functions` are the headers'.
  std::vector<std::string> complaints(const std::vector<PublicFunction>& functions) const;

  /// docs/stopping.md has these rows and promises. If ROUSE_STOPPING_PAGE names a file, the stops
  /// are measured, and written there.
  void expect_documented() const;

 private:
  struct Row {
    std::string header;
    std::string signature;
    Promises promises;
    std::function<Scene()> prepare;
  };
  struct Harmless {
    std::string header;
    std::string signature;
    const char* why;
  };

  std::string table(bool with_figures) const;
  std::string exceptions() const;

  std::string layer_;
  std::vector<Row> rows_;
  std::vector<Harmless> harmless_;
};

}  // namespace rouse::test
