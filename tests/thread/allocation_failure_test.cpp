// No memory, at each allocation of each public function: std::bad_alloc, nothing leaked, and what
// was there before is as it was. What must not throw does without.

#include "rouse/detail/thread_name.hpp"
#include "rouse/detail/unique_function.hpp"
#include "rouse/rouse.hpp"
#include "rouse/wait/event_watch.hpp"

#include "support/faults/empty_pool.hpp"
#include "support/faults/faults.hpp"
#include "support/gated_pool.hpp"
#include "support/scale.hpp"
#include "support/temporary_directory.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <ostream>
#include <regex>
#include <set>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <streambuf>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::DelayExecutor;
using rouse::Event;
using rouse::Job;
using rouse::JobDropped;
using rouse::JobStatus;
using rouse::RWLock;
using rouse::SignalStop;
using rouse::StoppableThread;
using rouse::StopScope;
using rouse::ThreadPool;
using rouse::Urgency;
using rouse::WaitStatus;
using rouse::test::allocations_made;
using rouse::test::Call;
using rouse::test::EmptyPool;
using rouse::test::Fault;
using rouse::test::Gate;
using rouse::test::live_allocations;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;
using std::chrono::system_clock;

enum class Promise {
  allocates_nothing,
  throws,    // std::bad_alloc, for each allocation that fails
  survives,  // does its work without the memory
  throws_or_survives,
};

struct Row {
  const char* header;
  const char* function;
  Promise promise;
  // Makes all that the call needs, and returns the call.
  std::function<std::function<void()>()> prepare;
};

std::stop_token stopped_token() {
  std::stop_source source;
  source.request_stop();
  return source.get_token();
}

std::shared_ptr<StoppableThread> started_thread(std::function<void()> body) {
  auto thread = std::make_shared<StoppableThread>(std::move(body));
  thread->start();
  return thread;
}

std::shared_ptr<StoppableThread> sleeping_thread() {
  return started_thread([] { (void)rouse::sleep_for(1h); });
}

std::shared_ptr<StoppableThread> waiting_thread() {
  auto thread = started_thread([] {
    Event event;
    EXPECT_EQ(event.wait(), WaitStatus::stopped);
  });
  while (!thread->activity().blocked_in.starts_with("Event::wait")) std::this_thread::yield();
  return thread;
}

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

template <class Body>
auto on_thread(std::shared_ptr<StoppableThread> (*make)(), Body body) {
  return [make, body] {
    auto thread = make();
    return [thread, body] { body(*thread); };
  };
}

// Whoever catches std::bad_alloc looks whether everything is as it was.
template <class Body, class Check>
void strongly(Body body, Check unchanged) {
  try {
    body();
  } catch (const std::bad_alloc&) {
    unchanged();
    throw;
  }
}

const std::string long_name = "a name that does not fit into a short string";

// A callable that no block holds which is kept: posting it takes memory.
struct Large {
  std::array<char, 300> text{'L'};
  char operator()() const noexcept { return text[0]; }
};

std::vector<Row> rows() {
  using enum Promise;
  std::vector<Row> table;
  const char* header = nullptr;
  const auto row = [&](const char* function, Promise promise, auto prepare) {
    table.push_back(
        {header, function, promise, [prepare]() -> std::function<void()> { return prepare(); }});
  };

  header = "rouse/wait/event.hpp";
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

  header = "rouse/wait/event_watch.hpp";
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

  header = "rouse/wait/fd.hpp";
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

  header = "rouse/wait/shield.hpp";
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

  header = "rouse/wait/sleep.hpp";
  row("sleep_for", throws, stopped_wait([](auto& s) { return rouse::sleep_for(1h, s.stop); }));
  row("sleep_until", throws, stopped_wait([](auto& s) {
        return rouse::sleep_until(std::chrono::system_clock::now() + 1h, s.stop);
      }));

  header = "rouse/wait/stop_scope.hpp";
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

  header = "rouse/wait/this_thread.hpp";
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

  header = "rouse/wait/wait_any.hpp";
  row("wait_any", throws,
      stopped_wait([](auto& s) { return rouse::wait_any(s.pointers, s.stop).status; }));
  row("wait_any", throws,
      stopped_wait([](auto& s) { return rouse::wait_any(s.event, s.many[0], s.stop).status; }));
  row("wait_any_for", throws,
      stopped_wait([](auto& s) { return rouse::wait_any_for(s.pointers, 1h, s.stop).status; }));
  row("wait_any_until", throws, stopped_wait([](auto& s) {
        return rouse::wait_any_until(s.pointers, steady_clock::now() + 1h, s.stop).status;
      }));

  header = "rouse/wait/wait_status.hpp";
  row("Stopped", throws,
      [] { return [] { EXPECT_STREQ(rouse::Stopped().what(), "rouse: stopped"); }; });
  row("to_string", allocates_nothing,
      [] { return [] { EXPECT_STREQ(to_string(WaitStatus::ready), "ready"); }; });

  header = "rouse/sync/rw_lock.hpp";
  struct Lock {
    RWLock lock;
    std::stop_token stop = stopped_token();
  };
  // Of a lock that is free, and has readers in slots: no call blocks.
  const auto on_free_lock = [](auto body) {
    return [body] {
      auto state = std::make_shared<Lock>();
      state->lock.lock_shared();
      std::thread([state] { const std::shared_lock second(state->lock); }).join();
      state->lock.unlock_shared();
      return [state, body] { body(state->lock); };
    };
  };
  // Of one that another thread has exclusively, with a stop that ends the wait at once.
  const auto on_held_lock = [](auto wait) {
    return [wait] {
      auto state = std::make_shared<Lock>();
      // Unlocked when the test lets go of the call, by the thread that has locked.
      const std::shared_ptr<Lock> held(state.get(), [state](Lock* l) { l->lock.unlock(); });
      state->lock.lock();
      return [held, wait] { EXPECT_EQ(wait(*held), WaitStatus::stopped); };
    };
  };
  row("~RWLock", allocates_nothing, [] {
    auto lock = std::make_shared<std::optional<RWLock>>(std::in_place);
    return [lock] { lock->reset(); };
  });
  row("lock", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock();
        lock.unlock();
      }));
  row("try_lock", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock());
        lock.unlock();
      }));
  row("try_lock_for", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_for(1h));
        lock.unlock();
      }));
  row("try_lock_until", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_until(steady_clock::now()));
        lock.unlock();
      }));
  row("unlock", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock();
        lock.unlock();
      }));
  row("lock_shared", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock_shared();
        lock.unlock_shared();
      }));
  row("try_lock_shared", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_shared());
        lock.unlock_shared();
      }));
  row("try_lock_shared_for", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_shared_for(1h));
        lock.unlock_shared();
      }));
  row("try_lock_shared_until", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_shared_until(steady_clock::now()));
        lock.unlock_shared();
      }));
  row("unlock_shared", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock_shared();
        lock.unlock_shared();
      }));
  row("try_upgrade", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock_shared();
        EXPECT_TRUE(lock.try_upgrade());
        lock.unlock();
      }));
  row("downgrade", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock();
        lock.downgrade();
        lock.unlock_shared();
      }));
  row("ReadGuard", allocates_nothing,
      on_free_lock([](RWLock& lock) { const rouse::ReadGuard guard(lock); }));
  row("~ReadGuard", allocates_nothing,
      on_free_lock([](RWLock& lock) { const rouse::ReadGuard guard(lock); }));
  row("WriteGuard", allocates_nothing,
      on_free_lock([](RWLock& lock) { const rouse::WriteGuard guard(lock); }));
  row("~WriteGuard", allocates_nothing,
      on_free_lock([](RWLock& lock) { const rouse::WriteGuard guard(lock); }));
  row("lock", throws, on_held_lock([](Lock& s) { return s.lock.lock(s.stop); }));
  row("try_lock_for", throws,
      on_held_lock([](Lock& s) { return s.lock.try_lock_for(1h, s.stop); }));
  row("try_lock_until", throws, on_held_lock([](Lock& s) {
        return s.lock.try_lock_until(steady_clock::now() + 1h, s.stop);
      }));
  row("lock_shared", throws, on_held_lock([](Lock& s) { return s.lock.lock_shared(s.stop); }));
  row("try_lock_shared_for", throws,
      on_held_lock([](Lock& s) { return s.lock.try_lock_shared_for(1h, s.stop); }));
  row("try_lock_shared_until", throws, on_held_lock([](Lock& s) {
        return s.lock.try_lock_shared_until(steady_clock::now() + 1h, s.stop);
      }));
  row("ReadGuard", throws, on_held_lock([](Lock& s) {
        try {
          const rouse::ReadGuard guard(s.lock, 1h, s.stop);
        } catch (const rouse::Stopped&) {
          return WaitStatus::stopped;
        }
        return WaitStatus::ready;
      }));
  row("WriteGuard", throws, on_held_lock([](Lock& s) {
        try {
          const rouse::WriteGuard guard(s.lock, 1h, s.stop);
        } catch (const rouse::Stopped&) {
          return WaitStatus::stopped;
        }
        return WaitStatus::ready;
      }));

  header = "rouse/resource/buffer.hpp";
  using rouse::Buffer;
  using rouse::BufferPool;
  const rouse::BufferPoolOptions few_blocks{.block_size = 64, .blocks = 4};
  struct PoolAndBuffer {
    explicit PoolAndBuffer(const rouse::BufferPoolOptions& options) : pool(options) {
      buffer = pool.allocate(2);
      buffer.assign("something");
    }
    BufferPool pool;
    Buffer buffer;
  };
  const auto on_buffer = [few_blocks](auto body) {
    return [few_blocks, body] {
      auto state = std::make_shared<PoolAndBuffer>(few_blocks);
      return [state, body] { body(state->buffer); };
    };
  };
  row("AsioBuffer", allocates_nothing, on_buffer([](Buffer& buffer) {
        const std::pair<const void*, std::size_t> piece = *buffer.content().begin();
        EXPECT_EQ(piece.second, buffer.size());
      }));
  row("begin", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ((*b.content().begin()).size(), b.size()); }));
  row("end", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(++b.content().begin(), b.content().end()); }));
  row("size_bytes", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(b.content().size_bytes(), b.size()); }));
  row("Buffer", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(Buffer(std::move(b)).size(), 9U); }));
  row("~Buffer", allocates_nothing, on_buffer([](Buffer& b) { const Buffer end(std::move(b)); }));
  row("swap", allocates_nothing, on_buffer([](Buffer& b) {
        Buffer other;
        other.swap(b);
        EXPECT_EQ(other.size(), 9U);
      }));
  row("size", allocates_nothing, on_buffer([](Buffer& b) { EXPECT_EQ(b.size(), 9U); }));
  row("capacity", allocates_nothing, on_buffer([](Buffer& b) { EXPECT_EQ(b.capacity(), 128U); }));
  row("empty", allocates_nothing, on_buffer([](Buffer& b) { EXPECT_FALSE(b.empty()); }));
  row("block_count", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(b.block_count(), 2U); }));
  row("block_size", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(b.block_size(), 64U); }));
  row("assign", allocates_nothing, on_buffer([](Buffer& b) { b.assign("anything"); }));
  row("append", allocates_nothing, on_buffer([](Buffer& b) { b.append("anything"); }));
  row("clear", allocates_nothing, on_buffer([](Buffer& b) { b.clear(); }));
  row("resize", allocates_nothing, on_buffer([](Buffer& b) { b.resize(128); }));
  row("copy_to", allocates_nothing, on_buffer([](Buffer& b) {
        std::array<std::byte, 9> copy{};
        EXPECT_EQ(b.copy_to(copy), 9U);
      }));
  row("content", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_FALSE(b.content().empty()); }));
  row("blocks", allocates_nothing, on_buffer([](Buffer& b) { EXPECT_FALSE(b.blocks().empty()); }));
  row("resize_blocks", allocates_nothing, on_buffer([](Buffer& b) {
        EXPECT_TRUE(b.resize_blocks(4));
        EXPECT_TRUE(b.resize_blocks(1));
      }));

  header = "rouse/resource/buffer_pool.hpp";
  const auto on_buffer_pool = [few_blocks](auto body) {
    return [few_blocks, body] {
      auto state = std::make_shared<PoolAndBuffer>(few_blocks);
      return [state, body] { body(state->pool); };
    };
  };
  // With an object that an earlier one has left; resource/buffer_pool_failure_test has the others.
  row("BufferPool", allocates_nothing, [few_blocks] {
    { const BufferPool earlier(few_blocks); }
    return [few_blocks] { EXPECT_EQ(BufferPool(few_blocks).free_blocks(), 4U); };
  });
  row("~BufferPool", allocates_nothing, [few_blocks] {
    auto pool = std::make_shared<std::optional<BufferPool>>(std::in_place, few_blocks);
    return [pool] { pool->reset(); };
  });
  row("try_allocate", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_TRUE(pool.try_allocate(2)); }));
  row("allocate", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.allocate(2).block_count(), 2U); }));
  row("allocate_for", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_TRUE(pool.allocate_for(2, 1h)); }));
  row("allocate_until", allocates_nothing, on_buffer_pool([](BufferPool& pool) {
        EXPECT_TRUE(pool.allocate_until(2, steady_clock::now()));
      }));
  // When it blocks, and for the Stopped that ends it.
  const auto on_exhausted_pool = [&](auto wait) {
    return on_buffer_pool([wait](BufferPool& pool) {
      const std::stop_token stop = stopped_token();
      strongly(
          [&] {
            try {
              (void)wait(pool, stop);
              ADD_FAILURE() << "it was not stopped";
            } catch (const rouse::Stopped&) {
            }
          },
          [&] { EXPECT_EQ(pool.free_blocks(), 2U); });
    });
  };
  row("allocate", throws, on_exhausted_pool([](BufferPool& pool, const std::stop_token& stop) {
        return pool.allocate(3, stop);
      }));
  row("allocate_for", throws, on_exhausted_pool([](BufferPool& pool, const std::stop_token& stop) {
        return pool.allocate_for(3, 1h, stop);
      }));
  row("allocate_until", throws,
      on_exhausted_pool([](BufferPool& pool, const std::stop_token& stop) {
        return pool.allocate_until(3, system_clock::now() + 1h, stop);
      }));
  row("block_size", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.block_size(), 64U); }));
  row("capacity_blocks", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.capacity_blocks(), 4U); }));
  row("max_blocks", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.max_blocks(), 4U); }));
  row("used_blocks", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.used_blocks(), 2U); }));
  row("free_blocks", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.free_blocks(), 2U); }));
  row("stats", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.stats().waiters, 0U); }));
  row("trim", throws, on_buffer_pool([](BufferPool& pool) {
        { const Buffer used = pool.allocate(2); }
        strongly([&] { EXPECT_EQ(pool.trim(), 0U); },  // less than a page
                 [&] { EXPECT_EQ(pool.free_blocks(), 2U); });
      }));

  header = "rouse/resource/id128.hpp";
  constexpr rouse::Id128 id{1, 2};
  row("to_hex", throws,
      [id] { return [id] { EXPECT_EQ(rouse::Id128::from_hex(id.to_hex()), id); }; });
  row("to_uuid", throws,
      [id] { return [id] { EXPECT_EQ(rouse::Id128::from_uuid(id.to_uuid()), id); }; });
  const auto on_id = [id](auto body) { return [id, body] { return [id, body] { body(id); }; }; };
  row("to_hex", allocates_nothing, on_id([](rouse::Id128 of) {
        std::array<char, 32> text;
        of.to_hex(text);
        EXPECT_EQ(text.back(), '2');
      }));
  row("to_uuid", allocates_nothing, on_id([](rouse::Id128 of) {
        std::array<char, 36> text;
        of.to_uuid(text);
        EXPECT_EQ(text.back(), '2');
      }));
  row("from_hex", allocates_nothing, on_id([](rouse::Id128 of) {
        EXPECT_EQ(rouse::Id128::from_hex("00000000000000010000000000000002"), of);
      }));
  row("from_hex", throws, on_id([](rouse::Id128) {
        try {
          EXPECT_EQ(rouse::Id128::from_hex("1"), rouse::Id128());
          ADD_FAILURE() << "accepted";
        } catch (const std::invalid_argument&) {
        }
      }));
  row("from_uuid", allocates_nothing, on_id([](rouse::Id128 of) {
        EXPECT_EQ(rouse::Id128::from_uuid("00000000-0000-0001-0000-000000000002"), of);
      }));
  row("bytes", allocates_nothing,
      on_id([](rouse::Id128 of) { EXPECT_EQ(of.bytes()[15], std::byte{2}); }));
  row("from_bytes", allocates_nothing,
      on_id([](rouse::Id128 of) { EXPECT_EQ(rouse::Id128::from_bytes(of.bytes()), of); }));
  row("operator()", allocates_nothing,
      on_id([](rouse::Id128 of) { EXPECT_NE(std::hash<rouse::Id128>()(of), 0U); }));

  header = "rouse/resource/number_generator.hpp";
  row("NumberGenerator", allocates_nothing,
      [] { return [] { EXPECT_EQ(rouse::NumberGenerator(7).next(), 7); }; });
  row("next", allocates_nothing,
      [] { return [] { EXPECT_GE(rouse::process_numbers().next(), 0); }; });
  row("process_numbers", allocates_nothing,
      [] { return [] { EXPECT_EQ(&rouse::process_numbers(), &rouse::process_numbers()); }; });
  row("reset", allocates_nothing, [] {
    auto numbers = std::make_shared<rouse::NumberGenerator>();
    return [numbers] {
      numbers->reset(5);
      EXPECT_EQ(numbers->next(), 5);
    };
  });
  row("LeasedNumberGenerator", allocates_nothing,
      [] { return [] { const rouse::LeasedNumberGenerator numbers; }; });
  row("next", survives, [] {
    auto numbers = std::make_shared<rouse::LeasedNumberGenerator>();
    return [numbers] {
      for (std::int64_t i = 0; i < 10; ++i) EXPECT_EQ(numbers->next(), i);
    };
  });

  header = "rouse/resource/cycle_id.hpp";
  constexpr rouse::CycleId parts(0xC0000207, 80, 1, 2);
  const auto on_parts = [parts](auto body) {
    return [parts, body] { return [parts, body] { body(parts); }; };
  };
  row("CycleId", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(rouse::CycleId(of.id()), of); }));
  row("id", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.id().low, 2U); }));
  row("address", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.address(), 0xC0000207); }));
  row("address_text", allocates_nothing,  // as short as it is
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.address_text(), "192.0.2.7"); }));
  row("port", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.port(), 80); }));
  row("boot", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.boot(), 1); }));
  row("counter", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.counter(), 2U); }));
  row("CycleIdGenerator", throws, [] {
    const auto directory = std::make_shared<rouse::test::TemporaryDirectory>();
    const rouse::CycleIdOptions options{.boot_file = *directory / "boot"};
    return [directory, options] {
      const char* const ip = "2001:db8:1234:5678:1234:5678:1234:5678";
      EXPECT_EQ(rouse::CycleIdGenerator(ip, 80, options).boot(), 1);
    };
  });
  row("~CycleIdGenerator", allocates_nothing, [] {
    auto ids = std::make_shared<std::optional<rouse::CycleIdGenerator>>();
    ids->emplace("192.0.2.7", 80);
    return [ids] { ids->reset(); };
  });
  const auto on_cycle_ids = [](auto body) {
    return [body] {
      auto ids = std::make_shared<rouse::CycleIdGenerator>("192.0.2.7", 80);
      return [ids, body] { body(*ids); };
    };
  };
  row("next", allocates_nothing, on_cycle_ids([](rouse::CycleIdGenerator& ids) {
        EXPECT_EQ(rouse::CycleId(ids.next()).port(), 80);
      }));
  row("reset_next", allocates_nothing, on_cycle_ids([](rouse::CycleIdGenerator& ids) {
        ids.reset_next(5);
        EXPECT_EQ(ids.next().low, 5U);
      }));

  header = "rouse/resource/name_generator.hpp";
  row("NameGenerator", throws, [] {
    return [] { EXPECT_EQ(rouse::NameGenerator("a prefix of 20 bytes").prefix().size(), 28U); };
  });
  const auto on_names = [](auto body) {
    return [body] {
      auto names = std::make_shared<rouse::NameGenerator>(long_name);
      return [names, body] { body(*names); };
    };
  };
  row("next", throws,
      on_names([](auto& names) { EXPECT_TRUE(names.next().starts_with(names.prefix())); }));
  row("next", allocates_nothing, on_names([](auto& names) {
        rouse::NameGenerator::Buffer buffer;
        EXPECT_TRUE(names.next(buffer).starts_with(names.prefix()));
      }));
  row("prefix", allocates_nothing,
      on_names([](auto& names) { EXPECT_TRUE(names.prefix().starts_with("a%20name")); }));
  row("process_names", allocates_nothing, [] {
    const auto* const names = &rouse::process_names();  // there from now on
    return [names] { EXPECT_EQ(&rouse::process_names(), names); };
  });

  header = "rouse/resource/random_id.hpp";
  row("uuid4", allocates_nothing, [] { return [] { EXPECT_NE(rouse::uuid4(), rouse::Id128()); }; });
  row("uuid7", allocates_nothing, [] { return [] { EXPECT_NE(rouse::uuid7(), rouse::Id128()); }; });
  row("random_string", throws,
      [] { return [] { EXPECT_EQ(rouse::random_string(100).size(), 100U); }; });
  row("random_string", throws, [] {
    return [] {
      try {
        (void)rouse::random_string(1, "aa");
        ADD_FAILURE() << "accepted";
      } catch (const std::invalid_argument&) {
      }
    };
  });
  row("random_bytes", allocates_nothing, [] {
    return [] {
      std::array<std::byte, 32> bytes{};
      rouse::random_bytes(bytes);
      EXPECT_NE(bytes, (std::array<std::byte, 32>{}));
    };
  });

  header = "rouse/thread/stoppable_thread.hpp";
  row("StoppableThread", throws,
      [] { return [] { EXPECT_FALSE(StoppableThread([] {}, {.name = long_name}).running()); }; });
  row("~StoppableThread", survives, [] {
    auto thread = std::make_shared<std::shared_ptr<StoppableThread>>(sleeping_thread());
    return [thread] { thread->reset(); };
  });
  row("start", throws, [] {
    struct State {
      std::array<char, 64> large{};
      bool ran = false;
    };
    auto state = std::make_shared<State>();
    auto thread = std::make_shared<StoppableThread>(
        [state, large = state->large] { state->ran = large[0] == 0; });
    return [state, thread] {
      strongly([&] { thread->start(); },
               [&] {
                 EXPECT_FALSE(thread->running());
                 EXPECT_EQ(thread->native_id(), 0);
                 EXPECT_FALSE(state->ran);
               });
      (void)thread->wait();
      EXPECT_TRUE(state->ran);
    };
  });
  row("request_stop", allocates_nothing, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_TRUE(thread.request_stop());
      }));
  row("join", throws, [] {
    // The thread ends when the one that joins it has come as far as to allocate.
    auto before = std::make_shared<std::atomic<long>>(-1);
    auto thread = started_thread([before] {
      while (*before == -1 || allocations_made() == *before) std::this_thread::yield();
    });
    return [thread, before] {
      *before = allocations_made();
      thread->join();
    };
  });
  row("try_join_for", throws, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        strongly([&] { EXPECT_FALSE(thread.try_join_for(0s)); },
                 [&] { EXPECT_TRUE(thread.running()); });
      }));
  row("wait", throws, [] {
    auto thread = sleeping_thread();
    return [thread, stop = stopped_token()] { EXPECT_EQ(thread->wait(stop), WaitStatus::stopped); };
  });
  row("wait_for", throws, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_EQ(thread.wait_for(0s), WaitStatus::timeout);
      }));
  row("wait_until", throws, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_EQ(thread.wait_until(steady_clock::now()), WaitStatus::timeout);
      }));
  row("running", allocates_nothing,
      on_thread(&sleeping_thread, [](StoppableThread& thread) { EXPECT_TRUE(thread.running()); }));
  row("native_id", throws, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_GT(thread.native_id(), 0);
      }));
  row("name", allocates_nothing, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_FALSE(thread.name().empty());
      }));
  row("stop_token", allocates_nothing, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_FALSE(thread.stop_token().stop_requested());
      }));
  row("activity", throws, on_thread(&waiting_thread, [](StoppableThread& thread) {
        EXPECT_TRUE(thread.activity().blocked_in.starts_with("Event::wait (0x"));
      }));
  row("Running", throws, [] {
    auto thread = std::make_shared<std::optional<rouse::Running<StoppableThread>>>();
    return [thread] {
      thread->emplace([] { (void)rouse::sleep_for(1h); }, rouse::ThreadOptions{.name = long_name});
      EXPECT_TRUE((*thread)->running());
    };
  });
  row("~Running", survives, [] {
    auto thread = std::make_shared<std::unique_ptr<rouse::Running<StoppableThread>>>(
        std::make_unique<rouse::Running<StoppableThread>>([] { (void)rouse::sleep_for(1h); }));
    return [thread] { thread->reset(); };
  });

  header = "rouse/thread/interruptible_thread.hpp";
  const auto interruptible = [](auto body) {
    return [body] {
      auto thread =
          std::make_shared<rouse::InterruptibleThread>([] { (void)rouse::sleep_for(1h); });
      thread->start();
      return [thread, body] { body(*thread); };
    };
  };
  row("InterruptibleThread", throws, [] {
    return [] { EXPECT_FALSE(rouse::InterruptibleThread([] {}, {.name = long_name}).running()); };
  });
  row("~InterruptibleThread", survives, [] {
    auto thread = std::make_shared<std::unique_ptr<rouse::InterruptibleThread>>(
        std::make_unique<rouse::InterruptibleThread>([] { (void)rouse::sleep_for(1h); }));
    (*thread)->start();
    return [thread] { thread->reset(); };
  });
  row("raise", allocates_nothing, interruptible([](rouse::InterruptibleThread& thread) {
        EXPECT_TRUE(thread.raise<rouse::Terminated>());
      }));
  row("terminate", throws, interruptible([](rouse::InterruptibleThread& thread) {
        strongly([&] { EXPECT_TRUE(thread.terminate(1h)); },
                 [&] { EXPECT_TRUE(thread.running()); });
      }));
  row("interruption_point", allocates_nothing, [] { return &rouse::interruption_point; });

  header = "rouse/thread/stop_all.hpp";
  row("stop_all", throws, [] {
    auto threads = std::make_shared<std::deque<StoppableThread>>();
    for (int i = 0; i < 3; ++i) {
      threads->emplace_back([] { (void)rouse::sleep_for(1h); });
      threads->back().start();
    }
    return [threads] {
      strongly([&] { EXPECT_TRUE(rouse::stop_all(*threads, 1h)); },
               [&] {
                 for (const StoppableThread& thread : *threads) {
                   EXPECT_FALSE(thread.stop_token().stop_requested());
                 }
               });
    };
  });
  row("stop_all", throws, [] {  // of a thread that does not obey, whose straggler needs memory
    struct State {
      Event release;
      StoppableThread thread{[this] {
                               const rouse::Shield shield;
                               EXPECT_EQ(release.wait(), WaitStatus::ready);
                             },
                             {.name = long_name}};
      ~State() { release.set(); }
    };
    auto state = std::make_shared<State>();
    state->thread.start();
    return [state] { EXPECT_FALSE(rouse::stop_all(std::array{&state->thread}, 0s)); };
  });
  const auto report = [] {
    rouse::StopReport result;
    result.stopped = 1;
    result.stragglers.push_back({long_name, 7, {"a call that takes its time", 1s}});
    return std::make_shared<rouse::StopReport>(std::move(result));
  };
  row("to_string", throws, [report] {
    return [told = report()] { EXPECT_NE(told->to_string().find(long_name), std::string::npos); };
  });
  row("operator bool", allocates_nothing,
      [report] { return [told = report()] { EXPECT_FALSE(*told); }; });

  header = "rouse/thread/signal_stop.hpp";
  row("SignalStop", throws, [] {
    return [] {
      strongly([] { EXPECT_FALSE(SignalStop({SIGUSR1}).stop_requested()); },
               [] {
                 sigset_t mask{};
                 ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
                 EXPECT_EQ(::sigismember(&mask, SIGUSR1), 0);
               });
    };
  });
  row("~SignalStop", survives, [] {
    auto signals = std::make_shared<std::unique_ptr<SignalStop>>(
        std::make_unique<SignalStop>(std::initializer_list<int>{SIGUSR1}));
    // It is destroyed on another thread, which does not change the mask of this one.
    sigset_t mask{};
    ::sigemptyset(&mask);
    ::sigaddset(&mask, SIGUSR1);
    ::pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
    return [signals] { signals->reset(); };
  });

  header = "rouse/exec/job_state.hpp";
  row("has_ended", allocates_nothing,
      [] { return [] { EXPECT_TRUE(has_ended(JobStatus::expired)); }; });
  row("JobDropped", throws, [] {
    return [] { EXPECT_EQ(JobDropped(JobStatus::expired).status(), JobStatus::expired); };
  });
  row("status", allocates_nothing, [] {
    auto dropped = std::make_shared<JobDropped>(JobStatus::dropped);
    return [dropped] { EXPECT_EQ(dropped->status(), JobStatus::dropped); };
  });

  header = "rouse/exec/job.hpp";
  struct Queued {
    ThreadPool pool{{.max_threads = 1}};
    Gate gate{pool};
    std::vector<Job<int>> jobs;
    std::stop_token stop = stopped_token();
    Queued() {
      for (int i = 0; i < 2; ++i) jobs.push_back(pool.submit([i] { return i; }));
    }
  };
  const auto on_queued = [](auto body) {
    return [body] {
      auto queued = std::make_shared<Queued>();
      return [queued, body] { body(*queued); };
    };
  };
  const auto on_ended = [](auto body) {
    return [body] {
      struct Ended {
        ThreadPool pool{{.max_threads = 1}};
        Job<char> job = pool.submit(Large());
        Gate gate{pool};
      };
      auto ended = std::make_shared<Ended>();
      return [ended, body] { body(ended->job); };
    };
  };
  row("Job", allocates_nothing, on_queued([](Queued& q) {
        Job<int> job = std::move(q.jobs[0]);
        job = std::move(q.jobs[1]);
        EXPECT_TRUE(job.valid());
      }));
  row("~Job", allocates_nothing,
      on_queued([](Queued& q) { const Job<int> last = std::move(q.jobs[0]); }));
  row("valid", allocates_nothing, on_queued([](Queued& q) { EXPECT_TRUE(q.jobs[0].valid()); }));
  row("status", allocates_nothing,
      on_queued([](Queued& q) { EXPECT_EQ(q.jobs[0].status(), JobStatus::queued); }));
  row("wait", throws,
      on_queued([](Queued& q) { EXPECT_EQ(q.jobs[0].wait(q.stop), WaitStatus::stopped); }));
  row("wait_for", throws,
      on_queued([](Queued& q) { EXPECT_EQ(q.jobs[0].wait_for(1h, q.stop), WaitStatus::stopped); }));
  row("wait_until", throws, on_queued([](Queued& q) {
        EXPECT_EQ(q.jobs[0].wait_until(steady_clock::now() + 1h, q.stop), WaitStatus::stopped);
      }));
  row("get", throws, on_queued([](Queued& q) {
        strongly(
            [&] {
              try {
                (void)q.jobs[0].get(q.stop);
                ADD_FAILURE() << "it is queued";
              } catch (const rouse::Stopped&) {
              }
            },
            [&] { EXPECT_TRUE(q.jobs[0].valid()); });
      }));
  row("get", allocates_nothing, on_ended([](Job<char>& job) { EXPECT_EQ(job.get(), 'L'); }));
  row("request_stop", allocates_nothing, on_queued([](Queued& q) {
        EXPECT_TRUE(q.jobs[0].request_stop());
        EXPECT_EQ(q.jobs[0].status(), JobStatus::dropped);
      }));
  row("request_stop", allocates_nothing, [] {  // of one that waits
    struct State {
      ThreadPool pool{{.max_threads = 1}};
      Job<WaitStatus> job = pool.submit([] { return rouse::sleep_for(1h); });
    };
    auto state = std::make_shared<State>();
    while (state->job.status() != JobStatus::running) std::this_thread::yield();
    return [state] { EXPECT_TRUE(state->job.request_stop()); };
  });
  row("then", throws, on_queued([](Queued& q) {
        strongly(
            [&] {
              auto after = std::move(q.jobs[0]).then([large = Large()](int) { return large(); });
              EXPECT_EQ(after.status(), JobStatus::queued);
            },
            [&] { EXPECT_EQ(q.jobs[0].status(), JobStatus::queued); });
        EXPECT_FALSE(q.jobs[0].valid());
      }));
  // The memory of the queue may be missing when nobody is there any more who could be told.
  row("then", throws_or_survives, on_ended([](Job<char>& job) {
        strongly(
            [&] {
              auto after = std::move(job).then([large = Large()](char) { return large(); },
                                               {.urgency = Urgency::high});
              EXPECT_EQ(has_ended(after.status()), after.status() == JobStatus::dropped);
            },
            [&] { EXPECT_EQ(job.get(), 'L'); });
      }));

  header = "rouse/exec/job_group.hpp";
  row("when_all", throws, on_queued([](Queued& q) {
        auto all = rouse::when_all(std::move(q.jobs));
        EXPECT_TRUE(all.request_stop());
        EXPECT_EQ(all.status(), JobStatus::done);
      }));
  row("when_all", throws, on_queued([](Queued& q) {
        auto both = rouse::when_all(std::move(q.jobs[0]), std::move(q.jobs[1]));
        EXPECT_TRUE(both.request_stop());
        EXPECT_EQ(both.status(), JobStatus::done);
      }));
  row("when_any", throws, on_queued([](Queued& q) {
        auto either = rouse::when_any(std::move(q.jobs));
        EXPECT_TRUE(either.request_stop());
        EXPECT_EQ(either.status(), JobStatus::done);
      }));

  header = "rouse/exec/thread_pool_stats.hpp";
  const auto histogram = [](auto body) {
    return [body] {
      auto times = std::make_shared<rouse::TimeHistogram>();
      times->buckets[10] = 3;
      return [times, body] { body(*times); };
    };
  };
  row("count", allocates_nothing,
      histogram([](rouse::TimeHistogram& times) { EXPECT_EQ(times.count(), 3U); }));
  row("quantile", allocates_nothing,
      histogram([](rouse::TimeHistogram& times) { EXPECT_EQ(times.quantile(0.5), 1024ns); }));
  row("queued", allocates_nothing, [] {
    return [] {
      rouse::ThreadPoolStats stats;
      stats.queued_low = 2;
      EXPECT_EQ(stats.queued(), 2U);
    };
  });

  header = "rouse/exec/thread_pool.hpp";
  row("Outcome", allocates_nothing, [] {
    return [] {
      auto call = [] { return 7; };
      EXPECT_TRUE(rouse::Outcome<int>(call));
    };
  });
  const auto outcome = [](auto body) {
    return [body] {
      const auto call = [] { return 7; };
      auto value = std::make_shared<rouse::Outcome<int>>(call);
      return [value, body] { body(*value); };
    };
  };
  row("get", allocates_nothing, outcome([](rouse::Outcome<int>& o) { EXPECT_EQ(o.get(), 7); }));
  row("error", allocates_nothing,
      outcome([](rouse::Outcome<int>& o) { EXPECT_EQ(o.error(), nullptr); }));
  row("operator bool", allocates_nothing, outcome([](rouse::Outcome<int>& o) { EXPECT_TRUE(o); }));

  // How many are queued: those of Queued, and the one that is added.
  const auto adds_one = [on_queued](auto add) {
    return on_queued([add](Queued& q) {
      strongly([&] { add(q.pool); }, [&] { EXPECT_EQ(q.pool.stats().queued(), 2U); });
      EXPECT_EQ(q.pool.stats().queued(), 3U);
    });
  };
  row("post", throws, adds_one([](ThreadPool& pool) { pool.post(Urgency::high, Large()); }));
  row("try_post", throws, adds_one([](ThreadPool& pool) { EXPECT_TRUE(pool.try_post(Large())); }));
  row("post_for", throws,
      adds_one([](ThreadPool& pool) { EXPECT_EQ(pool.post_for(1h, Large()), WaitStatus::ready); }));
  row("submit", throws, adds_one([](ThreadPool& pool) {
        EXPECT_EQ(pool.submit(Urgency::high, Large()).status(), JobStatus::queued);
      }));
  row("submit_with_callback", throws, adds_one([](ThreadPool& pool) {
        pool.submit_with_callback([](const rouse::Outcome<char>&) {}, Large());
      }));
  struct Full {
    ThreadPool pool;
    std::optional<Gate> gate;
    bool called = false;
    explicit Full(rouse::Overflow overflow)
        : pool({.max_threads = 1, .queue_capacity = 1, .overflow = overflow}),
          gate(std::in_place, pool) {
      pool.post([] {});
    }
    // Whether there is as much room as in the beginning.
    void expect_room() {
      gate.reset();
      EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
      EXPECT_TRUE(pool.try_post([] {}));
    }
  };
  const auto on_full = [](rouse::Overflow overflow, auto body) {
    return [overflow, body] {
      auto full = std::make_shared<Full>(overflow);
      return [full, body] { body(*full); };
    };
  };
  row("post", throws, on_full(rouse::Overflow::wait, [](Full& f) {
        strongly(
            [&] {
              try {
                f.pool.post([&f] { f.called = true; }, stopped_token());
                ADD_FAILURE() << "there is no room";
              } catch (const rouse::Stopped&) {
              }
            },
            [&] { f.expect_room(); });
        EXPECT_FALSE(f.called);
      }));
  row("post", throws, on_full(rouse::Overflow::reject, [](Full& f) {
        try {
          f.pool.post([&f] { f.called = true; });
          ADD_FAILURE() << "there is no room";
        } catch (const rouse::QueueFull&) {
        }
        EXPECT_FALSE(f.called);
      }));
  row("post", throws, on_full(rouse::Overflow::run_here, [](Full& f) {
        strongly([&] { f.pool.post([&f, large = Large()] { f.called = large() != 0; }); },
                 [&] {
                   EXPECT_FALSE(f.called);
                   f.expect_room();
                 });
        EXPECT_TRUE(f.called);
      }));
  row("submit", throws, on_full(rouse::Overflow::run_here, [](Full& f) {
        strongly([&] { (void)f.pool.submit([&f, large = Large()] { f.called = large() != 0; }); },
                 [&] {
                   EXPECT_FALSE(f.called);
                   f.expect_room();
                 });
        EXPECT_TRUE(f.called);
      }));
  row("try_post", throws, [] {  // has room, which it gives back
    struct Bounded {
      ThreadPool pool{{.max_threads = 1, .queue_capacity = 1}};
      Gate gate{pool};
    };
    auto bounded = std::make_shared<Bounded>();
    return [bounded] {
      strongly([&] { EXPECT_TRUE(bounded->pool.try_post(Large())); },
               [&] { EXPECT_TRUE(bounded->pool.try_post([] {})); });
    };
  });
  row("submit_range", throws, on_queued([](Queued& q) {
        EXPECT_TRUE(q.pool.submit_range(0, 100, [](int) {}).request_stop());
      }));
  row("for_each", throws, on_queued([](Queued& q) {
        int calls = 0;
        strongly([&] { q.pool.for_each(0, 100, [&](int) { ++calls; }); },
                 [&] { EXPECT_EQ(calls, 0); });
        EXPECT_EQ(calls, 100);
      }));
  row("for_each", throws, on_queued([](Queued& q) {  // and waits
        try {
          q.pool.for_each(
              0, 100, [](int) {}, {}, stopped_token());
          ADD_FAILURE() << "no worker is free";
        } catch (const rouse::Stopped&) {
        }
      }));

  // How many CPUs are usable is read from files, and may stay unknown.
  row("ThreadPool", throws_or_survives, [] {
    return [] {
      ThreadPool pool({.min_threads = 2,
                       .max_threads = 2,
                       .name = long_name,
                       .slow_after = 1h,
                       .on_slow = [](const rouse::SlowJob&) {}});
      EXPECT_EQ(pool.stats().threads, 2U);
    };
  });
  row("~ThreadPool", survives, [] {  // and tells the callback
    struct State {
      std::optional<ThreadPool> pool{std::in_place, rouse::ThreadPoolOptions{.max_threads = 1}};
      Gate gate{*pool, Gate::opened_by_stop};
      bool told = false;
    };
    auto state = std::make_shared<State>();
    state->pool->submit_with_callback(
        [&told = state->told](const rouse::Outcome<char>& end) { told = !end; }, Large());
    return [state] {
      state->pool.reset();
      EXPECT_TRUE(state->told);
    };
  });
  row("wait_idle", throws,
      on_queued([](Queued& q) { EXPECT_EQ(q.pool.wait_idle(q.stop), WaitStatus::stopped); }));
  const auto on_pool = [](auto body) {
    return [body] {
      auto pool = std::make_shared<ThreadPool>(
          rouse::ThreadPoolOptions{.min_threads = 2, .max_threads = 2, .name = long_name});
      return [pool, body] { body(*pool); };
    };
  };
  row("resize", throws, on_pool([](ThreadPool& pool) {
        pool.resize(4, 4);
        EXPECT_EQ(pool.stats().threads, 4U);
      }));
  row("resize", survives, on_queued([](Queued& q) {  // lets a thread be started
        q.pool.resize(1, 2);
        EXPECT_TRUE(q.pool.running());
      }));
  const auto stops = [on_pool](auto stop) {
    return on_pool([stop](ThreadPool& pool) {
      strongly([&] { stop(pool); }, [&] { EXPECT_TRUE(pool.running()); });
      EXPECT_FALSE(pool.running());
    });
  };
  row("stop", throws, stops([](ThreadPool& pool) { pool.stop(); }));
  row("try_stop", throws, stops([](ThreadPool& pool) { (void)pool.try_stop(); }));
  row("stop_for", throws, stops([](ThreadPool& pool) { EXPECT_TRUE(pool.stop_for(1h)); }));
  row("stop_for", throws, on_queued([](Queued& q) {  // whose report needs memory
        strongly([&] { EXPECT_EQ(q.pool.stop_for(0s).stragglers.size(), 1U); },
                 [&] { EXPECT_EQ(q.pool.running(), q.jobs[0].status() == JobStatus::queued); });
      }));
  row("start", throws, [] {
    auto pool = std::make_shared<ThreadPool>(
        rouse::ThreadPoolOptions{.min_threads = 2, .max_threads = 2, .name = long_name});
    pool->stop();
    return [pool] {
      strongly([&] { pool->start(); }, [&] { EXPECT_FALSE(pool->running()); });
      EXPECT_TRUE(pool->running());
    };
  });
  row("running", allocates_nothing, on_pool([](ThreadPool& pool) { EXPECT_TRUE(pool.running()); }));
  row("name", allocates_nothing,
      on_pool([](ThreadPool& pool) { EXPECT_EQ(pool.name(), long_name); }));
  row("stats", throws, on_pool([](ThreadPool& pool) { EXPECT_EQ(pool.stats().name, long_name); }));
  row("dump_stats", throws, on_pool([](ThreadPool& pool) {
        struct Buffer : std::streambuf {
          std::array<char, 4096> text{};
          Buffer() { setp(text.data(), text.data() + text.size()); }
        };
        Buffer buffer;
        std::ostream out(&buffer);
        pool.dump_stats(out);
        EXPECT_TRUE(std::string_view(buffer.text.data()).find(long_name) != std::string_view::npos);
      }));

  header = "rouse/exec/cron.hpp";
  row("CronError", throws,
      [] { return [] { EXPECT_EQ(rouse::CronError(long_name, "hour", 3).what(), long_name); }; });
  const auto on_cron_error = [](auto body) {
    return [body] {
      auto error = std::make_shared<rouse::CronError>("what", "hour", 3);
      return [error, body] { body(*error); };
    };
  };
  row("field", allocates_nothing,
      on_cron_error([](auto& error) { EXPECT_STREQ(error.field(), "hour"); }));
  row("column", allocates_nothing,
      on_cron_error([](auto& error) { EXPECT_EQ(error.column(), 3U); }));
  row("Cron", throws, [] {
    return [] { EXPECT_EQ(rouse::Cron("@daily", "Europe/Berlin").zone(), "Europe/Berlin"); };
  });
  row("Cron", throws, [] {
    return [] {
      try {
        const rouse::Cron wrong("* 25 * * *");
        ADD_FAILURE() << "accepted";
      } catch (const rouse::CronError& error) {
        EXPECT_STREQ(error.field(), "hour");
      }
    };
  });
  const auto on_cron = [](auto body) {
    return [body] {
      auto cron = std::make_shared<rouse::Cron>("0 0 29 2 */7", "Europe/Berlin");
      return [cron, body] { body(*cron); };
    };
  };
  row("next", allocates_nothing, on_cron([](auto& cron) {
        EXPECT_TRUE(cron.next(std::chrono::system_clock::time_point(2'000'000'000s)).has_value());
      }));
  row("expression", allocates_nothing,
      on_cron([](auto& cron) { EXPECT_EQ(cron.expression(), "0 0 29 2 */7"); }));
  row("zone", allocates_nothing,
      on_cron([](auto& cron) { EXPECT_EQ(cron.zone(), "Europe/Berlin"); }));

  header = "rouse/exec/manual_clock.hpp";
  row("ManualClock", throws, [] {
    return [] {
      const rouse::ManualClock clock(system_clock::time_point(1h));
      EXPECT_EQ(clock.calendar(), system_clock::time_point(1h));
    };
  });

  // Timers of an executor on a manual clock, whose worker is held up.
  struct Timers {
    rouse::ManualClock clock;
    DelayExecutor executor{{.pool_options = {.max_threads = 1}, .clock = &clock}};
    // The queue of low urgency has no memory yet.
    rouse::Timer pending = executor.run_after(1h, Urgency::low, Large());
    rouse::Timer repeating = executor.run_every(1h, Large());
    rouse::Timer running;
    Event open;
    std::optional<Gate> gate;
    std::stop_token stop = stopped_token();
    Timers() {
      Event begun;
      running = executor.run_every(1s, [this, &begun] {
        const rouse::Shield shield;
        begun.set();
        (void)open.wait();
      });
      clock.advance(1s);
      (void)begun.wait();
    }
    ~Timers() { open.set(); }
  };
  const auto on_timers = [](auto body) {
    return [body] {
      auto timers = std::make_shared<Timers>();
      return [timers, body] { body(*timers); };
    };
  };
  row("~ManualClock", allocates_nothing, [] {
    auto clock = std::make_shared<std::optional<rouse::ManualClock>>(std::in_place);
    return [clock] { clock->reset(); };
  });
  row("now", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_GT(t.clock.now(), steady_clock::time_point()); }));
  row("calendar", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_EQ(t.clock.calendar(), system_clock::time_point(1s)); }));
  // What cannot be queued stays, and is tried again later.
  row("advance", survives, on_timers([](Timers& t) {
        t.clock.advance(1h);
        EXPECT_TRUE(t.pending.cancel());
        EXPECT_TRUE(t.repeating.cancel());
      }));
  row("set_calendar", survives, [] {
    auto timers = std::make_shared<Timers>();
    timers->executor.run_at(system_clock::time_point(2h), Urgency::low, Large());
    return [timers] {
      timers->clock.set_calendar(system_clock::time_point(3h));
      EXPECT_EQ(timers->clock.calendar(), system_clock::time_point(3h));
    };
  });

  header = "rouse/exec/timer.hpp";
  row("Timer", allocates_nothing, on_timers([](Timers& t) {
        rouse::Timer timer = std::move(t.pending);
        timer = std::move(t.repeating);
        EXPECT_TRUE(timer.valid());
      }));
  row("~Timer", allocates_nothing,
      on_timers([](Timers& t) { const rouse::Timer last = std::move(t.pending); }));
  row("cancel", allocates_nothing, on_timers([](Timers& t) {
        EXPECT_TRUE(t.pending.cancel());
        EXPECT_TRUE(t.running.cancel());
      }));
  row("cancel_and_wait", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_EQ(t.pending.cancel_and_wait(), WaitStatus::ready); }));
  row("cancel_and_wait", throws, on_timers([](Timers& t) {
        EXPECT_EQ(t.running.cancel_and_wait(t.stop), WaitStatus::stopped);
      }));
  row("reschedule", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_TRUE(t.pending.reschedule(2h)); }));
  row("next_run", allocates_nothing, on_timers([](Timers& t) {
        EXPECT_EQ(t.pending.next_run(), std::optional(t.clock.now() + 1h - 1s));
      }));
  row("runs", allocates_nothing, on_timers([](Timers& t) { EXPECT_EQ(t.running.runs(), 0U); }));
  row("request_stop", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_TRUE(t.running.request_stop()); }));
  row("valid", allocates_nothing, on_timers([](Timers& t) { EXPECT_TRUE(t.pending.valid()); }));
  const auto on_scoped = [](auto body) {
    return [body] {
      struct Scoped {
        Timers timers;
        rouse::ScopedTimer one{std::move(timers.pending)};
        rouse::ScopedTimer two{std::move(timers.repeating)};
      };
      auto scoped = std::make_shared<Scoped>();
      return [scoped, body] { body(scoped->one, scoped->two); };
    };
  };
  row("ScopedTimer", allocates_nothing,
      on_scoped([](rouse::ScopedTimer& one, rouse::ScopedTimer& two) {
        rouse::ScopedTimer moved = std::move(one);
        two = std::move(moved);
        EXPECT_TRUE((*two).valid());
        EXPECT_TRUE(two->valid());
      }));
  row("~ScopedTimer", allocates_nothing,
      on_timers([](Timers& t) { const rouse::ScopedTimer last(std::move(t.pending)); }));
  row("release", allocates_nothing, on_scoped([](rouse::ScopedTimer& one, rouse::ScopedTimer&) {
        EXPECT_TRUE(one.release().valid());
      }));

  header = "rouse/exec/delay_executor.hpp";
  // A limit of the CPUs may stay unknown.
  row("DelayExecutor", throws_or_survives, [] {
    return [] {
      const DelayExecutor executor({.pool_options = {.name = long_name}});
      EXPECT_TRUE(executor.running());
    };
  });
  row("DelayExecutor", throws, [] {  // in a pool that it is given
    auto pool = std::make_shared<ThreadPool>(rouse::ThreadPoolOptions{.max_threads = 1});
    return [pool] { EXPECT_TRUE(DelayExecutor({.pool = pool.get()}).running()); };
  });
  row("~DelayExecutor", survives, [] {
    auto executor = std::make_shared<std::optional<DelayExecutor>>(std::in_place);
    (*executor)->run_after(1h, Large());
    return [executor] { executor->reset(); };
  });
  const auto adds_timer = [on_timers](auto add) {
    return on_timers([add](Timers& t) {
      strongly([&] { add(t.executor); }, [&] { EXPECT_EQ(t.executor.stats().pending, 2U); });
      EXPECT_EQ(t.executor.stats().pending, 3U);
    });
  };
  row("run_after", throws, adds_timer([](DelayExecutor& e) { e.run_after(1h, Large()); }));
  row("run_at", throws,
      adds_timer([](DelayExecutor& e) { e.run_at(steady_clock::time_point::max(), Large()); }));
  row("run_at", throws,
      adds_timer([](DelayExecutor& e) { e.run_at(system_clock::time_point(1h), Large()); }));
  row("run_every", throws, adds_timer([](DelayExecutor& e) { e.run_every(1h, Large()); }));
  row("run_cron", throws,
      adds_timer([](DelayExecutor& e) { e.run_cron("@daily", "UTC", Large()); }));
  row("run_queued", throws, on_timers([](Timers& t) {
        strongly([&] { EXPECT_EQ(t.executor.run_queued(Large()).status(), JobStatus::queued); },
                 [&] { EXPECT_EQ(t.executor.pool().stats().queued(), 0U); });
        EXPECT_EQ(t.executor.pool().stats().queued(), 1U);
      }));
  // On the system's clock the first timer that follows the calendar starts a thread.
  row("run_at", throws, [] {
    auto executor = std::make_shared<DelayExecutor>();
    return [executor] {
      strongly([&] { executor->run_at(system_clock::time_point::max(), Large()); },
               [&] { EXPECT_EQ(executor->stats().pending, 0U); });
      EXPECT_EQ(executor->stats().pending, 1U);
    };
  });
  const auto stops_timers = [on_timers](auto stop) {
    return on_timers([stop](Timers& t) {
      t.open.set();
      strongly([&] { stop(t.executor); }, [&] { EXPECT_TRUE(t.executor.running()); });
      EXPECT_FALSE(t.executor.running());
    });
  };
  row("stop", throws, stops_timers([](DelayExecutor& e) { EXPECT_EQ(e.stop(), 3U); }));
  row("try_stop", throws, stops_timers([](DelayExecutor& e) { (void)e.try_stop(); }));
  row("stop_for", throws, stops_timers([](DelayExecutor& e) { EXPECT_TRUE(e.stop_for(1h)); }));
  row("running", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_TRUE(t.executor.running()); }));
  row("pool", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_TRUE(t.executor.pool().running()); }));
  row("stats", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_EQ(t.executor.stats().pending, 2U); }));

  header = "rouse/detail/thread_name.hpp";
  row("set_thread_name", allocates_nothing,
      [] { return [] { rouse::detail::set_thread_name(long_name); }; });
  row("printable", throws,
      [] { return [] { EXPECT_EQ(rouse::detail::printable(long_name), long_name); }; });

  header = "rouse/detail/unique_function.hpp";
  row("UniqueFunction", throws, [] {
    return [] {
      std::array<char, 64> large{};
      rouse::detail::UniqueFunction<char()> function([large] { return large[0]; });
      EXPECT_EQ(function(), 0);
    };
  });
  return table;
}

// The call with each of its allocations failing. On a thread of its own that has never waited.
void run(const Row& row) {
  if (row.promise == Promise::allocates_nothing) {
    const auto call = row.prepare();
    const EmptyPool empty;
    long made = -1;
    std::thread([&] {
      const long before = allocations_made();
      call();
      made = allocations_made() - before;
    }).join();
    EXPECT_EQ(made, 0);
    return;
  }
  // Blocks of tasks go round between threads and are kept, but not under AddressSanitizer.
  const bool counts_exactly =
      rouse::test::under_asan || !std::string_view(row.header).starts_with("rouse/exec/");
  // What is kept for good once it was there: the anchors of pools.
  {
    const auto call = row.prepare();
    const EmptyPool empty;
    std::thread([&] { call(); }).join();
  }
  long free_before = EmptyPool().count();
  int attempts = 20;
  for (long n = 0;; ++n) {
    SCOPED_TRACE(testing::Message() << "allocation " << n << " fails");
    const long live_before = live_allocations();
    bool failed = false;
    bool was_reached = false;
    {
      const auto call = row.prepare();
      const EmptyPool empty;
      std::thread([&] {
        const Fault fault(Call::allocation, ENOMEM, n);
        try {
          call();
        } catch (const std::bad_alloc&) {
          failed = true;
        }
        was_reached = fault.reached();
      }).join();
    }
    // What is left are the control blocks that the pool keeps.
    const long free_after = EmptyPool().count();
    if (counts_exactly) {
      EXPECT_EQ(live_allocations() - live_before, free_after - free_before);
    }
    free_before = free_after;
    if (!was_reached) {
      EXPECT_FALSE(failed);
      // A wait that what it waits for has forestalled needs no memory.
      if (n == 0 && --attempts != 0) {
        --n;
        continue;
      }
      EXPECT_GT(n, 0) << "it allocates nothing";
      return;
    }
    if (row.promise != Promise::throws_or_survives) {
      EXPECT_EQ(failed, row.promise == Promise::throws);
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST(AllocationFailure, AtEachAllocationOfEachFunctionKeepsItsPromise) {
  (void)rouse::sleep_for(0s);  // this thread has its control block
  for (const Row& row : rows()) {
    SCOPED_TRACE(testing::Message() << row.header << ": " << row.function);
    run(row);
  }
}

// --- the table is complete
// ----------------------------------------------------------------------------------------------

const std::filesystem::path include_directory = ROUSE_SOURCE_DIR "/include";

std::vector<std::string> public_headers() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(include_directory)) {
    if (entry.is_regular_file()) {
      names.push_back(entry.path().lexically_relative(include_directory));
    }
  }
  return names;
}

// The names of the functions that users may call. Relies on our formatting: declarations begin in
// the first column, or in the third in a class, and statements of bodies lie deeper.
std::set<std::string> functions_of(const std::string& header) {
  static const std::regex attribute(R"(\[\[.*?\]\] ?|__attribute__\(\(.*?\)\)\)? )");
  static const std::regex declaration(
      R"(^(?:  )?(?! )(?:[\w:<>,&* ]*?[&* ])?(operator\(\)|~?(?!requires)\w+|operator \w+)\()");
  std::set<std::string> names;
  std::ifstream file(include_directory / header);
  int depth = 0;
  constexpr int nothing = INT_MAX;
  int hidden = nothing;  // not public is what lies deeper than this
  for (std::string line; std::getline(file, line);) {
    line = std::regex_replace(line.substr(0, line.find("//")), attribute, "");
    if (hidden == nothing && line.starts_with("namespace detail {")) hidden = depth;
    if (hidden == nothing && (line == " private:" || line == " protected:")) hidden = depth - 1;
    if (hidden == depth - 1 && line == " public:") hidden = nothing;
    std::smatch match;
    if (hidden == nothing && std::regex_search(line, match, declaration) &&
        !line.starts_with('#') && line.find("= delete") == std::string::npos &&
        line.find("= default") == std::string::npos) {
      names.insert(match[1]);
    }
    depth += static_cast<int>(std::ranges::count(line, '{') - std::ranges::count(line, '}'));
    if (depth <= hidden && hidden != nothing) hidden = nothing;
  }
  return names;
}

TEST(AllocationFailure, IsTestedForEachFunctionOfEachHeader) {
  // They have no functions, or none that could allocate; asio.hpp is left to exec/asio_test,
  // fmt.hpp to {fmt}.
  const std::set<std::string> without{"rouse/asio.hpp",
                                      "rouse/exec/range_job.hpp",
                                      "rouse/exec/task.hpp",
                                      "rouse/exec/timer_state.hpp",
                                      "rouse/fmt.hpp",
                                      "rouse/resource/ids.hpp",
                                      "rouse/rouse.hpp",
                                      "rouse/version.hpp",
                                      "rouse/thread/thread_activity.hpp",
                                      "rouse/detail/deadline.hpp",
                                      "rouse/detail/lock.hpp",
                                      "rouse/detail/os.hpp"};
  std::map<std::string, std::set<std::string>> tested;
  for (const Row& row : rows()) tested[row.header].insert(row.function);
  for (const std::string& header : public_headers()) {
    if (without.contains(header)) continue;
    EXPECT_TRUE(tested.contains(header)) << header;
    if (header.starts_with("rouse/detail/")) continue;
    EXPECT_EQ(tested[header], functions_of(header)) << header;
  }
}

}  // namespace
