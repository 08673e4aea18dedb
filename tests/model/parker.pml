// parker: how one thread sleeps and how others wake it.
//
// Code: ControlBlock::park, poll, exchange_notified and wake (src/wait/control_block.cpp).
//   Thread `owner` waits once or twice, each time for news of its own waker, and chooses at each
//   turn whether it parks or polls, as a thread does that waits now for an event, now for a
//   descriptor. The other wakers have no news: the stop of a wait that is over, or of the thread
//   that had the block before. They may come or not, as may returns from the kernel for no reason:
//   what always came in the end would hide a hint that is lost. News are a node's mark, a stop
//   token's state or a raised exception.
//
// Left out: memory orders (everything is sequentially consistent, as under the controlled
//   schedules), spinning, the clock. The kernel's futex is modelled as it is specified: it compares
//   and falls asleep in one step. That it, or ppoll, returns for no reason stands for a signal and
//   for a deadline as well.
//
// Holds: no hint is lost, or the owner would sleep for ever (an invalid end state). A stale hint
//   is harmless: it ends no wait, and no notify() costs more than two turns of the loop, one for
//   its exchange and one for the wake that follows.
//
// Bounds: 2 waits, 3 wakers, up to SPURIOUS returns for no reason.
//
// case: all -DSPURIOUS=2
//
// mutant: no_compare @all: the futex sleeps without comparing the word
// mutant: park_by_store @all: parked is stored, over a hint that has just come
// mutant: poll_by_store @all: polling is stored, over a hint that has just come
// mutant: empty_before_parking @all: the state is made empty on the way in, not on the way out
// mutant: stays_parked @all: no exchange to empty when the futex has returned
// mutant: stays_polling @all: no exchange to empty when ppoll has returned
// mutant: news_after_notify @all: the waker exchanges the state first and publishes then
// mutant: notify_only_sleepers @all: the waker leaves no hint for a thread that is awake
// mutant: wake_by_second_look @all: the waker reads the state again to learn what it owes
// mutant: wake_without_exchange @all: the waker reads the state, and then stores notified
// mutant: futex_for_polling @all: a thread that polls is woken by its futex
// mutant: event_fd_after_polling @all: the eventfd is made when the state says polling already
// mutant: no_drain @all: a count stays in the eventfd

#define WAITS 2
#define WAKERS 3

mtype = { EMPTY, NOTIFIED, PARKED, POLLING };
mtype state = EMPTY;
bool event_fd_made;
bool event_fd_count;  // of an eventfd only whether it is zero matters
bool asleep;          // in the kernel's queue for `state`
byte spurious;
byte waits;
bool news[WAITS];

// Ghosts: what the owner may spend, and has spent.
byte notifies;
byte spent;
byte turns;

inline futex_wait() {
  atomic {
#ifdef MUTANT_no_compare
    asleep = true
#else
    asleep = (state == PARKED)
#endif
  };
  if
  :: !asleep
  :: atomic { asleep && spurious > 0 -> asleep = false; spurious--; spent++ }
  fi
}

inline park() {
#ifdef MUTANT_empty_before_parking
  state = EMPTY;
#endif
#ifdef MUTANT_park_by_store
  state = PARKED;
  futex_wait();
#else
  if
  :: atomic { state == EMPTY -> state = PARKED };
     futex_wait()
  :: state != EMPTY
  fi;
#endif
#if !defined(MUTANT_empty_before_parking) && !defined(MUTANT_stays_parked)
  state = EMPTY
#endif
}

inline poll() {
#ifndef MUTANT_event_fd_after_polling
  event_fd_made = true;
#endif
  if
#ifdef MUTANT_poll_by_store
  :: atomic { true -> state = POLLING };
#else
  :: atomic { state == EMPTY -> state = POLLING };
#endif
#ifdef MUTANT_event_fd_after_polling
     event_fd_made = true;
#endif
     // ppoll
     if
     :: event_fd_count -> readable = true
     :: atomic { !event_fd_count && spurious > 0 -> spurious--; spent++; readable = false }
     fi;
#ifndef MUTANT_stays_polling
     state = EMPTY;
#endif
     if
#ifndef MUTANT_no_drain
     :: readable -> event_fd_count = false
#endif
     :: else
     fi
#ifndef MUTANT_poll_by_store
  :: state != EMPTY ->
     state = EMPTY
#endif
  fi
}

proctype owner() {
  byte wait = 0;
  bool readable;
  do
  :: wait < waits ->
     do
     :: news[wait] -> break
     :: else ->
        if
        :: park()
        :: poll()
        fi;
        atomic { turns++; assert(turns <= 2 * notifies + spent) }
     od;
     wait++
  :: else -> break
  od
}

inline publish() {
  if
  :: me < waits -> news[me] = true
  :: else
  fi
}

inline exchange_notified() {
#if defined(MUTANT_notify_only_sleepers)
  atomic {
    notifies++;
    before = state;
    if
    :: before == PARKED || before == POLLING -> state = NOTIFIED
    :: else
    fi
  }
#elif defined(MUTANT_wake_without_exchange)
  atomic { notifies++; before = state };
  state = NOTIFIED
#else
  atomic { notifies++; before = state; state = NOTIFIED }
#endif
#ifdef MUTANT_wake_by_second_look
  ; before = state
#endif
}

inline wake() {
  if
#ifdef MUTANT_futex_for_polling
  :: before == PARKED || before == POLLING -> asleep = false
#else
  :: before == PARKED -> asleep = false
  :: before == POLLING ->
     if
     :: event_fd_made -> event_fd_count = true
     :: else  // write(-1): there is nobody to hear it
     fi
#endif
  :: else
  fi
}

proctype waker(byte me) {
  mtype before;
#ifdef MUTANT_news_after_notify
  exchange_notified();
  wake();
  publish()
#else
  publish();
  exchange_notified();
  wake()
#endif
}

init {
  byte i;
  atomic {
    select (waits : 1 .. WAITS);
    select (spurious : 0 .. SPURIOUS);
    run owner();
    for (i : 0 .. WAKERS - 1) {
      if
      :: run waker(i)
      :: i >= waits  // a hint that nobody needs, and that need not come
      fi
    }
  }
}
