#pragma once
// ObservedCall: a call that blocks, on a thread of its own, and what it returns.
//
//   ObservedCall wait([&] { return wait_until_file_gone(path); });
//   wait.await_blocked();
//   ... what it waits for ...
//   EXPECT_EQ(wait.result(), WaitStatus::ready);
//
// Thread safety: the thread that made it.

#include "support/observed_thread.hpp"

#include <exception>
#include <optional>
#include <utility>

namespace rouse::test {

template <class Call>
class ObservedCall {
 public:
  explicit ObservedCall(Call call)
      : call_(std::move(call)), thread_([this] {
          try {
            result_.emplace(call_());
          } catch (...) {
            thrown_ = std::current_exception();
          }
        }) {}

  void await_blocked() const { thread_.await_blocked(); }

  /// When it has returned. Throws what it has thrown.
  auto result() {
    thread_.join();
    if (thrown_) std::rethrow_exception(thrown_);
    return *std::move(result_);
  }

 private:
  Call call_;
  std::optional<decltype(std::declval<Call&>()())> result_;
  std::exception_ptr thrown_;
  ObservedThread thread_;
};

}  // namespace rouse::test
