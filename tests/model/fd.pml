// fd: a wait for a descriptor, which a stop, a deadline and stale hints may end or disturb.
//
// Code: PolledFds::wait (src/wait/fd.cpp), Blocking::ended, arm and poll (src/wait/blocking.cpp),
//   ControlBlock::poll, exchange_notified and wake (src/wait/control_block.cpp).
//   Thread `owner` waits twice. Besides it there are a writer who makes the descriptor readable
//   once for each wait, a thread that requests the stop, the clock, and a waker who comes late with
//   a hint for an earlier wait of the thread. Which of the first three come at all is chosen at the
//   start: at least one, and each of them ends both waits.
//
// Left out: memory orders (everything is sequentially consistent, as under the controlled
//   schedules), descriptors that are closed under a wait, raised exceptions (they are announced as
//   a stop is). An eventfd is zero or not: its value does not matter. When it is made, and what
//   else can be done wrong with the state `polling`, is a matter of `parker`.
//
// Holds: every wait ends (no stop, no readiness and no deadline is lost, or there is an invalid end
//   state). A descriptor that was readable when the wait began is told as ready, whatever else
//   holds. Ready, stopped and timeout are told only when they are so. A wait takes two turns, a
//   stale hint costs two more at most, a deadline and a signal one: a count that is left over does
//   not make the loop spin. A callback is not destroyed while it runs.
//
// Bounds: 2 waits, up to SPURIOUS interruptions by signals.
//
// case: foreign -DSPURIOUS=1 -DFOREIGN=1
// case: ambient -DSPURIOUS=1 -DFOREIGN=0
//
// unreached: owner "event_fd_count = 1": nobody finds its own thread polling
//
// mutant: no_drain @foreign: a count stays in the eventfd
// mutant: event_fd_not_polled @foreign: ppoll is given the descriptor alone
// mutant: hint_is_ready @foreign: an eventfd that is readable counts as a descriptor that is
// mutant: outcome_from_hint @foreign: what ended ppoll by the eventfd is taken for a stop
// mutant: no_look_when_ended @foreign: what ended is told without a look at the descriptor
// mutant: late_callback_never_runs @foreign: a callback made after the stop does not run
// mutant: callback_made_and_gone @foreign: the callback is destroyed before ppoll
// mutant: callback_not_awaited @foreign: the callback's destructor does not wait for it
// mutant: no_look_before_block @ambient: the tokens are looked at only after a hint

#define THREADS 1
#define WAITS 2

mtype = { EMPTY, NOTIFIED, PARKED, POLLING };
mtype = { none, stopped, timed_out };
mtype state = EMPTY;
bool event_fd_count;
byte spurious;
byte data;  // to be read from the descriptor
bool expired;

bool will_write, will_stop, will_expire, will_hint;

// Ghosts: what the owner may spend, and has spent.
byte notifies;
byte spent;
byte turns;

inline select_bit(bit_) {
  if
  :: bit_ = false
  :: bit_ = true
  fi
}

inline notify(thread) {
  atomic { notifies++; before = state; state = NOTIFIED };
  if
  :: before == POLLING -> event_fd_count = true
  :: else
  fi
}

#include "stop_callback.inc"

inline ended() {
  if
  :: ending == none ->
     if
     :: stop_requested -> ending = stopped
     :: else ->
        if
        :: expired -> ending = timed_out
        :: else
        fi
     fi
  :: else
  fi
}

inline arm() {
  if
  :: FOREIGN && callback[0] == no_callback -> make_callback(0)
  :: else
  fi
#ifdef MUTANT_callback_made_and_gone
  ; destroy_callback(0)
#endif
}

inline poll_until() {
#ifdef MUTANT_event_fd_not_polled
#define readable data > 0
#else
#define readable (data > 0 || event_fd_count)
#endif
  if
  :: atomic { readable -> ready = data > 0; heard = event_fd_count }
  :: atomic { !(readable) && expired -> ready = false; heard = false }
  :: atomic { !(readable) && spurious > 0 -> spurious--; spent++; ready = false; heard = false }
  fi
}

inline poll_blocking() {
  if
  :: atomic { state == EMPTY -> state = POLLING };
     poll_until();
     state = EMPTY;
     if
     :: heard ->
#ifdef MUTANT_hint_is_ready
        ready = true;
#endif
#ifdef MUTANT_outcome_from_hint
        ending = stopped;
#endif
#ifdef MUTANT_no_drain
        skip
#else
        event_fd_count = false
#endif
     :: else
     fi
  :: state != EMPTY ->
     state = EMPTY;
     ready = false
  fi
}

inline poll() {
  if
  :: may_block && !was_ended ->
     arm();
     poll_blocking()
  :: !may_block || was_ended ->
#ifdef MUTANT_no_look_when_ended
     ready = !was_ended && data > 0
#else
     ready = data > 0
#endif
  fi;
  atomic { turns++; assert(turns <= 2 * waits + expired + 2 * notifies + spent) }
}

proctype owner() {
  byte waits;
  mtype before, ending;
  bool ready, heard, may_block, was_ended, was_readable;
#ifdef MUTANT_no_look_before_block
  bool blocked;
#endif
  if
  :: !FOREIGN -> make_callback(0)
  :: FOREIGN
  fi;
  do
  :: waits < WAITS ->
     d_step { waits++; ending = none; may_block = false; was_readable = data > 0 };
#ifdef MUTANT_no_look_before_block
     blocked = false;
#endif
     do
     :: true ->
#ifdef MUTANT_no_look_before_block
        if
        :: blocked -> ended()
        :: !blocked -> blocked = may_block
        fi;
#else
        ended();
#endif
        was_ended = (ending != none);
        poll();
        if
        :: ready -> break
        :: !ready && was_ended -> break
        :: else -> may_block = true
        fi
     od;
     atomic {
       assert(!was_readable || ready);
       if
       :: ready -> assert(data > 0); data--
       :: else ->
          if
          :: ending == stopped -> assert(stop_requested)
          :: ending == timed_out -> assert(expired)
          fi
       fi
     };
     if
     :: FOREIGN -> destroy_callback(0)
     :: !FOREIGN
     fi
  :: else -> break
  od;
  destroy_callback(0)
}

proctype stopper() {
  mtype before;
  if
  :: will_stop ->
     stop_requested = true;
     run_callback(0)
  :: else
  fi
}

proctype writer() {
  if
  :: will_write ->
     data++;
     data++
  :: else
  fi
}

proctype clock() {
  if
  :: will_expire -> expired = true
  :: else
  fi
}

proctype late_waker() {
  mtype before;
  if
  :: will_hint -> notify(0)
  :: else
  fi
}

init {
  atomic {
    select_bit(will_hint);
    select (spurious : 0 .. SPURIOUS);
    if
    :: will_stop = true
    :: will_expire = true; select_bit(will_stop)
    :: will_write = true; select_bit(will_stop); select_bit(will_expire)
    fi;
    run owner();
    run stopper();
    run writer();
    run clock();
    run late_waker()
  }
}
