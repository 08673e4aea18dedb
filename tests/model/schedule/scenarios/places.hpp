#pragma once
// Events and locks at addresses whose buckets in the parking table are known, so that a schedule is
// the same in every process.

#include "rouse/wait/event.hpp"

#include "model/schedule/explorer.hpp"

#include <cstddef>
#include <new>

namespace rouse::test::model {

inline constexpr std::size_t bytes_at_address = 64;

/// The n-th address (0 to 3) of the bucket called 0, 1, 2 or 3.
void* address_in_bucket(unsigned bucket, unsigned n);

/// An object that a scenario may destroy, and make again at the same address.
template <class T>
class Place {
 public:
  template <class... Args>
  Place(unsigned bucket, unsigned n, Args... args) : address_(address_in_bucket(bucket, n)) {
    make(args...);
  }
  ~Place() {
    if (made_) destroy();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  template <class... Args>
  void make(Args... args) {
    static_assert(sizeof(T) <= bytes_at_address);
    object_ = new (address_) T(args...);
    made_ = true;
  }
  void destroy() {
    made_ = false;
    object_->~T();
  }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  void* address_;
  T* object_ = nullptr;
  bool made_ = false;
};

using EventPlace = Place<Event>;

}  // namespace rouse::test::model
