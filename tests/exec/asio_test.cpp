#include "rouse/asio.hpp"

#include "rouse/exec/thread_pool.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/at_once.hpp"
#include "support/faults/faults.hpp"
#include "support/gated_pool.hpp"
#include "support/scale.hpp"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#if BOOST_ASIO_VERSION >= 101900
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#endif
#include <gtest/gtest.h>

namespace {

namespace asio = boost::asio;
namespace execution = boost::asio::execution;

using boost::system::error_code;
using rouse::asio_executor;
using rouse::AsioExecutor;
using rouse::async_wait;
using rouse::Event;
using rouse::ThreadPool;
using rouse::WaitStatus;
using rouse::test::at_once;
using rouse::test::Call;
using rouse::test::Fault;
using rouse::test::Gate;
using rouse::test::rounds;

const error_code success;
const error_code aborted = asio::error::operation_aborted;

/// Sets an event when it is destroyed: it tells that what holds it is.
class SetsAtItsEnd {
 public:
  explicit SetsAtItsEnd(Event& event) : event_(&event) {}
  SetsAtItsEnd(SetsAtItsEnd&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  SetsAtItsEnd& operator=(SetsAtItsEnd&&) = delete;
  ~SetsAtItsEnd() {
    if (event_ != nullptr) event_->set();
  }

 private:
  Event* event_;
};

/// Counts the blocks that are in use.
template <class T>
struct CountingAllocator {
  using value_type = T;

  explicit CountingAllocator(int& count) noexcept : blocks(&count) {}
  template <class U>
  explicit(false) CountingAllocator(const CountingAllocator<U>& other) noexcept
      : blocks(other.blocks) {}

  T* allocate(std::size_t n) {
    ++*blocks;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    --*blocks;
    std::allocator<T>().deallocate(memory, n);
  }
  template <class U>
  friend bool operator==(const CountingAllocator& a, const CountingAllocator<U>& b) noexcept {
    return a.blocks == b.blocks;
  }

  int* blocks;
};

template <class F>
struct Allocated {
  using allocator_type = CountingAllocator<void>;
  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(*blocks); }
  template <class... Args>
  void operator()(Args... args) {
    call(args...);
  }

  int* blocks;
  F call;
};
template <class F>
Allocated(int*, F) -> Allocated<F>;

/// Shows of an executor what the Networking TS knows. Asio's own such type, asio::executor, counts
/// its owners with fences, which ThreadSanitizer does not understand.
struct TsExecutor {
  asio::execution_context& context() const noexcept { return inner.context(); }
  void on_work_started() const noexcept { inner.on_work_started(); }
  void on_work_finished() const noexcept { inner.on_work_finished(); }
  template <class F, class Allocator>
  void dispatch(F&& f, const Allocator& allocator) const {
    inner.dispatch(std::forward<F>(f), allocator);
  }
  template <class F, class Allocator>
  void post(F&& f, const Allocator& allocator) const {
    inner.post(std::forward<F>(f), allocator);
  }
  template <class F, class Allocator>
  void defer(F&& f, const Allocator& allocator) const {
    inner.defer(std::forward<F>(f), allocator);
  }
  friend bool operator==(const TsExecutor&, const TsExecutor&) noexcept = default;

  AsioExecutor<> inner;
};

// --- the executor --------------------------------------------------------------------------------

static_assert(execution::is_executor_v<AsioExecutor<>>);
static_assert(execution::is_executor_v<AsioExecutor<CountingAllocator<void>>>);
static_assert(asio::is_executor<AsioExecutor<>>::value);
static_assert(asio::is_executor<TsExecutor>::value && !execution::is_executor_v<TsExecutor>);
static_assert(std::is_constructible_v<asio::executor, AsioExecutor<>>);
static_assert(!asio::can_require_v<AsioExecutor<>, execution::outstanding_work_t::tracked_t>);
static_assert(!asio::can_require_v<AsioExecutor<>, execution::blocking_t::always_t>);

TEST(AsioExecutor, HasTheProperties) {
  ThreadPool pool({.max_threads = 1});
  const auto executor = asio_executor(pool);
  EXPECT_EQ(asio::query(executor, execution::blocking), execution::blocking.possibly);
  EXPECT_EQ(asio::query(executor, execution::mapping), execution::mapping.thread);
  const auto never = asio::require(executor, execution::blocking.never);
  EXPECT_EQ(asio::query(never, execution::blocking), execution::blocking.never);
  EXPECT_EQ(asio::require(never, execution::blocking.possibly), executor);
  EXPECT_EQ(asio::require(executor, execution::outstanding_work.untracked), executor);
  EXPECT_EQ(asio::prefer(executor, execution::outstanding_work.tracked), executor);
  EXPECT_EQ(asio::prefer(executor, execution::relationship.continuation), executor);
  int blocks = 0;
  const CountingAllocator<void> allocator(blocks);
  const auto with = asio::require(executor, execution::allocator(allocator));
  EXPECT_EQ(asio::query(with, execution::allocator), allocator);
  EXPECT_EQ(asio::require(with, execution::allocator), executor);
}

TEST(AsioExecutor, IsEqualToOneOfTheSamePoolAndManner) {
  ThreadPool pool({.max_threads = 1});
  ThreadPool other({.max_threads = 1});
  const auto executor = asio_executor(pool);
  EXPECT_EQ(executor, asio_executor(pool));
  EXPECT_NE(executor, asio_executor(other));
  EXPECT_NE(executor, asio::require(executor, execution::blocking.never));
}

TEST(AsioExecutor, HasOneContextForEachPool) {
  ThreadPool pool({.max_threads = 1});
  ThreadPool other({.max_threads = 1});
  const auto context = [](ThreadPool& of) {
    return &asio::query(asio_executor(of), execution::context);
  };
  EXPECT_EQ(context(pool), context(pool));
  EXPECT_NE(context(pool), context(other));
}

TEST(AsioExecutor, CallsOnAWorker) {
  ThreadPool pool({.max_threads = 1});
  const auto executor = asio_executor(pool);
  EXPECT_FALSE(executor.running_in_this_thread());
  int called = 0;
  const auto count = [&] { called += executor.running_in_this_thread() ? 1 : 0; };
  asio::post(executor, count);
  asio::dispatch(executor, count);
  asio::defer(executor, count);
  executor.execute(count);
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(called, 4);
}

TEST(AsioExecutor, CallsAtOnceOnlyWhatIsDispatchedInAWorker) {
  ThreadPool pool({.max_threads = 1});
  const auto executor = asio_executor(pool);
  std::string order;
  asio::post(executor, [&] {
    asio::post(executor, [&] { order += 'p'; });
    asio::defer(executor, [&] { order += 'f'; });
    asio::dispatch(executor, [&] { order += 'd'; });
    executor.execute([&] { order += 'e'; });
    asio::require(executor, execution::blocking.never).execute([&] { order += 'n'; });
    order += '.';
  });
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(order, "de.pfn");
}

TEST(AsioExecutor, DispatchesToTheOtherPool) {
  ThreadPool pool({.max_threads = 1});
  ThreadPool other({.max_threads = 1});
  std::thread::id one;
  std::promise<std::thread::id> two;
  asio::post(asio_executor(pool), [&] {
    one = std::this_thread::get_id();
    asio::dispatch(asio_executor(other), [&] { two.set_value(std::this_thread::get_id()); });
  });
  const std::thread::id id = two.get_future().get();
  EXPECT_NE(id, one);
}

TEST(AsioExecutor, TakesWhatCanOnlyBeMoved) {
  ThreadPool pool({.max_threads = 1});
  int seen = 0;
  asio::post(asio_executor(pool), [&seen, number = std::make_unique<int>(7)] { seen = *number; });
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(seen, 7);
}

TEST(AsioExecutor, KeepsAFunctionInItsAllocatorsMemoryUntilTheCall) {
  ThreadPool pool({.max_threads = 1});
  std::optional<Gate> gate(std::in_place, pool);
  int blocks = 0;
  int at_call = -1;
  asio::post(asio_executor(pool), Allocated{&blocks, [&] { at_call = blocks; }});
  EXPECT_EQ(blocks, 1);
  gate.reset();
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(at_call, 0);
  EXPECT_EQ(blocks, 0);
}

// As Asio holds executors where their type is not known.
template <class Any>
void expect_held_by() {
  ThreadPool pool({.max_threads = 1});
  const Any executor{asio_executor(pool)};
  EXPECT_TRUE(executor == Any{asio_executor(pool)});
  std::string order;
  asio::post(executor, [&] {
    asio::post(executor, [&] { order += 'p'; });
    asio::dispatch(executor, [&] { order += 'd'; });
  });
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(order, "dp");
}
TEST(AsioExecutor, IsHeldByAnyIoExecutor) { expect_held_by<asio::any_io_executor>(); }
TEST(AsioExecutor, IsAnExecutorOfTheNetworkingTs) { expect_held_by<TsExecutor>(); }

TEST(AsioExecutor, IsSerialisedByAStrand) {
  constexpr int posters = 3;
  const int each = rounds(3000);
  ThreadPool pool({.max_threads = 4});
  auto strand = asio::make_strand(asio_executor(pool));
  std::vector<int> next(posters);
  int in_order = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t p = 0; p < posters; ++p) {
      threads.emplace_back([&, p] {
        for (int i = 0; i < each; ++i) {
          asio::post(strand, [&, p, i] { in_order += next[p]++ == i ? 1 : 0; });
        }
      });
    }
  }
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(in_order, posters * each);
}

TEST(AsioExecutor, IsNotHeldBackByAFullQueue) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1, .overflow = rouse::Overflow::reject});
  std::optional<Gate> gate(std::in_place, pool);
  pool.post([] {});
  int called = 0;
  asio::post(asio_executor(pool), [&] { ++called; });
  EXPECT_THROW(pool.post([] {}), rouse::QueueFull);
  gate.reset();
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(called, 1);
}

TEST(AsioExecutor, GivesWhatAFunctionThrowsToOnErrorOrToItsCaller) {
  std::vector<std::string> errors;
  ThreadPool pool({.max_threads = 1, .on_error = [&](const std::exception_ptr& error) {
                     try {
                       std::rethrow_exception(error);
                     } catch (const std::exception& thrown) {
                       errors.emplace_back(thrown.what());
                     }
                   }});
  const auto executor = asio_executor(pool);
  asio::post(executor, [] { throw std::runtime_error("posted"); });
  asio::post(executor, [&] {
    EXPECT_THROW(executor.execute([] { throw std::runtime_error("here"); }), std::runtime_error);
  });
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(errors, std::vector<std::string>{"posted"});
}

TEST(AsioExecutor, CallsHandlersOfAnIoContext) {
  ThreadPool pool({.max_threads = 1});
  const auto executor = asio_executor(pool);
  asio::io_context io;
  asio::steady_timer timer(io, std::chrono::steady_clock::time_point::min());
  bool on_worker = false;
  timer.async_wait(asio::bind_executor(executor, [&](error_code error) {
    EXPECT_EQ(error, success);
    on_worker = executor.running_in_this_thread();
  }));
  io.run();
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_TRUE(on_worker);
}

TEST(AsioExecutor, HasTimersOfItsOwn) {
  ThreadPool pool({.max_threads = 1});
  const auto executor = asio_executor(pool);
  asio::steady_timer timer(executor, std::chrono::steady_clock::time_point::min());
  std::promise<bool> on_worker;
  timer.async_wait([&](error_code) { on_worker.set_value(executor.running_in_this_thread()); });
  EXPECT_TRUE(on_worker.get_future().get());
}

TEST(AsioExecutor, ThrowsForWantOfMemoryAndCallsNothing) {
  struct Large {
    void operator()() const { ++*calls; }
    int* calls;
    std::byte ballast[1000]{};
  };
  // What the pool itself does without, an additional worker, comes behind.
  long failures = 0;
  for (bool failed = true; failed;) {
    ThreadPool pool({.max_threads = 1});
    int calls = 0;
    {
      const Gate gate(pool);  // so that nobody else allocates
      const Fault fault(Call::allocation, ENOMEM, failures);
      try {
        asio_executor(pool).execute(Large{&calls});
        failed = false;
      } catch (const std::bad_alloc&) {
        ++failures;
      }
    }
    ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
    EXPECT_EQ(calls, failed ? 0 : 1);
  }
  EXPECT_GE(failures, 2);  // the context and the task
}

// --- and the end of its pool ---------------------------------------------------------------------

TEST(AsioExecutor, DestroysAndCountsWhatItsStoppedPoolRefuses) {
  ThreadPool pool({.max_threads = 1});
  const auto executor = asio_executor(pool);
  pool.stop();
  Event destroyed;
  asio::post(executor, [end = SetsAtItsEnd(destroyed)] { ADD_FAILURE() << "called"; });
  EXPECT_TRUE(destroyed.is_set());
  EXPECT_EQ(pool.stats().dropped, 1U);
  pool.start();
  int called = 0;
  asio::post(executor, [&] { ++called; });
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(called, 1);
}

TEST(AsioExecutor, DestroysWhatAStopDrops) {
  ThreadPool pool({.max_threads = 1});
  const Gate gate(pool, Gate::opened_by_stop);
  Event destroyed;
  asio::post(asio_executor(pool), [end = SetsAtItsEnd(destroyed)] { ADD_FAILURE() << "called"; });
  EXPECT_TRUE(pool.stop_for(std::chrono::hours(1)));
  EXPECT_TRUE(destroyed.is_set());
}

// A strand goes from job to job; so does a coroutine.
TEST(AsioExecutor, LetsJobsGoOnInStop) {
  ThreadPool pool({.max_threads = 1});
  const auto executor = asio_executor(pool);
  int left = 100;
  std::function<void()> go_on = [&] {
    if (--left != 0) asio::post(executor, go_on);
  };
  Event begun;
  asio::post(executor, [&] {
    begun.set();
    while (pool.running()) std::this_thread::yield();
    go_on();
  });
  ASSERT_EQ(begun.wait(), WaitStatus::ready);
  pool.stop();
  EXPECT_EQ(left, 0);
}

TEST(AsioExecutor, LeavesAStrandToItsEnd) {
  Event destroyed;
  {
    ThreadPool pool({.max_threads = 1});
    const Gate gate(pool, Gate::opened_by_stop);
    auto strand = asio::make_strand(asio_executor(pool));
    asio::post(strand, [end = SetsAtItsEnd(destroyed)] { ADD_FAILURE() << "called"; });
    EXPECT_TRUE(pool.stop_for(std::chrono::hours(1)));
    asio::post(strand, [] { ADD_FAILURE() << "called"; });
    EXPECT_FALSE(destroyed.is_set());
  }
  EXPECT_TRUE(destroyed.is_set());
}

// On a thread of Asio's, where an exception would end the program.
TEST(AsioExecutor, RefusesTheHandlersOfItsTimers) {
  ThreadPool pool({.max_threads = 1});
  asio::steady_timer timer(asio_executor(pool), std::chrono::steady_clock::time_point::max());
  Event destroyed;
  timer.async_wait([end = SetsAtItsEnd(destroyed)](error_code) { ADD_FAILURE() << "called"; });
  pool.stop();
  timer.cancel();
  EXPECT_EQ(destroyed.wait(), WaitStatus::ready);
}

// What belongs to the context of a pool lives as long as its jobs.
class Notes final : public asio::execution_context::service {
 public:
  using key_type = Notes;
  inline static asio::execution_context::id id;

  explicit Notes(asio::execution_context& owner) : service(owner) {}

  std::string* text = nullptr;

 private:
  void shutdown() override { *text += " shutdown"; }
};

TEST(AsioExecutor, EndsItsContextAfterTheJobs) {
  std::string text;
  {
    ThreadPool pool({.max_threads = 1});
    auto& context = asio::query(asio_executor(pool), execution::context);
    auto& notes = asio::use_service<Notes>(context);
    notes.text = &text;
    Event begun;
    pool.post([&] {
      begun.set();
      (void)rouse::sleep_for(std::chrono::hours(1));
      *notes.text += "job";
    });
    ASSERT_EQ(begun.wait(), WaitStatus::ready);
  }
  EXPECT_EQ(text, "job shutdown");
}

// --- async_wait ----------------------------------------------------------------------------------

/// How often a handler was called, and with what.
struct Calls {
  auto handler() {
    return [this](error_code error) {
      ++count;
      last = error;
    };
  }

  int count = 0;
  error_code last;
};

TEST(AsyncWait, CallsItsHandlerAfterTheSetNotInIt) {
  asio::io_context io;
  Event event;
  Calls calls;
  async_wait(event, asio::bind_executor(io, calls.handler()));
  EXPECT_EQ(io.poll(), 0U);
  event.set();
  EXPECT_EQ(calls.count, 0);
  EXPECT_EQ(io.poll(), 1U);
  EXPECT_EQ(calls.count, 1);
  EXPECT_EQ(calls.last, success);
  event.set();
  EXPECT_EQ(io.poll(), 0U);
}

TEST(AsyncWait, CallsItsHandlerLaterIfTheEventIsSet) {
  asio::io_context io;
  Event event(true);
  Calls calls;
  async_wait(event, asio::bind_executor(io, calls.handler()));
  EXPECT_EQ(calls.count, 0);
  EXPECT_EQ(io.poll(), 1U);
  EXPECT_EQ(calls.count, 1);
  EXPECT_EQ(calls.last, success);
}

TEST(AsyncWait, EndsAtASetThatIsTakenBack) {
  asio::io_context io;
  Event event;
  Calls calls;
  async_wait(event, asio::bind_executor(io, calls.handler()));
  event.set();
  event.clear();
  io.run();
  EXPECT_EQ(calls.count, 1);
}

TEST(AsyncWait, IsOutstandingWork) {
  asio::io_context io;
  Event event;
  Calls calls;
  async_wait(event, asio::bind_executor(io, calls.handler()));
  io.poll();
  EXPECT_FALSE(io.stopped());
  event.set();
  io.run();
  EXPECT_EQ(calls.count, 1);
  EXPECT_TRUE(io.stopped());
}

TEST(AsyncWait, IsOneOfManyForAnEvent) {
  asio::io_context io;
  Event event;
  Calls calls;
  for (int i = 0; i < 100; ++i) async_wait(event, asio::bind_executor(io, calls.handler()));
  event.set();
  io.run();
  EXPECT_EQ(calls.count, 100);
}

TEST(AsyncWait, MayBeStartedAgainByItsHandler) {
  asio::io_context io;
  Event event;
  int calls = 0;
  std::function<void(error_code)> handler = [&](error_code) {
    event.clear();
    if (++calls != 3) async_wait(event, asio::bind_executor(io, handler));
  };
  async_wait(event, asio::bind_executor(io, handler));
  for (int i = 1; i <= 3; ++i) {
    event.set();
    io.poll();
    EXPECT_EQ(calls, i);
  }
}

TEST(AsyncWait, LetsItsHandlerFreeTheEvent) {
  asio::io_context io;
  auto event = std::make_unique<Event>();
  async_wait(*event, asio::bind_executor(io, [&](error_code) { event.reset(); }));
  event->set();
  io.run();
  EXPECT_EQ(event, nullptr);
}

TEST(AsyncWait, CallsItsHandlerInItsStrand) {
  ThreadPool pool({.max_threads = 2});
  auto strand = asio::make_strand(asio_executor(pool));
  Event event;
  std::promise<bool> in_strand;
  async_wait(event, asio::bind_executor(strand, [&](error_code) {
               in_strand.set_value(strand.running_in_this_thread());
             }));
  event.set();
  EXPECT_TRUE(in_strand.get_future().get());
}

template <class Any>
void expect_waits_for_handlers_of() {
  ThreadPool pool({.max_threads = 1});
  Event event;
  Calls calls;
  async_wait(event, asio::bind_executor(Any{asio_executor(pool)}, calls.handler()));
  event.set();
  ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(calls.count, 1);
}
TEST(AsyncWait, WaitsForHandlersOfAnyIoExecutor) {
  expect_waits_for_handlers_of<asio::any_io_executor>();
}
TEST(AsyncWait, WaitsForHandlersOfAnExecutorOfTheNetworkingTs) {
  expect_waits_for_handlers_of<TsExecutor>();
}

TEST(AsyncWait, IsAFuture) {
  Event event;
  std::future<void> future = async_wait(event, asio::use_future);
  EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  event.set();
  EXPECT_NO_THROW(future.get());
}

TEST(AsyncWait, TakesAHandlerThatCanOnlyBeMoved) {
  asio::io_context io;
  Event event;
  int seen = 0;
  async_wait(event, asio::bind_executor(io, [&, number = std::make_unique<int>(7)](error_code) {
               seen = *number;
             }));
  event.set();
  io.run();
  EXPECT_EQ(seen, 7);
}

TEST(AsyncWait, KeepsItsHandlerInItsAllocatorsMemoryUntilTheCall) {
  asio::io_context io;
  Event event;
  int blocks = 0;
  int at_call = -1;
  async_wait(event,
             asio::bind_executor(io, Allocated{&blocks, [&](error_code) { at_call = blocks; }}));
  EXPECT_EQ(blocks, 1);
  event.set();
  io.run();
  EXPECT_EQ(at_call, 0);
  EXPECT_EQ(blocks, 0);
}

TEST(AsyncWait, ThrowsForWantOfMemoryAndForgetsTheEvent) {
  for (const bool set : {false, true}) {
    long failures = 0;
    for (bool failed = true; failed;) {
      asio::io_context io;
      Event event(set);
      Calls calls;
      {
        const Fault fault(Call::allocation, ENOMEM, failures);
        try {
          async_wait(event, asio::bind_executor(io, calls.handler()));
          failed = false;
        } catch (const std::bad_alloc&) {
          ++failures;
        }
      }
      event.set();
      io.run();
      EXPECT_EQ(calls.count, failed ? 0 : 1);
    }
    EXPECT_GE(failures, 2);  // the service and the wait
  }
}

TEST(AsyncWait, IsAbortedByAStop) {
  asio::io_context io;
  Event event;
  std::stop_source stop;
  Calls calls;
  async_wait(event, stop.get_token(), asio::bind_executor(io, calls.handler()));
  EXPECT_EQ(io.poll(), 0U);
  stop.request_stop();
  EXPECT_EQ(calls.count, 0);
  event.set();
  io.run();
  EXPECT_EQ(calls.count, 1);
  EXPECT_EQ(calls.last, aborted);
}

TEST(AsyncWait, IsAbortedByAStopThatWasRequestedBefore) {
  asio::io_context io;
  Event event;
  std::stop_source stop;
  stop.request_stop();
  Calls calls;
  async_wait(event, stop.get_token(), asio::bind_executor(io, calls.handler()));
  EXPECT_EQ(calls.count, 0);
  io.run();
  EXPECT_EQ(calls.count, 1);
  EXPECT_EQ(calls.last, aborted);
}

TEST(AsyncWait, SucceedsIfTheEventWasSetBeforeTheStop) {
  asio::io_context io;
  Event event;
  std::stop_source stop;
  Calls calls;
  async_wait(event, stop.get_token(), asio::bind_executor(io, calls.handler()));
  event.set();
  stop.request_stop();
  async_wait(event, stop.get_token(), asio::bind_executor(io, calls.handler()));
  io.run_one();
  EXPECT_EQ(calls.last, success);
  io.run();
  EXPECT_EQ(calls.count, 2);
  EXPECT_EQ(calls.last, success);
}

// What a wait meets at the same instant: its handler is called once each time.
struct Meeting {
  ThreadPool pool{{.max_threads = 1}};
  std::optional<Event> event;
  std::optional<std::stop_source> stop;
  Calls calls;

  void wait() {
    async_wait(*event, stop->get_token(),
               asio::bind_executor(asio_executor(pool), calls.handler()));
  }

  void ends_once(std::vector<std::function<void(int)>> actions,
                 const std::function<void()>& begin) {
    const int count = rounds(1000);
    at_once(
        count, std::move(actions),
        [&] {
          event.emplace();
          stop.emplace();
          begin();
        },
        [&](int i) {
          ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
          EXPECT_EQ(calls.count, i + 1);
        });
    EXPECT_EQ(calls.count, count);
  }
};

// The handler runs at the same time, too, and frees the wait.
TEST(AsyncWait, IsEndedOnceBySetOrStop) {
  Meeting meeting;
  meeting.ends_once({[&](int i) {
                       rouse::test::delay(static_cast<unsigned>(i) % 64);
                       meeting.event->set();
                     },
                     [&](int i) {
                       rouse::test::delay(static_cast<unsigned>(i) / 64 % 64);
                       meeting.stop->request_stop();
                     }},
                    [&] { meeting.wait(); });
}

TEST(AsyncWait, IsStartedWhileItsEventIsSetAndItsStopRequested) {
  Meeting meeting;
  meeting.ends_once({[&](int) { meeting.wait(); },
                     [&](int i) {
                       rouse::test::delay(static_cast<unsigned>(i) % 256);
                       if (i % 2 == 0) meeting.event->set();
                       meeting.stop->request_stop();
                     }},
                    [] {});
}

TEST(AsyncWait, EndsWithItsContextWithoutACall) {
  Event event;
  std::stop_source stop;
  Event destroyed;
  {
    asio::io_context io;
    async_wait(event, stop.get_token(),
               asio::bind_executor(
                   io, [end = SetsAtItsEnd(destroyed)](error_code) { ADD_FAILURE() << "called"; }));
    async_wait(event, asio::bind_executor(io, [](error_code) { ADD_FAILURE() << "called"; }));
  }
  EXPECT_TRUE(destroyed.is_set());
  event.set();
  stop.request_stop();
}

TEST(AsyncWait, EndsWithItsContextThoughItsHandlerIsDue) {
  Event event;
  Event destroyed;
  {
    asio::io_context io;
    async_wait(event, asio::bind_executor(io, [end = SetsAtItsEnd(destroyed)](error_code) {
                 ADD_FAILURE() << "called";
               }));
    event.set();
    EXPECT_FALSE(destroyed.is_set());
  }
  EXPECT_TRUE(destroyed.is_set());
}

TEST(AsyncWait, EndsWithThePoolOfItsHandler) {
  Event event;
  Event destroyed;
  {
    ThreadPool pool({.max_threads = 1});
    async_wait(event, asio::bind_executor(asio_executor(pool),
                                          [end = SetsAtItsEnd(destroyed)](error_code) {
                                            ADD_FAILURE() << "called";
                                          }));
  }
  EXPECT_TRUE(destroyed.is_set());
  event.set();
}

TEST(AsyncWait, EndsWithItsContextWhileItsEventIsSetAndItsStopRequested) {
  std::optional<asio::io_context> io;
  std::optional<Event> event;
  std::optional<std::stop_source> stop;
  std::deque<Event> destroyed;
  const int count = rounds(1000);
  int whole = 0;
  at_once(
      count,
      {[&](int) { io.reset(); },
       [&](int i) {
         rouse::test::delay(static_cast<unsigned>(i) % 256);
         if (i % 3 != 0) event->set();
         if (i % 3 != 1) stop->request_stop();
       }},
      [&] {
        io.emplace();
        event.emplace();
        stop.emplace();
        destroyed.clear();
        for (int i = 0; i < 3; ++i) {
          async_wait(*event, stop->get_token(),
                     asio::bind_executor(*io, [end = SetsAtItsEnd(destroyed.emplace_back())](
                                                  error_code) { ADD_FAILURE() << "called"; }));
        }
      },
      [&](int) {
        bool all = true;
        for (const Event& each : destroyed) all = all && each.is_set();
        if (all) ++whole;
      });
  EXPECT_EQ(whole, count);
}

// --- cancellation slots --------------------------------------------------------------------------

#if BOOST_ASIO_VERSION >= 101900

TEST(AsyncWait, IsAbortedByItsSlot) {
  asio::io_context io;
  Event event;
  asio::cancellation_signal signal;
  Calls calls;
  async_wait(event,
             asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io, calls.handler())));
  signal.emit(asio::cancellation_type::none);
  EXPECT_EQ(io.poll(), 0U);
  signal.emit(asio::cancellation_type::total);
  signal.emit(asio::cancellation_type::terminal);
  event.set();
  io.run();
  EXPECT_EQ(calls.count, 1);
  EXPECT_EQ(calls.last, aborted);
}

TEST(AsyncWait, SucceedsIfTheEventWasSetBeforeTheCancellation) {
  asio::io_context io;
  Event event;
  asio::cancellation_signal signal;
  Calls calls;
  async_wait(event,
             asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io, calls.handler())));
  event.set();
  signal.emit(asio::cancellation_type::terminal);
  io.run();
  signal.emit(asio::cancellation_type::terminal);
  EXPECT_EQ(calls.count, 1);
  EXPECT_EQ(calls.last, success);
}

TEST(AsyncWait, EndsBeforeOrAfterItsSlot) {
  Event event;
  std::optional<asio::cancellation_signal> signal(std::in_place);
  std::optional<asio::io_context> io(std::in_place);
  Calls calls;
  const auto start = [&] {
    async_wait(event, asio::bind_cancellation_slot(signal->slot(),
                                                   asio::bind_executor(*io, calls.handler())));
  };
  start();
  io.reset();
  signal->emit(asio::cancellation_type::terminal);
  io.emplace();
  start();
  signal.reset();
  event.set();
  io->run();
  EXPECT_EQ(calls.count, 1);
}

#endif

// --- coroutines ----------------------------------------------------------------------------------

#if defined(BOOST_ASIO_HAS_CO_AWAIT)

asio::awaitable<int> wait_for_both(Event& first, Event& second, Event& between) {
  co_await async_wait(first, asio::use_awaitable);
  between.set();
  co_await async_wait(second, asio::use_awaitable);
  co_return 7;
}

TEST(AsyncWait, IsAwaitedByACoroutineOfAPool) {
  ThreadPool pool({.max_threads = 2});
  Event first;
  Event second;
  Event between;
  std::future<int> result =
      asio::co_spawn(asio_executor(pool), wait_for_both(first, second, between), asio::use_future);
  EXPECT_FALSE(between.is_set());
  first.set();
  EXPECT_EQ(between.wait(), WaitStatus::ready);
  EXPECT_EQ(result.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  second.set();
  EXPECT_EQ(result.get(), 7);
}

asio::awaitable<bool> wait_until_stopped(Event& event, std::stop_token stop) {
  try {
    co_await async_wait(event, std::move(stop), asio::use_awaitable);
  } catch (const boost::system::system_error& error) {
    co_return error.code() == aborted;
  }
  co_return false;
}

TEST(AsyncWait, ThrowsInACoroutineWhenItIsStopped) {
  ThreadPool pool({.max_threads = 1});
  Event event;
  std::stop_source stop;
  std::future<bool> stopped = asio::co_spawn(
      asio_executor(pool), wait_until_stopped(event, stop.get_token()), asio::use_future);
  stop.request_stop();
  EXPECT_TRUE(stopped.get());
}

asio::awaitable<void> wait_to_the_end(Event& event, Event& begun, Event& destroyed) {
  const SetsAtItsEnd end(destroyed);
  begun.set();
  co_await async_wait(event, asio::use_awaitable);
  ADD_FAILURE() << "called";
}

// Asio unwinds a coroutine by its executor, in a destructor.
TEST(AsioExecutor, UnwindsACoroutineWhenItsPoolEnds) {
  Event event;
  Event begun;
  Event destroyed;
  {
    ThreadPool pool({.max_threads = 1});
    asio::co_spawn(asio_executor(pool), wait_to_the_end(event, begun, destroyed), asio::detached);
    ASSERT_EQ(begun.wait(), WaitStatus::ready);
  }
  EXPECT_TRUE(destroyed.is_set());
}

TEST(AsioExecutor, UnwindsACoroutineThatItsStoppedPoolRefuses) {
  Event event;
  Event begun;
  Event destroyed;
  ThreadPool pool({.max_threads = 1});
  asio::co_spawn(asio_executor(pool), wait_to_the_end(event, begun, destroyed), asio::detached);
  ASSERT_EQ(begun.wait(), WaitStatus::ready);
  pool.stop();
  EXPECT_FALSE(destroyed.is_set());
  event.set();
  EXPECT_TRUE(destroyed.is_set());
}

#endif

}  // namespace
