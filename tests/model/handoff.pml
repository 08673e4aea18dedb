// handoff: permits go from the thread that releases them to those who wait, who may be leaving.
//
// Code: Permits, on ParkingTable::wake(), enqueue() and dequeue(). RWLock::hand_over() has a protocol
//   of its own (`rw_lock`). It stands on the same table, Blocking and control blocks as the `event`
//   model:
//     word       how many are free, `waited`, `closed`: one word, which changes in one step.
//     release()  without waiters one compare-and-swap of the word. Otherwise, under the bucket's
//                lock, serve().
//     serve()    first come first served: while what is free and what is returned is enough for the
//                first in the list, mark its node (`signalled` says: the permits are yours) and
//                unlink it; then add what is left over to the word, without `waited` if the list is
//                empty; exchange the threads' states to notified. The system calls come after the
//                lock.
//     acquire()  take permits from the word if nobody waits; under the bucket's lock do so after all,
//                or make the word waited and append the node. Park. At the end, in one hold of the
//                lock, unlink the node and, if it was not marked, serve() those behind it. Who was
//                marked has the permits, whatever ended the wait.
//     close()    under the lock: mark all as refused and unlink them, make the word closed.
//
// Left out: memory orders (everything is sequentially consistent, as under the controlled
//   schedules), how a thread sleeps (`parker`), the links of the list, forks.
//
// Holds: never more in use than permits; when nothing moves any more every permit is in the word
//   again or kept, the word says waited only if somebody is in the list, and nobody waits if what
//   the first wants is free, with a stop that was requested, or when it is closed (`judge`); nobody
//   passes who waits; a stopped or timed-out wait that was served keeps the permits; no node is in
//   the list when its wait has returned, and nobody touches one later; the last holder may destroy
//   the primitive as soon as its own release has returned (`destroy`), and who has closed it while
//   waits are ending (`closed`).
//
// Bounds: see the cases. FIRST is what the first thread wants; the others want one each. The first
//   TIMED of the threads may have deadlines, the first of all a stop token.
//
// case: one -DTHREADS=3 -DPERMITS=1
// case: many -DTHREADS=3 -DPERMITS=2 -DFIRST=2 -DTIMED=1
// case: never -DTHREADS=3 -DPERMITS=1 -DFIRST=2 -DTIMED=1
// case: rounds -DTHREADS=2 -DPERMITS=1 -DROUNDS=2
// case: kept -DTHREADS=2 -DPERMITS=1 -DKEEPS=1
// case: destroy -DTHREADS=3 -DPERMITS=1 -DDESTROY=1
// case: closed -DTHREADS=2 -DPERMITS=1 -DFIRST=2 -DCLOSE=1
//
// mutant: mark_after_unlock @one: those who are served are marked after the lock was left
// mutant: exchange_before_mark @one: the states are exchanged before the nodes are marked
// mutant: look_before_lock @one: the word is looked at before the lock is taken
// mutant: word_after_unlock @one: the word is changed after the lock was left
// mutant: waker_read_after_unlock @one: a node is read for its thread after the lock was left
// mutant: not_unlinked @many: who is served stays in the list
// mutant: permit_in_word_too @one: permits that were handed over are added to the word as well
// mutant: release_by_store @many: without waiters the word is loaded and stored
// mutant: serve_by_store @many: with the lock the word is loaded and stored
// mutant: waited_stays @one: the word stays waited when the list is empty
// mutant: no_validation @one: a node is put in without a look at the word under the lock
// mutant: word_not_marked @one: a node is put in without making the word waited
// mutant: tried_past_the_waiting @many: permits are taken from a word that is waited
// mutant: queued_past_the_waiting @many: the same under the lock
// mutant: served_past_the_first @never: who wants less is served before the first
// mutant: leaver_clears_waited @one: a wait that was not served takes `waited` back
// mutant: leaver_serves_nobody @never: a wait that was not served lets nobody go
// mutant: leaver_comes_back @closed: it does so in another hold of the lock
// mutant: no_recheck_after_timeout @one: a deadline is told without a look at the node
// mutant: no_recheck_after_stop @rounds: a stop is told without a look at the node
// mutant: outcome_from_hint @rounds: a hint is taken for the permits
// mutant: signalled_is_enough @one: dequeue without the lock, when the deadline has come
// mutant: refused_is_served @closed: close() marks those who wait as it marks who is served
// mutant: closed_in_silence @closed: close() marks nobody
// mutant: closed_after_unlock @closed: the word is made closed after the lock was left
// mutant: queued_though_closed @closed: a node is put in without a look whether it is closed
// mutant: late_callback_never_runs @kept: a callback made after the stop does not run
// mutant: callback_gone_before_dequeue @kept: the callback is destroyed when the node is enqueued
// mutant: callback_not_awaited @kept: the callback's destructor does not wait for it

#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef FIRST
#define FIRST 1
#endif
#ifndef TIMED
#define TIMED 2
#endif
#ifndef KEEPS
#define KEEPS 0  // the last thread never gives its permit back
#endif
#ifndef DESTROY
#define DESTROY 0  // by the last holder
#endif
#ifndef CLOSE
#define CLOSE 0  // and destroyed when nobody will come any more
#endif

mtype = { none, stopped, timed_out };

// The word.
byte free = PERMITS;
bool waited;
bool is_closed;

bool locked;
chan list = [THREADS] of { byte };  // the nodes in the bucket
bool signalled[THREADS];
bool refused[THREADS];
bool hint[THREADS];  // the thread's state is notified

// Ghosts.
byte in_use;
byte kept;
byte to_come = THREADS * ROUNDS;  // calls of acquire() that have not ended
byte users = THREADS * ROUNDS;    // calls to come or on their way, but for those in the list
bool destroyed;
bool waiting[THREADS];  // the node exists
bool stoppable[THREADS];

inline notify(thread) { hint[thread] = true }

#include "stop_callback.inc"

#define wants(thread) (thread == 0 -> FIRST : 1)

inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }

// The load of the word that serve() begins with.
inline look() {
  assert(!destroyed);
#ifdef MUTANT_serve_by_store
  free_before = free;
#endif
  enough = free + returned;
  was_waited = waited
}

// What is not needed any more makes no states.
inline forget() {
  d_step {
    served = 0;
    first = 0;
    i = 0;
    returned = 0;
    enough = 0;
    change = 0;
    was_waited = false
  }
}

// Whom, and what is left of `returned` for the word.
inline choose() {
  change = returned;
  do
  :: len(list) > 0 ->
     list?<first>;
#ifdef MUTANT_served_past_the_first
     if
     :: wants(first) > enough && list??[2] -> first = 2
     :: else
     fi;
#endif
     if
     :: wants(first) <= enough ->
        enough = enough - wants(first);
#ifndef MUTANT_permit_in_word_too
        change = change - wants(first);
#endif
        served = served | (1 << first);
#ifdef MUTANT_not_unlinked
        break
#else
        list?i;
        assert(i == first)  // nobody passes
#endif
     :: else -> break
     fi
  :: else -> break
  od
}

inline mark_served(is_refused) {
  atomic {
    for (i : 0 .. THREADS - 1) {
      if
      :: served & (1 << i) ->
         assert(waiting[i]);
         refused[i] = is_refused;
         signalled[i] = true;
         users = users + (is_refused -> 0 : 1)
      :: else
      fi
    }
  }
}

inline notify_served() {
  atomic {
    for (i : 0 .. THREADS - 1) {
      if
      :: served & (1 << i) ->
#ifdef MUTANT_waker_read_after_unlock
         assert(waiting[i]);
#endif
         hint[i] = true
      :: else
      fi
    }
  }
}

inline change_word() {
  atomic {
    assert(!destroyed);
#ifdef MUTANT_serve_by_store
    free = free_before + change;
#else
    free = free + change;
#endif
    if
#ifndef MUTANT_waited_stays
    :: was_waited && len(list) == 0 ->
       assert(waited);  // it is taken off by a subtraction
       waited = false
#endif
    :: else
    fi
  }
}

// Between lock and unlock. Steps that nobody else can tell apart are one.
inline serve() {
  atomic {
#ifndef MUTANT_look_before_lock
    look();
#endif
    choose();
#ifdef MUTANT_exchange_before_mark
    notify_served()
  };
  atomic {
#endif
#ifndef MUTANT_mark_after_unlock
    mark_served(false)
#endif
  };
#ifndef MUTANT_word_after_unlock
  change_word();
#endif
  atomic {
#if !defined(MUTANT_exchange_before_mark) && !defined(MUTANT_mark_after_unlock) && !defined(MUTANT_waker_read_after_unlock)
    notify_served();
#endif
    unlock()
  };
#ifdef MUTANT_mark_after_unlock
  mark_served(false);
#endif
#ifdef MUTANT_word_after_unlock
  change_word();
#endif
#if defined(MUTANT_mark_after_unlock) || defined(MUTANT_waker_read_after_unlock)
  notify_served();
#endif
  forget()
}

inline release() {
  returned = wants(me);
  if
#ifdef MUTANT_release_by_store
  :: !waited ->
     change = free + returned;
     atomic { free = change; waited = false }
#else
  :: atomic { !waited -> assert(!destroyed); free = free + returned }
#endif
  :: atomic { waited -> assert(!destroyed) };
#ifdef MUTANT_look_before_lock
     atomic { look() };
#endif
     lock();
     serve()
  fi;
  returned = 0
}

inline close() {
  lock();
  atomic {
    do
    :: list?first -> served = served | (1 << first)
    :: empty(list) -> break
    od
  };
#ifdef MUTANT_refused_is_served
  mark_served(false);
#elif !defined(MUTANT_closed_in_silence)
  mark_served(true);
#endif
  atomic {
    assert(!destroyed);
#ifndef MUTANT_closed_after_unlock
    is_closed = true;
#endif
    waited = false
  };
#ifndef MUTANT_closed_in_silence
  notify_served();
#endif
  unlock();
#ifdef MUTANT_closed_after_unlock
  is_closed = true;
#endif
  served = 0
}

// From the word, without waiting.
inline take() {
  assert(!destroyed && len(list) == 0);  // nobody passes
  free = free - wants(me);
  got = true
}

// Of the stop; park() knows of the deadline.
inline ended() {
  if
  :: ending == none ->
     if
     :: atomic { may_stop && stop_requested -> ending = stopped }
     :: may_stop && !stop_requested
     :: !may_stop
     fi
  :: else
  fi
}

inline enqueue() {
  atomic {
    !locked;
    assert(!destroyed);
    if
#ifndef MUTANT_queued_though_closed
    :: is_closed -> refused[me] = true
#endif
#ifdef MUTANT_no_validation
    :: false
#elif defined(MUTANT_queued_past_the_waiting)
    :: !is_closed && free >= wants(me) -> take()
#else
    :: !is_closed && len(list) == 0 && free >= wants(me) ->
       take();
       waited = false
#endif
    :: else ->
#ifndef MUTANT_word_not_marked
       waited = true;
#endif
       waiting[me] = true;
       users--;
       list!me
    fi
  }
}

inline park() {
  if
  :: atomic { hint[me] -> hint[me] = false }
#ifdef MUTANT_outcome_from_hint
     ; got = true
#endif
  :: atomic { timed -> ending = timed_out; hint[me] = false }
  fi
}

inline dequeue() {
#ifdef MUTANT_signalled_is_enough
  atomic { !locked || ending == timed_out -> locked = true };
#else
  lock();
#endif
  atomic {
    if
    :: list??[eval(me)] -> list??eval(me)
    :: else
    fi;
    was_served = signalled[me];
#if defined(MUTANT_outcome_from_hint)
    got = got || signalled[me]
#elif defined(MUTANT_no_recheck_after_timeout)
    got = signalled[me] && !refused[me] && ending != timed_out
#elif defined(MUTANT_no_recheck_after_stop)
    got = signalled[me] && !refused[me] && ending != stopped
#else
    got = signalled[me] && !refused[me]
#endif
  };
  if
#ifdef MUTANT_leaver_serves_nobody
  :: false
#else
  :: !was_served ->
#ifdef MUTANT_leaver_comes_back
     unlock();
     lock();
#endif
#ifdef MUTANT_look_before_lock
     atomic { look() };
#endif
     serve()
#endif
  :: else -> unlock()
  fi
}

inline acquire() {
  // As the wait of `event`: first what need not block, then what has ended already.
  got = false;
  ending = none;
  if
#ifdef MUTANT_tried_past_the_waiting
  :: atomic { !is_closed && free >= wants(me) -> take() };
#else
  :: atomic { !waited && !is_closed && free >= wants(me) -> take() };
#endif
     goto done
  :: atomic { is_closed -> assert(!destroyed); refused[me] = true };
     goto done
  :: !is_closed && (waited || free < wants(me))
  fi;
  if
  :: timed -> ending = timed_out
  :: true
  fi;
  ended();
  if
  :: ending != none -> goto done
  :: else
  fi;
  if
  :: may_stop -> make_callback(me)
  :: else
  fi;
  enqueue();
#ifdef MUTANT_callback_gone_before_dequeue
  if
  :: may_stop -> destroy_callback(me)
  :: else
  fi;
#endif
  if
  :: waiting[me] ->
     do
     :: true ->
end_park: park();
        if
        :: signalled[me] || got -> break
        :: else -> ended()
        fi;
        if
        :: ending != none -> break
        :: else
        fi
     od;
     dequeue();
     was_served = false;
#ifdef MUTANT_leaver_clears_waited
     if
     :: !got -> waited = false
     :: else
     fi
#endif
  :: else
  fi;
done:
  if
  :: may_stop -> destroy_callback(me)
  :: else
  fi;
  d_step {
    assert(!list??[eval(me)]);
    // Who was in the list counts as a user since it was served only.
    if
    :: !got && !waiting[me] -> users--
    :: else
    fi;
    waiting[me] = false;
    signalled[me] = false;
    if
    :: got ->
       in_use = in_use + wants(me);
       assert(in_use <= PERMITS)
    :: else ->
       assert(ending != stopped || stop_requested);
       assert(!refused[me] || CLOSE)
    fi;
    refused[me] = false;
    ending = none
  }
}

proctype thread(byte me; bool may_stop; bool timed) {
  byte round, first, i, served, returned, enough;
  short change;
#ifdef MUTANT_serve_by_store
  byte free_before;
#endif
  bool got, last, was_waited, was_served;
  mtype ending;
  do
  :: round < ROUNDS ->
     round++;
     acquire();
     if
     :: got && KEEPS && me == THREADS - 1 ->
        kept++;
        break
     :: got && !(KEEPS && me == THREADS - 1) ->
        d_step {
          in_use = in_use - wants(me);
          to_come--;
          last = (to_come == 0)
        };
        release();
        users--;
        if
        :: DESTROY && last -> destroyed = true
        :: else
        fi
     :: !got -> to_come--
     fi
  :: else -> break
  od
}

proctype stopper() {
  byte thread_;
  stop_requested = true;
  for (thread_ : 0 .. THREADS - 1) {
    run_callback(thread_)
  }
}

// Who destroys when nobody is expected, but for those who are refused or leave by themselves.
proctype closer() {
  byte first, i, served;
  close();
  users == 0 -> destroyed = true
}

// When nothing moves any more, the threads that are parked are there with good reason.
proctype judge() {
  byte i;
  timeout ->
  assert(free + kept == PERMITS);
  assert(waited == (len(list) > 0));
  if
  :: list?<i> -> assert(wants(i) > free)
  :: empty(list)
  fi;
  for (i : 0 .. THREADS - 1) {
    if
    :: waiting[i] -> assert(!is_closed && !(stoppable[i] && stop_requested))
    :: else
    fi
  }
}

init {
  byte i;
  atomic {
    for (i : 0 .. THREADS - 1) {
      if
      :: true
      :: i == 0 && !DESTROY -> stoppable[i] = true
      fi;
      if
      :: run thread(i, stoppable[i], false)
      :: i < TIMED -> run thread(i, stoppable[i], true)
      fi
    };
    if
    :: true
    :: !DESTROY -> run stopper()
    fi;
    if
    :: CLOSE -> run closer()
    :: !CLOSE
    fi;
    run judge()
  }
}
