#include "exec/pool_anchor.hpp"

#include "rouse/wait/shield.hpp"

#include <utility>

namespace rouse::detail {
namespace {

struct FreeAnchors {
  Lock lock;
  PoolAnchor* first = nullptr;
};
constinit FreeAnchors free_anchors;

}  // namespace

PoolLink PoolAnchor::acquire(Pool& pool) {
  PoolAnchor* anchor = nullptr;
  {
    const LockGuard guard(free_anchors.lock);
    anchor = free_anchors.first;
    if (anchor != nullptr) free_anchors.first = anchor->next_free_;
  }
  if (anchor == nullptr) anchor = new PoolAnchor;
  const LockGuard guard(anchor->lock_);
  anchor->pool_ = &pool;
  return {anchor, anchor->generation_};
}

void PoolAnchor::release(const PoolLink& link) noexcept {
  PoolAnchor* const anchor = link.anchor;
  bool held = false;
  {
    const LockGuard guard(anchor->lock_);
    anchor->pool_ = nullptr;
    ++anchor->generation_;
    held = anchor->holds_ != 0;
  }
  if (held) {
    const Shield shield;
    (void)anchor->unheld_.wait();
    anchor->unheld_.clear();
  }
  const LockGuard guard(free_anchors.lock);
  anchor->next_free_ = std::exchange(free_anchors.first, anchor);
}

PoolAnchor::Hold::Hold(const PoolLink& link) noexcept : anchor_(link.anchor) {
  if (anchor_ == nullptr) return;
  const LockGuard guard(anchor_->lock_);
  if (anchor_->generation_ != link.generation) return;
  pool_ = anchor_->pool_;
  if (pool_ != nullptr) ++anchor_->holds_;
}

PoolAnchor::Hold::~Hold() {
  if (pool_ == nullptr) return;
  const LockGuard guard(anchor_->lock_);
  if (--anchor_->holds_ == 0 && anchor_->pool_ == nullptr) anchor_->unheld_.set();
}

}  // namespace rouse::detail
