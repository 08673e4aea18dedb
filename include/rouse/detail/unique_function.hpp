#pragma once
// UniqueFunction: std::function for callables that can only be moved.
//
// A callable of up to 48 bytes that moves without throwing lies inside; a larger one is allocated.

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace rouse::detail {

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() noexcept = default;

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> &&
           std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
      UniqueFunction(F&& f) {  // NOLINT(google-explicit-constructor): as std::function
    using Stored = std::decay_t<F>;
    if constexpr (fits<Stored>) {
      ::new (static_cast<void*>(storage_)) Stored(std::forward<F>(f));
    } else {
      ::new (static_cast<void*>(storage_)) Stored*(new Stored(std::forward<F>(f)));
    }
    operations_ = &operations_of<Stored>;
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~UniqueFunction() { reset(); }

  explicit operator bool() const noexcept { return operations_ != nullptr; }

  /// Precondition: not empty.
  R operator()(Args... args) { return operations_->call(storage_, std::forward<Args>(args)...); }

 private:
  static constexpr std::size_t capacity = 48;

  template <class F>
  static constexpr bool fits =
      sizeof(F) <= capacity &&
      alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

  struct Operations {
    R (*call)(void*, Args&&...);
    void (*move)(void* from, void* to) noexcept;  // ends the life of what it moves from
    void (*destroy)(void*) noexcept;
  };

  template <class F>
  static F& stored(void* storage) noexcept {
    if constexpr (fits<F>) {
      return *std::launder(static_cast<F*>(storage));
    } else {
      return **std::launder(static_cast<F**>(storage));
    }
  }

  template <class F>
  static constexpr Operations operations_of{
      [](void* storage, Args&&... args) -> R {
        if constexpr (std::is_void_v<R>) {
          static_cast<void>(stored<F>(storage)(std::forward<Args>(args)...));
        } else {
          return stored<F>(storage)(std::forward<Args>(args)...);
        }
      },
      [](void* from, void* to) noexcept {
        if constexpr (fits<F>) {
          ::new (to) F(std::move(stored<F>(from)));
          stored<F>(from).~F();
        } else {
          ::new (to) F*(&stored<F>(from));
        }
      },
      [](void* storage) noexcept {
        if constexpr (fits<F>) {
          stored<F>(storage).~F();
        } else {
          delete &stored<F>(storage);
        }
      }};

  void take(UniqueFunction& other) noexcept {
    if (other.operations_ == nullptr) return;
    other.operations_->move(other.storage_, storage_);
    operations_ = std::exchange(other.operations_, nullptr);
  }

  void reset() noexcept {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
  }

  const Operations* operations_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[capacity];
};

}  // namespace rouse::detail
