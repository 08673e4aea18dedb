// What all waits of autowait have in common: when they look, how they end, and several conditions
// at once.

#include "service/wait_loop.hpp"

#include "rouse/service/autowait.hpp"
#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/observed_call.hpp"
#include "support/temporary_directory.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::IsEmpty;
using until::event_set;
using until::file_exists;
using until::holds;

constexpr WaitOptions very_long{.timeout = hours::max()};
constexpr WaitOptions not_at_all{.timeout = seconds(0)};
constexpr PredicateOptions every_ms{.interval = milliseconds(1)};

/// A condition that says of itself what is done with it.
class ScriptedState final : public detail::ConditionState {
 public:
  using LookAt = std::function<detail::Look(detail::Sources&)>;

  ScriptedState(std::string& log, char name, LookAt look)
      : log_(log), name_(name), look_(std::move(look)) {}

  void begin() override {
    log_ += {name_, '('};
    if (!look_) throw std::runtime_error("cannot begin");
  }
  detail::Look look(detail::Sources& sources) override {
    log_ += name_;
    return look_(sources);
  }
  void end() noexcept override { log_ += {')', name_}; }
  std::string describe() const override { return "a script"; }
  const char* wait_name() const noexcept override { return "wait_until_scripted"; }

 private:
  std::string& log_;
  const char name_;
  const LookAt look_;
};

Condition scripted(std::string& log, char name, ScriptedState::LookAt look) {
  return Condition(std::make_shared<ScriptedState>(log, name, std::move(look)));
}

/// What the looks give in turn, a millisecond apart: 'y'es, 'n'o, 'm'ore.
ScriptedState::LookAt answers(std::string script) {
  return [script = std::move(script), at = 0U](detail::Sources& sources) mutable {
    sources.look_again(detail::Deadline::after(milliseconds(1)));
    switch (script.at(at++)) {
      case 'y':
        return detail::Look::yes;
      case 'm':
        return detail::Look::more;
      default:
        return detail::Look::no;
    }
  };
}

/// Waits for a file that does not come, until something ends that.
WaitStatus wait_in_vain(const TemporaryDirectory& directory, WaitTime timeout = hours::max(),
                        std::stop_token stop = {}) {
  return wait_until_file_exists(directory.path(), "none", {.timeout = timeout}, std::move(stop));
}

// --- when it looks
// ---------------------------------------------------------------------------------

TEST(WaitLoop, LooksOnceIfItHasNoTime) {
  for (const WaitTime timeout : {WaitTime(nanoseconds(0)), WaitTime(hours(-1))}) {
    int calls = 0;
    const PredicateOptions options{.timeout = timeout};
    EXPECT_EQ(wait_until([&] { return ++calls > 1; }, options), WaitStatus::timeout);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(wait_until([&] { return ++calls > 1; }, options), WaitStatus::ready);
  }
}

TEST(WaitLoop, LooksOnceMoreWhenTheTimeIsOver) {
  int calls = 0;
  const auto begin = steady_clock::now();
  EXPECT_EQ(
      wait_until([&] { return ++calls == 2; }, {.timeout = milliseconds(20), .interval = hours(1)}),
      WaitStatus::ready);
  EXPECT_GE(steady_clock::now() - begin, milliseconds(20));
  EXPECT_EQ(wait_until([&] { return ++calls > 4; },
                       {.timeout = milliseconds(1), .interval = hours::max()}),
            WaitStatus::timeout);
  EXPECT_EQ(calls, 3);
}

TEST(WaitLoop, LooksAgainAfterTheInterval) {
  int calls = 0;
  const auto begin = steady_clock::now();
  EXPECT_EQ(wait_until([&] { return ++calls == 6; }, {.interval = milliseconds(2)}),
            WaitStatus::ready);
  EXPECT_EQ(calls, 6);
  EXPECT_GE(steady_clock::now() - begin, 5 * milliseconds(2));
}

TEST(WaitLoop, LetsThroughWhatAPredicateThrows) {
  Event never;
  const auto throws = holds([]() -> bool { throw std::runtime_error("enough"); });
  EXPECT_THROW((void)wait_until(throws), std::runtime_error);
  EXPECT_THROW((void)wait_until_any({event_set(never), throws}), std::runtime_error);
  EXPECT_THROW((void)wait_until_all({event_set(never), throws}), std::runtime_error);
  never.set();
  EXPECT_EQ(wait_until(event_set(never), not_at_all), WaitStatus::ready);
}

TEST(WaitLoop, RefusesPredicatesThatCannotBeCalledOrAllTheTime) {
  EXPECT_THROW((void)holds(nullptr), std::invalid_argument);
  for (const auto interval : {nanoseconds(0), nanoseconds(-1)}) {
    EXPECT_THROW((void)holds([] { return true; }, {.interval = interval}), std::invalid_argument);
  }
}

TEST(WaitLoop, GoesOnWithALongLookWithoutAPause) {
  std::string log;
  EXPECT_EQ(wait_until(scripted(log, 'a', answers("mmmy")), not_at_all), WaitStatus::timeout);
  EXPECT_EQ(log, "a(aa)a");  // and once more when the time was over
  log.clear();
  EXPECT_EQ(wait_until(scripted(log, 'a', answers("mmny"))), WaitStatus::ready);
  EXPECT_EQ(log, "a(aaaa)a");
}

TEST(WaitLoop, EndsALookThatNeverEnds) {
  std::string log;
  int looks = 0;
  Event many;
  const auto endless = scripted(log, 'a', [&](detail::Sources&) {
    if (++looks == 100) many.set();
    return detail::Look::more;
  });
  std::stop_source source;
  ObservedCall wait([&] { return wait_until(endless, very_long, source.get_token()); });
  EXPECT_EQ(many.wait(), WaitStatus::ready);
  source.request_stop();
  EXPECT_EQ(wait.result(), WaitStatus::stopped);
  EXPECT_EQ(wait_until(endless, {.timeout = milliseconds(5)}), WaitStatus::timeout);
}

TEST(WaitLoop, EndsWhatHasBegun) {
  std::string log;
  const auto one = scripted(log, 'a', answers("n"));
  EXPECT_THROW((void)wait_until_any({one, scripted(log, 'b', {}), one}), std::runtime_error);
  EXPECT_EQ(log, "a(b()a");
  log.clear();
  const auto throws = scripted(
      log, 'b', [](detail::Sources&) -> detail::Look { throw std::runtime_error("no look"); });
  EXPECT_THROW((void)wait_until_any({one, throws}), std::runtime_error);
  EXPECT_THAT(log, testing::StartsWith("a(b(ab)"));
  EXPECT_THAT(log, testing::HasSubstr(")a"));
}

// --- how it ends
// -----------------------------------------------------------------------------------

TEST(WaitLoop, IsReadyThoughItWasStoppedIfTheConditionHolds) {
  const TemporaryDirectory directory;
  directory.write("file", "x");
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(wait_until_file_exists(directory.path(), "file", {}, source.get_token()),
            WaitStatus::ready);
  const this_thread::Bind bind(source.get_token());
  EXPECT_EQ(wait_until_file_exists(directory.path(), "file"), WaitStatus::ready);
  EXPECT_EQ(wait_in_vain(directory), WaitStatus::stopped);
  int calls = 0;
  EXPECT_EQ(wait_until([&] { return ++calls > 1; }), WaitStatus::stopped);
  EXPECT_EQ(calls, 1);
}

TEST(WaitLoop, EndsByItsTokenWhileItBlocks) {
  const TemporaryDirectory directory;
  Event never;
  const std::array<std::function<WaitStatus(std::stop_token)>, 4> waits = {
      [&](auto stop) { return wait_in_vain(directory, hours::max(), stop); },
      [&](auto stop) { return wait_until(event_set(never), very_long, stop); },
      [&](auto stop) {
        return wait_until([] { return false; }, {.timeout = hours::max(), .interval = hours(1)},
                          stop);
      },
      [&](auto stop) {
        return wait_until_all({file_exists(directory.path(), "none"), event_set(never)}, very_long,
                              stop)
            .status;
      }};
  for (const auto& wait : waits) {
    std::stop_source own;
    ObservedCall stopped([&] { return wait(own.get_token()); });
    stopped.await_blocked();
    own.request_stop();
    EXPECT_EQ(stopped.result(), WaitStatus::stopped);

    std::stop_source ambient;
    ObservedCall bound([&] {
      const this_thread::Bind bind(ambient.get_token());
      return wait({});
    });
    bound.await_blocked();
    ambient.request_stop();
    EXPECT_EQ(bound.result(), WaitStatus::stopped);
  }
}

TEST(WaitLoop, EndsAtTheEarlierOfItsTimeAndItsScopes) {
  const TemporaryDirectory directory;
  StopScope early = StopScope::with_deadline(milliseconds(5));
  {
    const this_thread::Bind bind(early);
    EXPECT_EQ(wait_in_vain(directory), WaitStatus::stopped);
    EXPECT_EQ(early.reason().kind, StopReason::deadline);
  }
  StopScope late = StopScope::with_deadline(hours(1));
  const this_thread::Bind bind(late);
  const auto begin = steady_clock::now();
  EXPECT_EQ(wait_in_vain(directory, milliseconds(5)), WaitStatus::timeout);
  EXPECT_GE(steady_clock::now() - begin, milliseconds(5));
}

TEST(WaitLoop, ThrowsWhatIsRaisedAtItsThread) {
  struct RaisedInWait {};
  const TemporaryDirectory directory;
  Event never;
  const std::array<std::pair<const char*, std::function<void()>>, 3> waits = {
      {{"wait_until_file_exists", [&] { (void)wait_in_vain(directory); }},
       {"wait_until_event_set", [&] { (void)wait_until(event_set(never), very_long); }},
       {"wait_until", [&] {
          (void)wait_until([] { return false; }, {.timeout = hours::max(), .interval = hours(1)});
        }}}};
  for (const auto& [name, wait] : waits) {
    bool thrown = false;
    InterruptibleThread thread([&thrown, &wait = wait] {
      try {
        wait();
      } catch (const RaisedInWait&) {
        thrown = true;
      }
    });
    thread.start();
    await_blocked_in(thread, name);
    EXPECT_TRUE(thread.raise<RaisedInWait>());
    thread.join();
    EXPECT_TRUE(thrown);
  }
}

TEST(WaitLoop, GoesOnUnderAShield) {
  const TemporaryDirectory directory;
  std::stop_source ambient;
  ObservedCall wait([&] {
    const this_thread::Bind bind(ambient.get_token());
    const Shield shield;
    return wait_until_file_exists(directory.path(), "file", {.timeout = hours::max()});
  });
  wait.await_blocked();
  ambient.request_stop();
  directory.write("file", "x");
  EXPECT_EQ(wait.result(), WaitStatus::ready);
}

TEST(WaitLoop, TellsWhatItWaitsForInReports) {
  const TemporaryDirectory directory;
  Event never;
  const auto file = file_exists(directory.path(), "none");
  const auto named = [&](const char* name, const std::function<void()>& wait) {
    StoppableThread thread(wait);
    thread.start();
    await_blocked_in(thread, name);
    EXPECT_EQ(stop_all(std::array{&thread}, seconds(20)).stopped, 1U);
  };
  named("wait_until_file_exists", [&] { (void)wait_until(file, very_long); });
  named("wait_until_any", [&] { (void)wait_until_any({file, event_set(never)}, very_long); });
  named("wait_until_all", [&] { (void)wait_until_all({file, event_set(never)}, very_long); });
}

// --- an Event
// --------------------------------------------------------------------------------------

TEST(EventSet, IsReadyWhenTheEventIsSet) {
  Event event;
  EXPECT_EQ(wait_until(event_set(event), not_at_all), WaitStatus::timeout);
  const auto condition = event_set(event);
  ObservedCall wait([&] { return wait_until(condition, very_long); });
  wait.await_blocked();
  event.set();
  EXPECT_EQ(wait.result(), WaitStatus::ready);
  EXPECT_EQ(wait_until(condition, not_at_all), WaitStatus::ready);
  event.clear();
  EXPECT_EQ(wait_until(condition, not_at_all), WaitStatus::timeout);
}

TEST(EventSet, IsReadyThoughTheEventIsClearedAtOnce) {
  Event event;
  const auto condition = event_set(event);
  for (int i = 0; i < 10; ++i) {
    ObservedCall wait([&] { return wait_until(condition, very_long); });
    wait.await_blocked();
    event.set();
    event.clear();
    EXPECT_EQ(wait.result(), WaitStatus::ready);
  }
}

TEST(EventSet, MustHoldWhenTheOthersDo) {
  Event pulse;
  int looks = 0;
  const auto third_look = holds(
      [&] {
        if (++looks == 1) {
          pulse.set();
          pulse.clear();
        }
        return looks > 2;
      },
      every_ms);
  const AllReady late =
      wait_until_all({event_set(pulse), third_look}, {.timeout = milliseconds(50)});
  EXPECT_EQ(late.status, WaitStatus::timeout);
  EXPECT_THAT(late.missing, ElementsAre(0U));
  EXPECT_EQ(looks, 3);
}

// --- several
// ---------------------------------------------------------------------------------------

TEST(WaitUntilAny, TellsTheFirstThatHolds) {
  const TemporaryDirectory directory;
  Event event;
  const auto file = file_exists(directory.path(), "file");
  const auto set = event_set(event);
  const auto never = holds([] { return false; }, {.interval = hours(1)});
  EXPECT_EQ(wait_until_any({file, set, never}, not_at_all).status, WaitStatus::timeout);

  ObservedCall for_file([&] { return wait_until_any({never, set, file}, very_long); });
  for_file.await_blocked();
  directory.write("file", "x");
  EXPECT_EQ(for_file.result(), (AnyReady{WaitStatus::ready, 2}));
  EXPECT_EQ(file.path(), directory / "file");
  std::filesystem::remove(directory / "file");

  ObservedCall for_event([&] { return wait_until_any({never, set, file}, very_long); });
  for_event.await_blocked();
  event.set();
  EXPECT_EQ(for_event.result(), (AnyReady{WaitStatus::ready, 1}));
  EXPECT_EQ(file.path(), "");

  directory.write("file", "x");
  EXPECT_EQ(wait_until_any({never, file, set}), (AnyReady{WaitStatus::ready, 1}));
  EXPECT_EQ(wait_until_any({never, set, file}), (AnyReady{WaitStatus::ready, 1}));
}

TEST(WaitUntilAny, WaitsForNothingUntilItsTimeIsOver) {
  EXPECT_EQ(wait_until_any({}, {.timeout = milliseconds(5)}).status, WaitStatus::timeout);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(wait_until_any({}, very_long, source.get_token()).status, WaitStatus::stopped);
}

TEST(WaitUntilAll, TellsWhatIsMissing) {
  const auto yes = [] { return true; };
  const auto no = [] { return false; };
  const AllReady late = wait_until_all({holds(no), holds(yes), holds(no)}, not_at_all);
  EXPECT_EQ(late.status, WaitStatus::timeout);
  EXPECT_THAT(late.missing, ElementsAre(0U, 2U));
  std::stop_source source;
  source.request_stop();
  const AllReady stopped = wait_until_all({holds(yes), holds(no)}, very_long, source.get_token());
  EXPECT_EQ(stopped.status, WaitStatus::stopped);
  EXPECT_THAT(stopped.missing, ElementsAre(1U));
  const AllReady all = wait_until_all({holds(yes), holds(yes)}, not_at_all);
  EXPECT_EQ(all.status, WaitStatus::ready);
  EXPECT_THAT(all.missing, IsEmpty());
  EXPECT_EQ(wait_until_all({}, not_at_all).status, WaitStatus::ready);
}

TEST(WaitUntilAll, LooksAgainAtWhatHeldEarlier) {
  std::string log;
  const auto all = wait_until_all(
      {scripted(log, 'a', answers("yny")), scripted(log, 'b', answers("nyy"))}, very_long);
  EXPECT_EQ(all.status, WaitStatus::ready);
  EXPECT_THAT(log, testing::StartsWith("a(b(abbaab)"));
}

TEST(WaitUntilAll, WaitsAgainForAFileThatHasGone) {
  const TemporaryDirectory directory;
  directory.write("one", "x");
  const auto one = file_exists(directory.path(), "one");
  const auto two = file_exists(directory.path(), "tw?");
  ObservedCall wait([&] { return wait_until_all({one, two}, very_long); });
  wait.await_blocked();
  std::filesystem::remove(directory / "one");
  directory.write("two", "x");
  directory.write("one", "x");
  EXPECT_EQ(wait.result().status, WaitStatus::ready);
  EXPECT_EQ(one.path(), directory / "one");
  EXPECT_EQ(two.path(), directory / "two");
  // Not both at the same time.
  std::filesystem::remove(directory / "one");
  const AllReady late = wait_until_all({one, two}, {.timeout = milliseconds(5)});
  EXPECT_EQ(late.status, WaitStatus::timeout);
  EXPECT_THAT(late.missing, ElementsAre(0U));
}

TEST(WaitUntilAll, IsReadyWithFilesThatComeInAnyOrder) {
  const TemporaryDirectory directory;
  std::vector<Condition> files;
  for (int i = 0; i < 20; ++i) {
    files.push_back(file_exists(directory / ("d" + std::to_string(i % 3)), std::to_string(i)));
  }
  ObservedCall wait([&] { return wait_until_all(files, very_long); });
  wait.await_blocked();
  for (int i = 20; i-- > 0;) {
    directory.write("d" + std::to_string(i % 3) + "/" + std::to_string(i), "x");
  }
  EXPECT_EQ(wait.result().status, WaitStatus::ready);
}

}  // namespace
}  // namespace rouse::test
