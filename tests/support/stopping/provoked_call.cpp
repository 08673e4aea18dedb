#include "support/stopping/provoked_call.hpp"

#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"

#include <atomic>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds short_time{2};
constexpr std::chrono::hours long_time{1};

struct Raised {};

Ends end_of(const Scene& scene, const Given& given) {
  try {
    return scene.call(given);
  } catch (const Stopped&) {
    return Ends::throws_stopped;
  } catch (const Raised&) {
    return Ends::throws_raised;
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::timed_out) return Ends::throws_timed_out;
    ADD_FAILURE() << "it throws: " << error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "it throws: " << error.what();
  }
  return Ends::throws_something_else;
}

// Whether it sleeps in a wait of the library. Who has been woken does not, though it may not have
// run yet.
bool sleeps(const InterruptibleThread& thread) {
  if (!thread.activity().blocked_for) return false;
  std::ifstream file("/proc/self/task/" + std::to_string(thread.native_id()) + "/stat");
  std::string stat;
  std::getline(file, stat);
  return stat.find(") S ") != std::string::npos;
}

}  // namespace

const char* to_string(EndBy by) noexcept {
  switch (by) {
    case EndBy::release:
      return "what it waits for";
    case EndBy::token:
      return "a token";
    case EndBy::ambient:
      return "the ambient stop";
    case EndBy::own_deadline:
      return "its deadline";
    case EndBy::scope_deadline:
      return "the deadline of a scope";
    case EndBy::raise:
      return "a raised exception";
  }
  return "?";
}

const char* to_string(Ends ends) noexcept {
  switch (ends) {
    case Ends::cannot_be_asked:
      return "–";
    case Ends::goes_on:
      return "no";
    case Ends::ready:
      return "`ready`";
    case Ends::stopped:
      return "`stopped`";
    case Ends::timeout:
      return "`timeout`";
    case Ends::false_:
      return "`false`";
    case Ends::empty:
      return "`nullopt`";
    case Ends::stragglers:
      return "its report";
    case Ends::throws_stopped:
      return "throws `Stopped`";
    case Ends::throws_timed_out:
      return "throws `timed_out`";
    case Ends::throws_raised:
      return "thrown";
    case Ends::throws_something_else:
      return "throws something else";
  }
  return "?";
}

Ending provoke(const Scene& scene, EndBy by, Ends expected, std::chrono::nanoseconds pause) {
  std::stop_source source;
  const Given given{by == EndBy::token ? source.get_token() : std::stop_token(),
                    by == EndBy::own_deadline ? std::chrono::nanoseconds(short_time) : long_time};
  Ending ending;
  steady_clock::time_point began;
  steady_clock::time_point returned_at;
  std::atomic<bool> begins{false};
  std::atomic<bool> returned{false};
  InterruptibleThread thread([&] {
    began = steady_clock::now();
    begins = true;
    if (by == EndBy::scope_deadline) {
      StopScope scope = StopScope::with_deadline(began + short_time);
      const this_thread::Bind bind(scope);
      ending.how = end_of(scene, given);
    } else {
      ending.how = end_of(scene, given);
    }
    returned_at = steady_clock::now();
    returned = true;
  });
  thread.start();

  const bool by_time = by == EndBy::own_deadline || by == EndBy::scope_deadline;
  while (!begins) std::this_thread::yield();
  // Its time may be over before that can be seen.
  while (!by_time && !returned && !sleeps(thread)) std::this_thread::yield();
  ending.blocked = !returned;
  if (pause > pause.zero()) std::this_thread::sleep_for(pause);

  const steady_clock::time_point asked_at = steady_clock::now();
  switch (by) {
    case EndBy::release:
      scene.release();
      break;
    case EndBy::token:
      source.request_stop();
      break;
    case EndBy::ambient:
      thread.request_stop();
      break;
    case EndBy::raise:
      EXPECT_TRUE(thread.raise<Raised>());
      break;
    case EndBy::own_deadline:
    case EndBy::scope_deadline:
      break;
  }
  if (expected == Ends::goes_on) {
    while (by_time && steady_clock::now() < began + 2 * short_time) std::this_thread::yield();
    while (!returned && !sleeps(thread)) std::this_thread::yield();
    ending.went_on = !returned;
    scene.release();
  }
  thread.join();
  if (by_time) ending.blocked = returned_at >= began + short_time;
  ending.took = returned_at - asked_at;
  scene.release();
  return ending;
}

}  // namespace rouse::test
