// No memory, at each allocation of each function of this layer and of detail/: std::bad_alloc,
// nothing leaked, and what was there before is as it was. What must not throw does without.

#include "rouse/detail/thread_name.hpp"
#include "rouse/detail/unique_function.hpp"
#include "rouse/rouse.hpp"
#include "rouse/wait/event_watch.hpp"
#include "rouse/wait/wait_hint.hpp"

#include "support/faults/allocation_rows.hpp"
#include "support/faults/faults.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::StoppableThread;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::test::AllocationRows;
using rouse::test::allocations_made;
using rouse::test::long_name;
using rouse::test::Promise;
using rouse::test::stopped_token;
using rouse::test::strongly;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

// A descriptor that is readable, and one that is not; both are writable.
struct Descriptors {
  int ready = ::eventfd(1, EFD_CLOEXEC);
  int quiet = ::eventfd(0, EFD_CLOEXEC);
  ~Descriptors() {
    ::close(ready);
    ::close(quiet);
  }
};

// For functions that wait: nothing to wait for, and a stop that ends it at once.
template <class Wait>
auto stopped_wait(Wait wait) {
  return [wait] {
    struct State {
      Event event;
      std::array<Event, 20> many;
      std::vector<Event*> pointers;
      Descriptors descriptors;
      std::vector<::pollfd> fds;
      std::stop_token stop = stopped_token();
    };
    auto state = std::make_shared<State>();
    for (Event& event : state->many) state->pointers.push_back(&event);
    state->fds.assign(100, {state->descriptors.quiet, POLLIN, 0});
    return [state, wait] {
      EXPECT_EQ(wait(*state), WaitStatus::stopped);
      EXPECT_FALSE(state->event.is_set());
    };
  };
}

AllocationRows rows() {
  using enum Promise;
  AllocationRows row;

  row.header = "rouse/wait/event.hpp";
  row("Event", allocates_nothing, [] { return [] { EXPECT_TRUE(Event(true).is_set()); }; });
  row("set", allocates_nothing, [] {
    auto event = std::make_shared<Event>();
    return [event] { event->set(); };
  });
  row("set", allocates_nothing, [] {  // with a waiter
    struct State {
      Event event;
      StoppableThread waiter{[this] { EXPECT_EQ(event.wait(), WaitStatus::ready); }};
    };
    auto state = std::make_shared<State>();
    state->waiter.start();
    while (!state->waiter.activity().blocked_in.starts_with("Event")) std::this_thread::yield();
    return [state] { state->event.set(); };
  });
  row("clear", allocates_nothing, [] {
    auto event = std::make_shared<Event>(true);
    return [event] { event->clear(); };
  });
  row("is_set", allocates_nothing, [] {
    auto event = std::make_shared<Event>(true);
    return [event] { EXPECT_TRUE(event->is_set()); };
  });
  row("wait", allocates_nothing, [] {  // set already
    auto event = std::make_shared<Event>(true);
    return [event] { EXPECT_EQ(event->wait(), WaitStatus::ready); };
  });
  row("wait", throws, stopped_wait([](auto& s) { return s.event.wait(s.stop); }));
  row("wait_for", throws, stopped_wait([](auto& s) { return s.event.wait_for(1h, s.stop); }));
  row("wait_until", throws,
      stopped_wait([](auto& s) { return s.event.wait_until(steady_clock::now() + 1h, s.stop); }));

  row.header = "rouse/wait/event_watch.hpp";
  struct Watched {
    Event event;
    int calls = 0;
    rouse::detail::EventWatch watch{[](void* context) noexcept { ++*static_cast<int*>(context); },
                                    &calls};
  };
  row("EventWatch", allocates_nothing, [] { return [] { EXPECT_EQ(Watched().calls, 0); }; });
  row("~EventWatch", allocates_nothing, [] {
    auto watched = std::make_shared<std::optional<Watched>>(std::in_place);
    return [watched] { watched->reset(); };
  });
  row("start", allocates_nothing, [] {
    auto watched = std::make_shared<Watched>();
    return [watched] {
      EXPECT_TRUE(watched->watch.start(watched->event));
      watched->event.set();
      EXPECT_EQ(watched->calls, 1);
    };
  });
  row("cancel", allocates_nothing, [] {
    auto watched = std::make_shared<Watched>();
    EXPECT_TRUE(watched->watch.start(watched->event));
    return [watched] { EXPECT_TRUE(watched->watch.cancel()); };
  });

  row.header = "rouse/wait/fd.hpp";
  row("wait_readable", throws,
      stopped_wait([](auto& s) { return rouse::wait_readable(s.descriptors.quiet, s.stop); }));
  row("wait_readable_for", throws, stopped_wait([](auto& s) {
        return rouse::wait_readable_for(s.descriptors.quiet, 1h, s.stop);
      }));
  row("wait_readable_until", throws, stopped_wait([](auto& s) {
        return rouse::wait_readable_until(s.descriptors.quiet, steady_clock::now() + 1h, s.stop);
      }));
  const auto writable = [](auto wait) {
    return [wait] {
      auto descriptors = std::make_shared<Descriptors>();
      return [wait, descriptors] { EXPECT_EQ(wait(descriptors->quiet), WaitStatus::ready); };
    };
  };
  row("wait_writable", throws, writable([](int fd) { return rouse::wait_writable(fd); }));
  row("wait_writable_for", throws,
      writable([](int fd) { return rouse::wait_writable_for(fd, 1h); }));
  row("wait_writable_until", throws,
      writable([](int fd) { return rouse::wait_writable_until(fd, steady_clock::now() + 1h); }));
  row("wait_fds", throws, stopped_wait([](auto& s) { return rouse::wait_fds(s.fds, s.stop); }));
  row("wait_fds_for", throws,
      stopped_wait([](auto& s) { return rouse::wait_fds_for(s.fds, 1h, s.stop); }));
  row("wait_fds_until", throws, stopped_wait([](auto& s) {
        return rouse::wait_fds_until(s.fds, steady_clock::now() + 1h, s.stop);
      }));

  row.header = "rouse/wait/shield.hpp";
  row("Shield", throws, [] {
    return [] {
      const rouse::Shield shield;
      EXPECT_FALSE(rouse::this_thread::stop_token().stop_possible());
    };
  });
  row("~Shield", throws, [] {
    return [] {
      std::optional<rouse::Shield> shield(std::in_place);
      const long before = allocations_made();
      shield.reset();
      EXPECT_EQ(allocations_made(), before);
    };
  });

  row.header = "rouse/wait/sleep.hpp";
  row("sleep_for", throws, stopped_wait([](auto& s) { return rouse::sleep_for(1h, s.stop); }));
  row("sleep_until", throws, stopped_wait([](auto& s) {
        return rouse::sleep_until(std::chrono::system_clock::now() + 1h, s.stop);
      }));

  row.header = "rouse/wait/stop_scope.hpp";
  row("StopReason", allocates_nothing, [] {
    return [] { EXPECT_EQ(rouse::StopReason("why").kind, rouse::StopReason::requested); };
  });
  row("StopScope", throws, [] { return [] { EXPECT_FALSE(StopScope().stop_requested()); }; });
  row("StopScope", throws, [] {
    auto parent = std::make_shared<StopScope>();
    return [parent] {
      strongly([&] { EXPECT_FALSE(StopScope(*parent).stop_requested()); },
               [&] { EXPECT_FALSE(parent->stop_requested()); });
    };
  });
  row("StopScope", throws, [] {
    auto source = std::make_shared<std::stop_source>();
    return [source] { EXPECT_FALSE(StopScope(source->get_token()).stop_requested()); };
  });
  row("with_deadline", throws,
      [] { return [] { EXPECT_FALSE(StopScope::with_deadline(1h).stop_requested()); }; });
  row("with_deadline", throws, [] {
    auto parent = std::make_shared<StopScope>();
    return [parent] { EXPECT_FALSE(StopScope::with_deadline(1h, *parent).stop_requested()); };
  });
  row("with_deadline", throws, [] {
    auto source = std::make_shared<std::stop_source>();
    return [source] {
      EXPECT_FALSE(StopScope::with_deadline(1h, source->get_token()).stop_requested());
    };
  });
  const auto on_scope = [](auto body) {
    return [body] {
      struct Tree {
        StopScope root;
        StopScope child{root};
      };
      auto tree = std::make_shared<Tree>();
      return [tree, body] { body(tree->root, tree->child); };
    };
  };
  row("request_stop", allocates_nothing, on_scope([](StopScope& root, StopScope& child) {
        EXPECT_TRUE(root.request_stop("enough"));
        EXPECT_TRUE(child.stop_requested());
      }));
  row("stop_requested", allocates_nothing,
      on_scope([](StopScope&, StopScope& child) { EXPECT_FALSE(child.stop_requested()); }));
  row("token", allocates_nothing,
      on_scope([](StopScope&, StopScope& child) { EXPECT_TRUE(child.token().stop_possible()); }));
  row("reason", allocates_nothing, on_scope([](StopScope&, StopScope& child) {
        EXPECT_EQ(child.reason().kind, rouse::StopReason::none);
      }));
  row("deadline", allocates_nothing, on_scope([](StopScope&, StopScope& child) {
        EXPECT_EQ(child.deadline(), steady_clock::time_point::max());
      }));

  row.header = "rouse/wait/this_thread.hpp";
  row("stop_token", allocates_nothing,
      [] { return [] { EXPECT_FALSE(rouse::this_thread::stop_token().stop_possible()); }; });
  row("Bind", throws, [] {
    auto source = std::make_shared<std::stop_source>();
    return [source] {
      strongly([&] { const Bind bind(source->get_token()); },
               [] { EXPECT_FALSE(rouse::this_thread::stop_token().stop_possible()); });
    };
  });
  row("Bind", throws, on_scope([](StopScope& root, StopScope& child) {
        strongly([&] { const Bind bind(child); }, [&] { EXPECT_FALSE(root.stop_requested()); });
      }));
  row("Bind", throws, [] {  // two that have nothing to do with each other: a scope joins them
    struct Two {
      StopScope outer;
      StopScope inner = StopScope::with_deadline(1h);
    };
    auto two = std::make_shared<Two>();
    return [two] {
      const Bind bind_outer(two->outer);
      strongly(
          [&] {
            const Bind bind_inner(two->inner);
            two->outer.request_stop();
            EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
          },
          [&] { EXPECT_EQ(rouse::this_thread::stop_token(), two->outer.token()); });
    };
  });

  row.header = "rouse/wait/wait_any.hpp";
  row("wait_any", throws,
      stopped_wait([](auto& s) { return rouse::wait_any(s.pointers, s.stop).status; }));
  row("wait_any", throws,
      stopped_wait([](auto& s) { return rouse::wait_any(s.event, s.many[0], s.stop).status; }));
  row("wait_any_for", throws,
      stopped_wait([](auto& s) { return rouse::wait_any_for(s.pointers, 1h, s.stop).status; }));
  row("wait_any_until", throws, stopped_wait([](auto& s) {
        return rouse::wait_any_until(s.pointers, steady_clock::now() + 1h, s.stop).status;
      }));

  row.header = "rouse/wait/wait_hint.hpp";
  using rouse::detail::Deadline;
  using rouse::detail::WaitHint;
  row("WaitHint", throws, [] { return [] { EXPECT_FALSE(WaitHint().take()); }; });
  const auto on_hint = [](auto body) {
    return [body] {
      auto hint = std::make_shared<WaitHint>();
      return [hint, body] { body(*hint); };
    };
  };
  row("give", allocates_nothing, on_hint([](WaitHint& hint) { hint.give(); }));
  row("mark", allocates_nothing, on_hint([](WaitHint& hint) {
        (void)hint.mark();
        EXPECT_TRUE(hint.take());
      }));
  row("mark", allocates_nothing, on_hint([](WaitHint& hint) { hint.mark()(); }));
  row("take", allocates_nothing, on_hint([](WaitHint& hint) { EXPECT_FALSE(hint.take()); }));
  row("wait", throws, stopped_wait([](auto& s) {  // the first of a thread
        return WaitHint().wait({}, {"hint", 0}, Deadline::never(), s.stop);
      }));
  row("wait", throws, stopped_wait([](auto& s) {  // for more descriptors than a stack holds
        return WaitHint().wait(s.fds, {"hint", 0}, Deadline::never(), s.stop);
      }));

  row.header = "rouse/wait/wait_status.hpp";
  row("Stopped", throws,
      [] { return [] { EXPECT_STREQ(rouse::Stopped().what(), "rouse: stopped"); }; });
  row("to_string", allocates_nothing,
      [] { return [] { EXPECT_STREQ(to_string(WaitStatus::ready), "ready"); }; });

  row.header = "rouse/detail/thread_name.hpp";
  row("set_thread_name", allocates_nothing,
      [] { return [] { rouse::detail::set_thread_name(long_name); }; });
  row("printable", throws,
      [] { return [] { EXPECT_EQ(rouse::detail::printable(long_name), long_name); }; });

  row.header = "rouse/detail/unique_function.hpp";
  row("UniqueFunction", throws, [] {
    return [] {
      std::array<char, 64> large{};
      rouse::detail::UniqueFunction<char()> function([large] { return large[0]; });
      EXPECT_EQ(function(), 0);
    };
  });

  return row;
}

TEST(AllocationFailure, AtEachAllocationOfEachFunctionKeepsItsPromise) {
  rows().expect_promises_kept();
}

TEST(AllocationFailure, IsTestedForEachFunctionOfEachHeader) {
  rows().expect_complete("wait");
  rows().expect_complete(
      "detail", {"rouse/detail/deadline.hpp", "rouse/detail/lock.hpp", "rouse/detail/os.hpp"});
}

TEST(AllocationFailure, IsTestedInEachLayer) {
  namespace fs = std::filesystem;
  const fs::path root = ROUSE_SOURCE_DIR;
  // asio.hpp is left to exec/asio_test, fmt.hpp to {fmt}; the others have no functions.
  const std::set<std::string> above{"asio.hpp", "fmt.hpp", "rouse.hpp", "version.hpp"};
  for (const auto& entry : fs::directory_iterator(root / "include/rouse")) {
    const std::string name = entry.path().filename();
    if (name == "detail" || above.contains(name)) continue;
    EXPECT_TRUE(fs::exists(root / "tests" / name / "allocation_failure_test.cpp")) << name;
  }
}

}  // namespace
