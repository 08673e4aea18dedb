#pragma once
// The seam of the model build: the atomics behind rouse/detail/os.hpp, over a scheduler of the
// tests. The functions that it declares are in scheduler.cpp.
//
// Every operation is a point at which the scheduler may go on with another thread, and every load
// may give an older value where C++ permits it. Outside of a schedule the operations act at once.
// Design: docs/design/testing.md.

#include <atomic>  // std::memory_order
#include <bit>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

namespace rouse::test::model {

using Where = std::source_location;

/// Another thread may go on from here.
void point() noexcept;

/// Whether the mistake of this name is switched on (mutants.cmake).
bool mutant(const char* name) noexcept;

/// An atomic of at most eight bytes, without its type. Its history is the scheduler's.
class Cell {
 public:
  constexpr explicit Cell(std::uint64_t value) noexcept : value_(value) {}
  constexpr ~Cell() {
    if (!std::is_constant_evaluated()) retire();
  }
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  std::uint64_t load(std::memory_order order, const Where& where) const noexcept;
  void store(std::uint64_t value, std::memory_order order, const Where& where) noexcept;
  /// A read-modify-write that always writes: what `change` makes of the value and the operand.
  using Change = std::uint64_t(std::uint64_t before, std::uint64_t operand) noexcept;
  std::uint64_t update(const char* what, Change* change, std::uint64_t operand,
                       std::memory_order order, const Where& where) noexcept;
  bool compare_exchange(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                        std::memory_order failure, bool may_fail_for_no_reason,
                        const Where& where) noexcept;

 private:
  friend class Scheduler;

  void retire() noexcept;

  std::uint64_t value_;                 // the newest
  mutable std::uint32_t location_ = 0;  // in the schedule
  mutable std::uint32_t schedule_ = 0;  // that `location_` belongs to
  std::uint32_t life_ = 0x616C6976;     // overwritten when it ends
};

}  // namespace rouse::test::model

namespace rouse::detail {

template <class T>
class Atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  using Where = test::model::Where;

 public:
  constexpr Atomic() noexcept : Atomic(T{}) {}
  constexpr Atomic(T value) noexcept : cell_(to_bits(value)) {}

  T load(std::memory_order order, Where where = Where::current()) const noexcept {
    return from_bits(cell_.load(order, where));
  }
  void store(T value, std::memory_order order, Where where = Where::current()) noexcept {
    cell_.store(to_bits(value), order, where);
  }
  T exchange(T value, std::memory_order order, Where where = Where::current()) noexcept {
    return update(
        "exchange", [](T, T to) { return to; }, value, order, where);
  }
  T fetch_add(T value, std::memory_order order, Where where = Where::current()) noexcept {
    return update(
        "fetch_add", [](T a, T b) { return static_cast<T>(a + b); }, value, order, where);
  }
  T fetch_sub(T value, std::memory_order order, Where where = Where::current()) noexcept {
    return update(
        "fetch_sub", [](T a, T b) { return static_cast<T>(a - b); }, value, order, where);
  }
  T fetch_or(T value, std::memory_order order, Where where = Where::current()) noexcept {
    return update(
        "fetch_or", [](T a, T b) { return static_cast<T>(a | b); }, value, order, where);
  }
  T fetch_and(T value, std::memory_order order, Where where = Where::current()) noexcept {
    return update(
        "fetch_and", [](T a, T b) { return static_cast<T>(a & b); }, value, order, where);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure, Where where = Where::current()) noexcept {
    return compare_exchange(expected, desired, success, failure, false, where);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order,
                               Where where = Where::current()) noexcept {
    return compare_exchange(expected, desired, order, on_failure(order), false, where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure, Where where = Where::current()) noexcept {
    return compare_exchange(expected, desired, success, failure, true, where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order,
                             Where where = Where::current()) noexcept {
    return compare_exchange(expected, desired, order, on_failure(order), true, where);
  }

 private:
  // `Change` has no state: it is made anew where it is called.
  template <class Change>
  T update(const char* what, Change, T operand, std::memory_order order,
           const Where& where) noexcept {
    return from_bits(cell_.update(
        what,
        [](std::uint64_t before, std::uint64_t by) noexcept {
          return to_bits(Change{}(from_bits(before), from_bits(by)));
        },
        to_bits(operand), order, where));
  }

  bool compare_exchange(T& expected, T desired, std::memory_order success,
                        std::memory_order failure, bool weak, const Where& where) noexcept {
    std::uint64_t bits = to_bits(expected);
    const bool exchanged =
        cell_.compare_exchange(bits, to_bits(desired), success, failure, weak, where);
    if (!exchanged) expected = from_bits(bits);
    return exchanged;
  }

  static constexpr std::memory_order on_failure(std::memory_order order) noexcept {
    switch (order) {
      case std::memory_order_acq_rel:
        return std::memory_order_acquire;
      case std::memory_order_release:
        return std::memory_order_relaxed;
      default:
        return order;
    }
  }

  static constexpr std::uint64_t to_bits(T value) noexcept {
    if constexpr (std::is_pointer_v<T>) {
      // Null is the only pointer that can be stored when there is no address yet.
      if (std::is_constant_evaluated()) return 0;
      return reinterpret_cast<std::uint64_t>(value);
    } else {
      return static_cast<std::uint64_t>(value);
    }
  }
  static T from_bits(std::uint64_t bits) noexcept {
    if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<T>(bits);
    } else {
      return static_cast<T>(bits);
    }
  }

  test::model::Cell cell_;
};

}  // namespace rouse::detail
