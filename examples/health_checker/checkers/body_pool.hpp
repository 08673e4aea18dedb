#pragma once
// body_pool: the memory for everything that targets send at length. However many checks run and
// whatever their targets send, it is no more than 32 MiB: a check that finds no block free waits
// for its turn, within its timeout.
//
// Thread safety: any thread.

#include "rouse/resource/buffer_pool.hpp"

namespace health {

/// The pool of this process: blocks of a MiB (and a little), so that a body lies in one piece, as
/// expressions and JSON want it.
rouse::BufferPool& body_pool();

}  // namespace health
