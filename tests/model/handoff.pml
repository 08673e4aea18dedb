// handoff: a permit goes from the thread that releases it to one waiter, who may be leaving.
//
// Code: ParkingTable::wake(), which lets a primitive choose whom it wakes. RWLock::hand_over() is its
//   first user, with a protocol of its own (`rw_lock`); this model states the plain one, of what
//   hands one thing to one waiter: a semaphore, a pool. It stands on the same table, Blocking and
//   control blocks as the `event` model:
//     release()  without waiters one compare-and-swap of the word. Otherwise, under the bucket's
//                lock: choose a node, mark it (`signalled` says: the permit is yours), unlink it,
//                exchange its thread's state to notified. The system call comes after the lock.
//                Without a node the permit goes to the word, in the same hold of the lock.
//     acquire()  under the bucket's lock: take a permit from the word after all, or make the word
//                waited and append the node. Park. At the end dequeue under the lock: who was
//                chosen has the permit, whatever ended the wait.
//   A word that says waited means that no permit is free; it may outlive the nodes, and only a
//   release() that finds no node takes it back.
//
// Left out: memory orders (everything is sequentially consistent, as under the controlled
//   schedules), how a thread sleeps (`parker`), the links of the list; whom a release chooses: it
//   may be anybody, so that what holds here holds for every policy.
//
// Holds: never more holders than permits; when nothing moves any more every permit is in the word
//   again or kept, and nobody waits for a free permit or with a stop that was requested (`judge`);
//   a stopped or timed-out wait that was chosen keeps the permit and is ready; no node is in the
//   list when its wait has returned, and a release touches none later; the primitive may be
//   destroyed by the last holder as soon as its own release has returned, while the release that
//   handed it the permit has not (`destroy`).
//
// Bounds: see the cases. Two of the threads may have deadlines, one of those a stop token.
//
// case: one -DTHREADS=3 -DPERMITS=1
// case: two -DTHREADS=3 -DPERMITS=2
// case: rounds -DTHREADS=2 -DPERMITS=1 -DROUNDS=2
// case: kept -DTHREADS=2 -DPERMITS=1 -DKEEPS=1
// case: destroy -DTHREADS=3 -DPERMITS=1 -DDESTROY=1
//
// mutant: mark_after_unlock @one: the chosen node is marked after the lock was left
// mutant: exchange_before_mark @one: the state is exchanged before the node is marked
// mutant: choose_before_lock @one: the waiter is chosen before the lock is taken
// mutant: word_after_unlock @one: without a node the word is changed after the lock was left
// mutant: waker_read_after_unlock @one: the node is read for its thread after the lock was left
// mutant: waited_taken_back_late @destroy: the word is tidied up after the permit was handed over
// mutant: not_unlinked @two: the chosen node stays in the list
// mutant: waited_assumed @two: without a node the word is overwritten with one permit
// mutant: permit_in_word_too @one: a permit that was handed over is added to the word as well
// mutant: release_by_store @two: without waiters the word is loaded and stored
// mutant: no_validation @one: a node is enqueued without a look at the word under the lock
// mutant: word_not_marked @one: a node is enqueued without making the word waited
// mutant: leaver_clears_waited @one: a wait that times out takes `waited` back
// mutant: no_recheck_after_timeout @one: a deadline is told without a look at the node
// mutant: no_recheck_after_stop @rounds: a stop is told without a look at the node
// mutant: outcome_from_hint @rounds: a hint is taken for the permit
// mutant: signalled_is_enough @one: dequeue without the lock, when the deadline has come
// mutant: late_callback_never_runs @kept: a callback made after the stop does not run
// mutant: callback_gone_before_dequeue @kept: the callback is destroyed when the node is enqueued
// mutant: callback_not_awaited @kept: the callback's destructor does not wait for it

#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef KEEPS
#define KEEPS 0  // the last thread never gives its permit back
#endif
#ifndef DESTROY
#define DESTROY 0
#endif

mtype = { none, stopped, timed_out };

#define waited_word 255
byte word = PERMITS;
bool locked;
bool listed[THREADS];  // the thread's node is in the bucket's list
bool signalled[THREADS];
bool hint[THREADS];  // the thread's state is notified

// Ghosts.
byte holders;
byte kept;
byte to_come = THREADS * ROUNDS;  // calls of acquire() that have not ended
bool destroyed;
bool waiting[THREADS];  // the node exists
bool stoppable[THREADS];

inline notify(thread) { hint[thread] = true }

#include "stop_callback.inc"

// A permit of the word, if there is one.
#define free (word != waited_word && word > 0)

inline choose() {
  if
  :: listed[0] -> chosen = 0
  :: listed[1] -> chosen = 1
  :: THREADS > 2 && listed[THREADS - 1] -> chosen = THREADS - 1
  :: else -> chosen = THREADS
  fi
}

inline put_into_word() {
  atomic {
    assert(!destroyed);
    if
#ifdef MUTANT_waited_assumed
    :: true -> word = 1
#else
    :: word == waited_word -> word = 1
    :: else -> word++
#endif
    fi
  }
}

inline hand_off() {
#ifdef MUTANT_choose_before_lock
  atomic { choose() };
#endif
  atomic { !locked -> locked = true };
#ifndef MUTANT_choose_before_lock
  atomic { choose() };
#endif
  if
  :: chosen < THREADS ->
#ifdef MUTANT_exchange_before_mark
     hint[chosen] = true;
#endif
#ifndef MUTANT_mark_after_unlock
     assert(waiting[chosen]);
     signalled[chosen] = true;
#endif
#ifndef MUTANT_not_unlinked
     listed[chosen] = false;
#endif
#if !defined(MUTANT_exchange_before_mark) && !defined(MUTANT_waker_read_after_unlock)
     hint[chosen] = true;
#endif
#ifdef MUTANT_permit_in_word_too
     put_into_word();
#endif
     locked = false
#ifdef MUTANT_mark_after_unlock
     ;
     assert(waiting[chosen]);
     signalled[chosen] = true;
     hint[chosen] = true
#endif
#ifdef MUTANT_waker_read_after_unlock
     ;
     assert(waiting[chosen]);
     hint[chosen] = true
#endif
#ifdef MUTANT_waited_taken_back_late
     ;
     atomic {
       assert(!destroyed);
       choose();
       if
       :: chosen == THREADS && word == waited_word -> word = 0
       :: else
       fi
     }
#endif
  :: else ->
#ifdef MUTANT_word_after_unlock
     locked = false;
     put_into_word()
#else
     put_into_word();
     locked = false
#endif
  fi;
  chosen = 0
}

inline release() {
  if
#ifdef MUTANT_release_by_store
  :: word != waited_word ->
     seen = word;
     word = seen + 1
#else
  :: atomic { word != waited_word -> assert(!destroyed); word++ }
#endif
  :: atomic { word == waited_word -> assert(!destroyed) };
     hand_off()
  fi
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
    if
#ifdef MUTANT_no_validation
    :: false
#else
    :: free ->
       word--;
       got = true
#endif
    :: else ->
#ifndef MUTANT_word_not_marked
       word = waited_word;
#endif
       waiting[me] = true;
       signalled[me] = false;
       listed[me] = true
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
  atomic {
#ifdef MUTANT_signalled_is_enough
    !locked || ending == timed_out;
#else
    !locked;
#endif
    listed[me] = false;
#if defined(MUTANT_outcome_from_hint)
    got = got || signalled[me]
#elif defined(MUTANT_no_recheck_after_timeout)
    got = signalled[me] && ending != timed_out
#elif defined(MUTANT_no_recheck_after_stop)
    got = signalled[me] && ending != stopped
#else
    got = signalled[me]
#endif
  }
}

inline acquire() {
  // As the wait of `event`: first what need not block, then what has ended already.
  got = false;
  ending = none;
  if
  :: atomic { free -> word--; got = true };
     goto done
  :: !free
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
  :: !got ->
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
     dequeue()
  :: else
  fi;
#ifdef MUTANT_leaver_clears_waited
  if
  :: atomic { !got && word == waited_word -> word = 0 }
  :: else
  fi;
#endif
done:
  if
  :: may_stop -> destroy_callback(me)
  :: else
  fi;
  d_step {
    assert(!listed[me]);
    waiting[me] = false;
    signalled[me] = false;
    if
    :: got ->
       holders++;
       assert(holders <= PERMITS)
    :: else -> assert(ending != stopped || stop_requested)
    fi
  }
}

proctype thread(byte me; bool may_stop; bool timed) {
  byte round, chosen;
#ifdef MUTANT_release_by_store
  byte seen;
#endif
  bool got, last;
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
          holders--;
          to_come--;
          last = (to_come == 0)
        };
        release();
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

// When nothing moves any more, the threads that are parked are there with good reason.
proctype judge() {
  byte i;
  timeout ->
  assert((word == waited_word -> 0 : word) + kept == PERMITS);
  for (i : 0 .. THREADS - 1) {
    if
    :: waiting[i] ->
       assert(kept == PERMITS);
       assert(!(stoppable[i] && stop_requested))
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
      :: i < 2 -> run thread(i, stoppable[i], true)
      fi
    };
    if
    :: true
    :: !DESTROY -> run stopper()
    fi;
    run judge()
  }
}
