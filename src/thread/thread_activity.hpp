#pragma once
// How a ThreadActivity is found out.

#include "rouse/thread/thread_activity.hpp"

#include "wait/control_block.hpp"

namespace rouse::detail {

/// What the owner of `block` does. Precondition: it has a native id and has not ended.
ThreadActivity activity_of(const ControlBlock& block);

}  // namespace rouse::detail
