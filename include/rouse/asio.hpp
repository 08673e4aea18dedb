#pragma once
// Boost.Asio on rouse: a ThreadPool as an executor, and an asynchronous wait for an Event.
//
/// @code
///   #include <boost/asio/bind_executor.hpp>
///   #include <boost/asio/strand.hpp>
///
///   rouse::ThreadPool pool;
///   boost::asio::post(rouse::asio_executor(pool), [] { std::puts("on a worker"); });
///   auto strand = boost::asio::make_strand(rouse::asio_executor(pool));  // one after the other
///
///   rouse::Event loaded;
///   rouse::async_wait(loaded, boost::asio::bind_executor(strand, [](auto error) {
///     std::puts(error ? "gave up" : "loaded");
///   }));
///   loaded.set();
///   (void)pool.wait_idle();
/// @endcode
//
// Needs Boost.Asio 1.74 or later, whose headers the program finds itself: CMake's Boost::headers.
// No other header of rouse asks for them, and rouse.hpp does not include this one.
//
// Thread safety: all functions may be called from any thread. Executors are values.
// Ordering: execute() happens before the call; set() and request_stop() happen before the call of
//   the handler whose wait they end.
// Lifetime: a pool outlives its executors' uses, as every execution context does. An Event, and the
//   source of a cancellation slot, outlive the waits: until the handler is called or destroyed.
//   docs/guide/asio.md says what becomes of handlers when a pool is stopped.

#include "rouse/exec/task.hpp"
#include "rouse/exec/thread_pool.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/event_watch.hpp"

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/version.hpp>
#include <boost/system/error_code.hpp>

#if BOOST_ASIO_VERSION >= 101900  // Boost 1.77 has cancellation slots
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#endif

namespace rouse {
namespace detail {

class AsioContext;

}  // namespace detail

/// An executor whose functions a ThreadPool calls. What it is asked for by Asio's properties:
///   blocking          never, or possibly (as it is made): then what is executed in a worker of the
///                     pool is called there, at once
///   allocator         where functions are kept until they are called; by default in the pool
///   context           one that belongs to the pool, and ends after its threads have
///   mapping           thread
///   outstanding_work  untracked: the workers stay in any case, and a stop waits for nothing that
///                     has not been executed yet. Asio, which only prefers tracked, does without
///   relationship      fork: the pool keeps what a worker adds near it anyway
template <class Allocator = std::allocator<void>>
class AsioExecutor {
 public:
  AsioExecutor(const AsioExecutor&) noexcept = default;
  AsioExecutor& operator=(const AsioExecutor&) noexcept = default;

  /// Calls f() on a worker, or here if blocking is possible and this is a worker. Does not wait for
  /// room in the queue, whose bound is not for handlers: what has begun must be able to end.
  ///
  /// If the pool is stopped `f` is destroyed, here, and counted as dropped; only what a job of the
  /// pool executes is still called by stop(). No exception says so, since Asio executes in
  /// destructors and on threads of its own, where one would end the program.
  ///
  /// What f() throws on a worker goes to on_error, here to the caller. Throws std::bad_alloc.
  template <class F>
  void execute(F&& f) const;

  /// Whether the calling thread is a worker of the pool.
  [[nodiscard]] bool running_in_this_thread() const noexcept;

  /// Equal executors are of one pool, and call in the same manner.
  friend bool operator==(const AsioExecutor& a, const AsioExecutor& b) noexcept {
    return a.context_ == b.context_ && a.never_blocks_ == b.never_blocks_ &&
           a.allocator_ == b.allocator_;
  }

  // --- for boost::asio::query, require and prefer ------------------------------------------------

  [[nodiscard]] boost::asio::execution_context& query(
      boost::asio::execution::context_t) const noexcept;
  [[nodiscard]] boost::asio::execution::blocking_t query(
      boost::asio::execution::blocking_t) const noexcept {
    namespace execution = boost::asio::execution;
    if (never_blocks_) return execution::blocking.never;
    return execution::blocking.possibly;
  }
  template <class Other>
  [[nodiscard]] Allocator query(boost::asio::execution::allocator_t<Other>) const noexcept {
    return allocator_;
  }
  static constexpr boost::asio::execution::mapping_t query(
      boost::asio::execution::mapping_t) noexcept {
    return boost::asio::execution::mapping.thread;
  }
  static constexpr boost::asio::execution::outstanding_work_t query(
      boost::asio::execution::outstanding_work_t) noexcept {
    return boost::asio::execution::outstanding_work.untracked;
  }
  static constexpr boost::asio::execution::relationship_t query(
      boost::asio::execution::relationship_t) noexcept {
    return boost::asio::execution::relationship.fork;
  }

  [[nodiscard]] AsioExecutor require(boost::asio::execution::blocking_t::never_t) const {
    return AsioExecutor(*context_, true, allocator_);
  }
  [[nodiscard]] AsioExecutor require(boost::asio::execution::blocking_t::possibly_t) const {
    return AsioExecutor(*context_, false, allocator_);
  }
  template <class Other>
  [[nodiscard]] AsioExecutor<Other> require(
      boost::asio::execution::allocator_t<Other> property) const {
    return AsioExecutor<Other>(*context_, never_blocks_, property.value());
  }
  [[nodiscard]] AsioExecutor<> require(boost::asio::execution::allocator_t<void>) const {
    return AsioExecutor<>(*context_, never_blocks_, {});
  }

#if !defined(BOOST_ASIO_NO_TS_EXECUTORS)
  // --- for what knows executors as those of the Networking TS only -------------------------------

  [[nodiscard]] boost::asio::execution_context& context() const noexcept {
    return query(boost::asio::execution::context);
  }
  void on_work_started() const noexcept {}
  void on_work_finished() const noexcept {}
  template <class F, class Other>
  void dispatch(F&& f, const Other& allocator) const {
    require(boost::asio::execution::blocking.possibly)
        .require(boost::asio::execution::allocator(allocator))
        .execute(std::forward<F>(f));
  }
  template <class F, class Other>
  void post(F&& f, const Other& allocator) const {
    require(boost::asio::execution::blocking.never)
        .require(boost::asio::execution::allocator(allocator))
        .execute(std::forward<F>(f));
  }
  template <class F, class Other>
  void defer(F&& f, const Other& allocator) const {
    post(std::forward<F>(f), allocator);
  }
#endif

 private:
  template <class>
  friend class AsioExecutor;
  friend AsioExecutor<> asio_executor(ThreadPool& pool);

  AsioExecutor(detail::AsioContext& context, bool never_blocks, const Allocator& allocator) noexcept
      : context_(&context), never_blocks_(never_blocks), allocator_(allocator) {}

  detail::AsioContext* context_;
  bool never_blocks_;
  [[no_unique_address]] Allocator allocator_;
};

/// An executor for `pool`. The first call for a pool makes its execution context, where strands,
/// timers and sockets that are made with the executor keep what they need. Throws std::bad_alloc.
[[nodiscard]] AsioExecutor<> asio_executor(ThreadPool& pool);

/// Waits for `event` without a thread: an asynchronous operation whose handler takes a
/// boost::system::error_code. It is called once the event is set, with success, also if a clear()
/// follows at once.
///
/// The handler is posted to its associated executor, never called in here or in set(); without one
/// it goes to Asio's system_executor. Until it is called it counts there as outstanding work. The
/// operation is kept in memory of the handler's associated allocator, freed before the call.
///
/// Where Boost has cancellation slots (1.77) and the handler brings one, each kind of cancellation
/// ends the wait with boost::asio::error::operation_aborted, unless the event was set before.
///
/// When the executor's context ends the operation does too: the handler is destroyed without a
/// call, and the event forgotten. Never blocks. Throws std::bad_alloc; for want of memory in set()
/// the program ends.
template <class CompletionToken>
auto async_wait(Event& event, CompletionToken&& token);

/// The same; a stop request ends the wait with operation_aborted, too, unless the event was set
/// before.
template <class CompletionToken>
auto async_wait(Event& event, std::stop_token stop, CompletionToken&& token);

// --- implementation ------------------------------------------------------------------------------

namespace detail {

/// Frees with an allocator what was made with it.
template <class T, class Allocator>
struct AllocatorDelete {
  using Traits = typename std::allocator_traits<Allocator>::template rebind_traits<T>;

  void operator()(T* object) noexcept {
    Traits::destroy(allocator, object);
    Traits::deallocate(allocator, object, 1);
  }

  [[no_unique_address]] typename Traits::allocator_type allocator;
};

template <class T, class Allocator>
using AllocatedPtr = std::unique_ptr<T, AllocatorDelete<T, Allocator>>;

template <class T, class Allocator, class... Args>
AllocatedPtr<T, Allocator> allocate(const Allocator& allocator, Args&&... args) {
  using Delete = AllocatorDelete<T, Allocator>;
  Delete free{typename Delete::Traits::allocator_type(allocator)};
  T* const memory = Delete::Traits::allocate(free.allocator, 1);
  try {
    Delete::Traits::construct(free.allocator, memory, std::forward<Args>(args)...);
  } catch (...) {
    Delete::Traits::deallocate(free.allocator, memory, 1);
    throw;
  }
  return AllocatedPtr<T, Allocator>(memory, std::move(free));
}

/// What of a pool is for this header only.
struct PoolAccess {
  static bool runs_in_this_thread(const ThreadPool& pool) noexcept {
    return pool.runs_in_this_thread();
  }
  template <class F>
  static void add_handler(ThreadPool& pool, F&& f) {
    pool.add_handler(*new_task<PostedTask<std::decay_t<F>>>(std::forward<F>(f)));
  }
  static AsioContext& context(ThreadPool& pool);
};

/// The execution context of a pool.
class AsioContext final : public boost::asio::execution_context {
 public:
  explicit AsioContext(ThreadPool& its_pool) : pool(its_pool) {}
  ~AsioContext() {
    // What ends here may still execute something.
    shutdown();
    destroy();
  }
  AsioContext(const AsioContext&) = delete;
  AsioContext& operator=(const AsioContext&) = delete;

  ThreadPool& pool;
};

inline AsioContext& PoolAccess::context(ThreadPool& pool) {
  void* context = pool.extension(nullptr);
  if (context == nullptr) context = pool.extension(std::make_shared<AsioContext>(pool));
  return *static_cast<AsioContext*>(context);
}

}  // namespace detail

inline AsioExecutor<> asio_executor(ThreadPool& pool) {
  return AsioExecutor<>(detail::PoolAccess::context(pool), false, {});
}

template <class Allocator>
template <class F>
void AsioExecutor<Allocator>::execute(F&& f) const {
  using Function = std::decay_t<F>;
  if (!never_blocks_ && running_in_this_thread()) {
    Function call(std::forward<F>(f));
    call();
  } else if constexpr (std::is_same_v<Allocator, std::allocator<void>>) {
    detail::PoolAccess::add_handler(context_->pool, std::forward<F>(f));
  } else {
    // The call may need the memory again.
    auto kept = detail::allocate<Function>(allocator_, std::forward<F>(f));
    detail::PoolAccess::add_handler(context_->pool, [kept = std::move(kept)]() mutable {
      Function call(std::move(*kept));
      kept.reset();
      call();
    });
  }
}

template <class Allocator>
bool AsioExecutor<Allocator>::running_in_this_thread() const noexcept {
  return detail::PoolAccess::runs_in_this_thread(context_->pool);
}

template <class Allocator>
boost::asio::execution_context& AsioExecutor<Allocator>::query(
    boost::asio::execution::context_t) const noexcept {
  return *context_;
}

namespace detail {

class AsioWaits;

/// A wait of async_wait(), without the type of its handler.
class AsioWait {
 public:
  AsioWait(AsioWaits& waits, Event& event) noexcept
      : waits_(waits), event_(event), watch_(&event_set, this) {}
  AsioWait(const AsioWait&) = delete;
  AsioWait& operator=(const AsioWait&) = delete;

  // Before it is started.
  void obey(std::stop_token stop) {
    if (stop.stop_possible()) stop_.emplace(std::move(stop), Cancel{*this});
  }
#if BOOST_ASIO_VERSION >= 101900
  template <class Slot>
  void obey(Slot slot) {
    if (!slot.is_connected()) return;
    link_ = std::make_shared<Link>(*this);
    slot.assign([link = link_](boost::asio::cancellation_type_t type) {
      if (type != boost::asio::cancellation_type::none) link->cancel();
    });
  }
#endif

 protected:
  ~AsioWait() { disobey(); }

  /// Waits for another thread that is about to end the wait, and comes too late.
  void disobey() noexcept {
    stop_.reset();
#if BOOST_ASIO_VERSION >= 101900
    if (link_ != nullptr) link_->cut();
#endif
  }

 private:
  friend class AsioWaits;

  struct Cancel {
    AsioWait& wait;
    void operator()() const noexcept;
  };

#if BOOST_ASIO_VERSION >= 101900
  /// What a slot knows of a wait. Whichever of the two ends first, the other does not touch it.
  class Link {
   public:
    explicit Link(AsioWait& wait) noexcept : wait_(&wait) {}

    void cancel() noexcept;
    void cut() noexcept {
      const std::lock_guard lock(mutex_);
      wait_ = nullptr;
    }

   private:
    std::mutex mutex_;
    AsioWait* wait_;
  };
#endif

  static void event_set(void* wait) noexcept;

  /// Posts the handler, or destroys it; either ends the life of the wait.
  virtual void complete(boost::system::error_code error) = 0;
  virtual void abandon() noexcept = 0;

  AsioWaits& waits_;
  Event& event_;
  EventWatch watch_;
  // Under the lock of waits_.
  bool waiting_ = false;
  bool cancelled_ = false;  // before it waited
  AsioWait* next_ = nullptr;
  AsioWait* prev_ = nullptr;

  std::optional<std::stop_callback<Cancel>> stop_;
#if BOOST_ASIO_VERSION >= 101900
  std::shared_ptr<Link> link_;
#endif
};

/// The waits whose handlers go to one execution context, which end when it does.
///
/// A wait that waits is in the list. Whoever takes it out ends it, which for a set event is its
/// setter; the context does not end before they have.
class AsioWaits final : public boost::asio::execution_context::service {
 public:
  using key_type = AsioWaits;
  inline static boost::asio::execution_context::id id;

  explicit AsioWaits(boost::asio::execution_context& owner)
      : boost::asio::execution_context::service(owner) {}

  /// Takes the wait over. Throws what complete() throws: then it has ended.
  void start(AsioWait& wait) {
    boost::system::error_code error;
    {
      const std::lock_guard lock(mutex_);
      if (wait.cancelled_ && !wait.event_.is_set()) {
        error = boost::asio::error::operation_aborted;
      } else if (wait.watch_.start(wait.event_)) {
        enter(wait);
        return;
      }
    }
    wait.complete(error);
  }

  /// If true the caller ends the wait by finish().
  bool claim(AsioWait& wait) noexcept {
    const std::lock_guard lock(mutex_);
    if (!wait.waiting_) {
      wait.cancelled_ = true;
      return false;
    }
    leave(wait);
    return wait.watch_.cancel();
  }

  /// By the setter of its event.
  void claim_set(AsioWait& wait) noexcept {
    const std::lock_guard lock(mutex_);
    if (wait.waiting_) leave(wait);
  }

  void finish(AsioWait& wait, boost::system::error_code error) noexcept {
    wait.complete(error);
    const std::lock_guard lock(mutex_);
    if (--ending_ == 0) ended_.notify_all();
  }

 private:
  void shutdown() override {
    AsioWait* abandoned = nullptr;
    {
      std::unique_lock lock(mutex_);
      while (first_ != nullptr) {
        AsioWait& wait = *first_;
        leave(wait);
        if (!wait.watch_.cancel()) continue;
        --ending_;
        wait.next_ = std::exchange(abandoned, &wait);
      }
      ended_.wait(lock, [this] { return ending_ == 0; });
    }
    while (abandoned != nullptr) std::exchange(abandoned, abandoned->next_)->abandon();
  }

  void enter(AsioWait& wait) noexcept {
    wait.waiting_ = true;
    wait.next_ = first_;
    if (first_ != nullptr) first_->prev_ = &wait;
    first_ = &wait;
  }
  void leave(AsioWait& wait) noexcept {
    wait.waiting_ = false;
    (wait.prev_ != nullptr ? wait.prev_->next_ : first_) = wait.next_;
    if (wait.next_ != nullptr) wait.next_->prev_ = wait.prev_;
    ++ending_;
  }

  std::mutex mutex_;
  std::condition_variable ended_;
  AsioWait* first_ = nullptr;
  std::size_t ending_ = 0;  // waits that have left the list, and somebody has still to end
};

inline void AsioWait::Cancel::operator()() const noexcept {
  AsioWait& the_wait = wait;  // this object ends with its wait
  AsioWaits& waits = the_wait.waits_;
  if (waits.claim(the_wait)) waits.finish(the_wait, boost::asio::error::operation_aborted);
}

#if BOOST_ASIO_VERSION >= 101900
inline void AsioWait::Link::cancel() noexcept {
  AsioWait* claimed = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (wait_ != nullptr && wait_->waits_.claim(*wait_)) claimed = wait_;
  }
  if (claimed != nullptr) {
    claimed->waits_.finish(*claimed, boost::asio::error::operation_aborted);
  }
}
#endif

inline void AsioWait::event_set(void* wait) noexcept {
  auto& self = *static_cast<AsioWait*>(wait);
  AsioWaits& waits = self.waits_;
  waits.claim_set(self);
  waits.finish(self, {});
}

template <class Handler>
class AsioWaitFor final : public AsioWait {
 public:
  using Allocator = boost::asio::associated_allocator_t<Handler>;
  using Executor = boost::asio::associated_executor_t<Handler>;
  using Owner = AllocatedPtr<AsioWaitFor, Allocator>;

  AsioWaitFor(AsioWaits& waits, Event& event, Handler&& handler)
      : AsioWait(waits, event),
        work_(boost::asio::get_associated_executor(handler)),
        handler_(std::move(handler)) {}

  static void start(Handler&& handler, Event& event, std::stop_token stop) {
    const auto executor = boost::asio::get_associated_executor(handler);
    const auto allocator = boost::asio::get_associated_allocator(handler);
    auto& waits = boost::asio::use_service<AsioWaits>(context_of(executor));
    Owner wait = allocate<AsioWaitFor>(allocator, waits, event, std::move(handler));
    wait->obey(std::move(stop));
#if BOOST_ASIO_VERSION >= 101900
    wait->obey(boost::asio::get_associated_cancellation_slot(wait->handler_));
#endif
    waits.start(*wait.release());
  }

 private:
  /// What is posted.
  struct Completion {
    using allocator_type = Allocator;
    [[nodiscard]] allocator_type get_allocator() const noexcept {
      return boost::asio::get_associated_allocator(wait->handler_);
    }

    void operator()() {
      Handler handler(std::move(wait->handler_));
      wait.reset();
      std::move(handler)(error);
    }

    Owner wait;
    boost::system::error_code error;
  };

  static boost::asio::execution_context& context_of(const Executor& executor) {
    if constexpr (boost::asio::can_query_v<Executor, boost::asio::execution::context_t>) {
      return boost::asio::query(executor, boost::asio::execution::context);
    } else {
      return executor.context();
    }
  }

  Owner own() noexcept {
    using Traits = typename AllocatorDelete<AsioWaitFor, Allocator>::Traits;
    const auto allocator = boost::asio::get_associated_allocator(handler_);
    return Owner(this, {typename Traits::allocator_type(allocator)});
  }
  void complete(boost::system::error_code error) override {
    Owner self = own();
    disobey();
    const Executor executor = work_.get_executor();
    boost::asio::post(executor, Completion{std::move(self), error});
  }
  void abandon() noexcept override { own().reset(); }

  boost::asio::executor_work_guard<Executor> work_;
  Handler handler_;
};

/// What async_wait() initiates.
struct StartAsioWait {
  template <class Handler>
  void operator()(Handler&& handler, Event* event, std::stop_token stop) const {
    AsioWaitFor<std::decay_t<Handler>>::start(std::forward<Handler>(handler), *event,
                                              std::move(stop));
  }
};

}  // namespace detail

template <class CompletionToken>
auto async_wait(Event& event, CompletionToken&& token) {
  return async_wait(event, std::stop_token(), std::forward<CompletionToken>(token));
}

template <class CompletionToken>
auto async_wait(Event& event, std::stop_token stop, CompletionToken&& token) {
  return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
      detail::StartAsioWait(), token, &event, std::move(stop));
}

}  // namespace rouse
