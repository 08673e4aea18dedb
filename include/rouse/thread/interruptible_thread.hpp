#pragma once
// InterruptibleThread: a StoppableThread that another thread can raise an exception in.
//
/// @code
///   struct Cancelled {};
///   class Importer : public rouse::InterruptibleThread {
///    protected:
///     void run(std::stop_token) override {
///       try {
///         for (;;) {
///           (void)rouse::sleep_for(1h);  // an exception that is raised arrives in a wait,
///           rouse::interruption_point();  // or here
///         }
///       } catch (const Cancelled&) {
///         // roll back
///       }
///     }
///   };
///   rouse::Running<Importer> importer;
///   if (!importer.raise<Cancelled>()) std::puts("it has ended already");
/// @endcode
//
// It arrives in the blocking call of rouse that the thread is in, or in its next one, or at its
// next interruption_point(), and nowhere else: code that neither blocks nor asks is not disturbed.
// It is thrown once. A wait that need not block does not throw, and one that was ready at the same
// instant returns `ready`; then the exception is thrown in the next. It comes before a stop.
// Held back while a Shield lives and while another exception unwinds; functions that are documented
// not to obey the thread's stop (join(), destructors of the library) do not throw it either.
// Waits of Boost.Thread that are interruption points end too: Boost throws
// boost::thread_interrupted, and what was raised is thrown in the next wait of rouse. If
// boost::thread_interrupted leaves `run`, the thread is taken to have ended with what was raised.
// Boost knows nothing of unwinding: a destructor that waits with Boost needs a Shield.
// What has not been thrown when `run` returns is dropped.
// Thread safety, Ordering, Lifetime: as of StoppableThread. raise() happens before the exception is
//   thrown.

#include "rouse/detail/deadline.hpp"
#include "rouse/thread/stoppable_thread.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <stop_token>
#include <utility>

namespace rouse {

/// What terminate() raises. Not a std::exception, so that handlers for errors let it pass. Leaving
/// `run` it is an orderly end.
class [[gnu::visibility("default")]] Terminated{};

class [[gnu::visibility("default")]] InterruptibleThread : public StoppableThread {
 public:
  /// For derived classes, which override run().
  explicit InterruptibleThread(ThreadOptions options = {});

  /// As of StoppableThread.
  template <class Body>
  requires std::invocable<Body&, std::stop_token> || std::invocable<Body&>
  explicit InterruptibleThread(Body body, ThreadOptions options = {})
      : InterruptibleThread(std::move(options)) {
    set_body(std::move(body));
  }

  ~InterruptibleThread() override;

  /// Raises E(args...), or E{args...}, in the thread. Never blocks; may be called from any thread,
  /// also from this one. Returns whether it will be thrown, unless `run` returns before; false if
  /// the thread has not been started or `run` is over, or while an earlier one has not been thrown.
  /// (Then it interrupts a wait of Boost.Thread again, for the earlier one.) Throws what making E
  /// throws.
  template <class E, class... Args>
  requires std::copy_constructible<E>
  bool raise(Args && ... args) {
    // This thread's own E is gone when the other one may see its copy.
    std::exception_ptr exception;
    if constexpr (std::constructible_from<E, Args...>) {
      exception = std::make_exception_ptr(E(std::forward<Args>(args)...));
    } else {
      exception = std::make_exception_ptr(E{std::forward<Args>(args)...});
    }
    return raise(std::move(exception));
  }

  /// The same for an exception that is there already; null is refused.
  bool raise(std::exception_ptr exception) noexcept;

  /// Raises Terminated, and again whenever `every` has passed, until the thread has ended: a
  /// `catch (...)` that swallows it does not save it. Blocks for at most `total`; returns whether
  /// `run` is over, and what escaped it told to on_error. join() is still due. Does not obey the
  /// caller's stop, nor what is raised at the caller. Clean-up that takes longer than `every`, and
  /// waits, needs a Shield. Throws std::invalid_argument if `every` is not positive,
  /// std::system_error: invalid_argument if it was never started, resource_deadlock_would_occur in
  /// the thread itself.
  template <class Rep, class Period, class EveryRep = std::int64_t, class EveryPeriod = std::milli>
  bool terminate(const std::chrono::duration<Rep, Period>& total,
                 const std::chrono::duration<EveryRep, EveryPeriod>& every =
                     std::chrono::duration<EveryRep, EveryPeriod>(100)) {
    return terminate_until(detail::Deadline::after(total), detail::saturated_ns(every));
  }

 private:
  struct [[gnu::visibility("hidden")]] Impl;

  bool terminate_until(detail::Deadline deadline, std::int64_t every_ns);
};

/// Throws what was raised at the calling thread, unless it is held back: where a computation that
/// does not wait can be ended. Does nothing in a thread that is no InterruptibleThread, and does
/// not look at stops. Costs two loads.
[[gnu::visibility("default")]] void interruption_point();

}  // namespace rouse
