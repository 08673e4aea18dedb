#pragma once
// Events at addresses whose buckets in the parking table are known, so that a schedule is the same
// in every process.

#include "rouse/wait/event.hpp"

#include "model/schedule/explorer.hpp"

#include <new>

namespace rouse::test::model {

/// The n-th address (0 to 3) of the bucket called 0, 1, 2 or 3.
void* address_in_bucket(unsigned bucket, unsigned n);

/// An event that a scenario may destroy, and make again at the same address.
class EventPlace {
 public:
  EventPlace(unsigned bucket, unsigned n) : address_(address_in_bucket(bucket, n)) { make(); }
  ~EventPlace() {
    if (made_) destroy();
  }
  EventPlace(const EventPlace&) = delete;
  EventPlace& operator=(const EventPlace&) = delete;

  void make() {
    event_ = new (address_) Event;
    made_ = true;
  }
  void destroy() {
    made_ = false;
    event_->~Event();
  }
  Event& operator*() const { return *event_; }
  Event* operator->() const { return event_; }

 private:
  void* address_;
  Event* event_ = nullptr;
  bool made_ = false;
};

}  // namespace rouse::test::model
