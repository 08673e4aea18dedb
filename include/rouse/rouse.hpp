#pragma once
// All of rouse::core.

#include "rouse/sync/rw_lock.hpp"
#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/thread/signal_stop.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/thread/thread_activity.hpp"
#include "rouse/version.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"
#include "rouse/wait/wait_status.hpp"
