// event: waits for one Event or for several, and the setters, stops and deadlines that end them.
//
// Code: Event::set, clear and set_and_wake, EventWait::wait and enqueue (src/wait/event.cpp),
//   wait_any (src/wait/wait_any.cpp), ParkingTable::enqueue, dequeue and unlock_and_wake
//   (src/wait/parking_table.cpp), Blocking (src/wait/blocking.cpp).
//   Waiter 0 waits for all events, the others for the last one. Setter s sets event s modulo EVENTS
//   and may clear it afterwards, setter 0 also before. Which waits have a deadline or a stop token,
//   which setters come, and whether the stop comes, is chosen at the start: what always came in the
//   end would hide what is lost.
//
// Left out: memory orders (everything is sequentially consistent, as under the controlled
//   schedules); how a thread sleeps (park() waits for a hint; `parker` shows that it may); the
//   links of a list, which is a set here, and a setter takes the nodes of its list in any order;
//   raised exceptions, which are announced as a stop is. A critical section is one step if at most
//   one of its accesses can be met by a thread without the lock; a setter's has more, and so it
//   holds the lock over several steps.
//
// Holds:
//   - ready is told only if the event was set when the wait began or since then;
//   - a node that was enqueued when its event was set yields ready, whatever clear, stop and
//     deadline do meanwhile; and when nothing moves any more nobody waits for an event that is
//     set, or with a stop that was requested (`judge`);
//   - what a producer hands over by set() is not left lying after the consumer's clear() (`work`);
//   - no node is in a list when its wait has returned, so nobody touches it any more;
//   - a setter does not touch an event after the waits that it ended have returned, and so wakes
//     nobody who waits for the next event at the same address (`destroy`);
//   - a callback is not destroyed while it runs; stopped and timeout are told only when they hold.
//
// Bounds: see the cases.
//
// case: wait -DWAITERS=2
// case: setters -DSETTERS=2 -DWAITS=2 -DBATCH=2
// case: crowd -DWAITERS=2 -DSETTERS=2 -DSTOPS=0
// case: any_one_bucket -DWAITERS=2 -DSETTERS=2 -DEVENTS=2 -DSTOPS=0
// case: any_two_buckets -DWAITERS=2 -DSETTERS=2 -DEVENTS=2 -DBUCKETS=2 -DSTOPS=0
// case: any_stop -DSETTERS=2 -DEVENTS=2 -DBUCKETS=2
// case: stop -DWAITS=2
// case: ambient -DWAITS=2 -DFOREIGN=0
// case: work -DSETTERS=2 -DWORK=1
// case: destroy -DWAITERS=2 -DDESTROY=1 -DSTOPS=0
//
// mutant: mark_after_unlock @wait: the setter marks the nodes after it has left the lock
// mutant: mark_with_batch @wait: a node is marked when its batch comes, not in the first hold
// mutant: mark_after_exchange @wait: a node is marked when its thread's state is notified already
// mutant: word_after_unlock @destroy: the setter changes the word after it has left the lock
// mutant: rescan_by_key @destroy: between batches the setter looks for nodes by their key again
// mutant: no_key_compare @any_one_bucket: a setter takes the nodes of every event of the bucket
// mutant: set_by_store @setters: without waiters the word is stored, not compared and swapped
// mutant: clear_by_store @setters: clear() stores, over a word that says waited
// mutant: no_validation @wait: a node is enqueued without a look at the word under the lock
// mutant: word_not_marked @wait: a node is enqueued without making the word waited
// mutant: leaver_clears_waited @wait: a wait that times out makes the word unset
// mutant: no_recheck_after_timeout @wait: a deadline is told without a look at the node
// mutant: outcome_from_hint @stop: ready is told because there was a hint
// mutant: signalled_is_enough @wait: a node seen signalled is not dequeued under the lock
// mutant: no_dequeue_after_stop @stop: a stopped wait leaves its node in the list
// mutant: only_winner_dequeued @any_one_bucket: wait_any leaves the nodes of the other events
// mutant: set_event_not_rolled_back @any_two_buckets: wait_any finds a set event, leaves its nodes
// mutant: no_look_before_park @ambient: the tokens are looked at only after a hint
// mutant: late_callback_never_runs @stop: a callback made after the stop does not run
// mutant: callback_gone_before_dequeue @stop: the callback is destroyed when the node is enqueued
// mutant: callback_not_awaited @stop: the callback's destructor does not wait for it
// mutant: clear_after_work @work: the consumer takes the work first and clears then

#ifndef WAITERS
#define WAITERS 1
#endif
#ifndef SETTERS
#define SETTERS 1
#endif
#ifndef EVENTS
#define EVENTS 1
#endif
#ifndef BUCKETS
#define BUCKETS 1
#endif
#ifndef WAITS
#define WAITS 1  // of waiter 0, one after the other
#endif
#ifndef BATCH
#define BATCH 1
#endif
#ifndef FOREIGN
#define FOREIGN 1  // the stop token is given to the wait; 0: it is the thread's own
#endif
#ifndef STOPS
#define STOPS 1  // waiter 0 may have a token, which may be stopped
#endif
#ifndef WORK
#define WORK 0  // the setters are producers, waiter 0 is the consumer
#endif
#ifndef DESTROY
#define DESTROY 0  // the last waiter destroys the event and waits for another at its address
#endif

#define THREADS WAITERS
#define NODES (WAITERS * EVENTS)
#define node(waiter, event) ((waiter) * EVENTS + (event))
#define waiter_of(node) ((node) / EVENTS)
#define key(node) ((node) % EVENTS)
#define bucket_of(event) ((event) % BUCKETS)
#define first_event(waiter) ((waiter) == 0 -> 0 : EVENTS - 1)

// Where a node is.
#define in_no_list 0
#define in_bucket 1
#define taken_by(setter) (2 + (setter))

mtype = { unset_word, set_word, waited_word };
mtype = { none, stopped, timed_out };

mtype word[EVENTS] = unset_word;
bool locked[BUCKETS];
byte list[NODES];
bool signalled[NODES];
bool hint[WAITERS];  // the thread's state is notified
byte work;

// Ghosts.
bool stoppable[WAITERS];
byte generation;      // of event 0: how many have been destroyed at its address
byte returned;        // waits that have returned
bool waiting[WAITERS];
bool is_set[EVENTS];  // what the calls of set() and clear() make of it, without any word
bool was_set[NODES];  // the node's event was set when the wait began, or since
bool owed[NODES];     // the node was enqueued when its event was set
bool anyone_ready;

inline notify(thread) { hint[thread] = true }

#include "stop_callback.inc"

inline lock(bucket) {
  atomic { !locked[bucket] -> locked[bucket] = true }
}

// What a set() owes, at the moment it takes effect.
inline account_for_set(event) {
  is_set[event] = true;
  for (i : 0 .. NODES - 1) {
    if
    :: key(i) == event && waiting[waiter_of(i)] ->
       was_set[i] = true;
       owed[i] = owed[i] || list[i] == in_bucket
    :: else
    fi
  }
}

inline exchange_word() {
  d_step {
    assert(generation == mine);
    word[event] = set_word;
    account_for_set(event);
    i = 0
  }
}

inline take_nodes() {
  d_step {
    for (i : 0 .. NODES - 1) {
      if
#ifdef MUTANT_no_key_compare
      :: list[i] == in_bucket && bucket_of(key(i)) == bucket_of(event) ->
#else
      :: list[i] == in_bucket && key(i) == event ->
#endif
         list[i] = taken_by(me)
#if defined(MUTANT_mark_after_unlock)
         ; marks_due[i] = true
#elif !defined(MUTANT_mark_with_batch) && !defined(MUTANT_mark_after_exchange)
         ; signalled[i] = true
#endif
      :: else
      fi
    };
    i = 0
  }
}

#define taken(n) (n < NODES && list[n] == taken_by(me))
#define more_taken (taken(0) || taken(1) || taken(2) || taken(3))

inline wake_batch() {
  count = 0;
  do
  :: atomic {
       count < BATCH && more_taken ->
       if
       :: taken(0) -> i = 0
       :: taken(1) -> i = 1
       :: taken(2) -> i = 2
       :: taken(3) -> i = 3
       fi;
       list[i] = in_no_list;
#ifdef MUTANT_mark_with_batch
       signalled[i] = true;
#endif
       hint[waiter_of(i)] = true;
       count++
     }
#ifdef MUTANT_mark_after_exchange
     ; signalled[i] = true
#endif
  :: else -> break
  od
}

inline set_and_wake() {
  lock(bucket_of(event));
#ifndef MUTANT_word_after_unlock
  exchange_word();
#endif
  take_nodes();
  do
  :: wake_batch();
     last = !more_taken;
     i = 0;
     locked[bucket_of(event)] = false;
#ifdef MUTANT_word_after_unlock
     exchange_word();
#endif
#ifdef MUTANT_mark_after_unlock
     d_step {
       for (i : 0 .. NODES - 1) { signalled[i] = signalled[i] || marks_due[i] };
       i = 0
     };
#endif
     if
     :: last -> break
     :: else ->
        lock(bucket_of(event))
#ifdef MUTANT_rescan_by_key
        ; take_nodes()
#endif
     fi
  od
}

inline set() {
  if
  :: atomic {
       word[event] != waited_word ->
#ifndef MUTANT_set_by_store
       word[event] = set_word;
       account_for_set(event);
       assert(generation == mine);
       i = 0
#endif
     }
#ifdef MUTANT_set_by_store
     ; exchange_word()
#endif
  :: word[event] == waited_word ->
     set_and_wake()
  fi
}

inline clear(event) {
  d_step {
    is_set[event] = false;
    if
#ifdef MUTANT_clear_by_store
    :: true -> word[event] = unset_word
#else
    :: word[event] == set_word -> word[event] = unset_word
    :: else
#endif
    fi
  }
}

proctype setter(byte me) {
  byte event, i, count, mine;
  bool last;
#ifdef MUTANT_mark_after_unlock
  bool marks_due[NODES];
#endif
  event = me % EVENTS;
  if
  :: WORK -> work++
  :: else
  fi;
  if
  :: !WORK && !DESTROY && me == 0 -> clear(event)
  :: true
  fi;
  set();
  if
  :: !WORK && !DESTROY -> clear(event)
  :: true
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
    !locked[bucket_of(event)];
    if
#ifdef MUTANT_no_validation
    :: false
#else
    :: word[event] == set_word ->
       ready = true;
       index = event
#endif
    :: else ->
#ifndef MUTANT_word_not_marked
       word[event] = waited_word;
#endif
       signalled[node(me, event)] = false;
       list[node(me, event)] = in_bucket;
       event++
    fi
  }
}

#define any_signalled (signalled[node(me, first_event(me))] || signalled[node(me, EVENTS - 1)])

inline park() {
  if
  :: atomic { hint[me] -> hint[me] = false }
#ifdef MUTANT_outcome_from_hint
     ; ready = true
#endif
  :: atomic { timed -> ending = timed_out; hint[me] = false }
  fi
}

inline dequeue() {
  atomic {
    !locked[bucket_of(event)];
    list[node(me, event)] = in_no_list;
    if
    :: signalled[node(me, event)] ->
       ready = true;
       index = event
    :: else
    fi
  }
}

inline finish_wait() {
  d_step {
    for (event : first_event(me) .. EVENTS - 1) {
      assert(list[node(me, event)] == in_no_list);
      assert(ready || !owed[node(me, event)]);
      signalled[node(me, event)] = false
    };
    if
    :: ready -> assert(was_set[node(me, index)])
    :: else ->
       if
       :: ending == stopped -> assert(may_stop && stop_requested)
       :: ending == timed_out -> assert(timed)
       fi
    fi;
    for (event : first_event(me) .. EVENTS - 1) {
      was_set[node(me, event)] = false;
      owed[node(me, event)] = false
    };
    event = 0;
    waiting[me] = false;
    returned++;
    anyone_ready = anyone_ready || ready
  }
}

proctype waiter(byte me; bool may_stop; bool timed) {
  byte event, index, waits;
  bool ready;
  mtype ending;
  if
  :: may_stop && !FOREIGN -> make_callback(me)
  :: else
  fi;
  do
  :: true ->
     d_step {
       ready = false;
       ending = none;
       waiting[me] = true;
       for (event : first_event(me) .. EVENTS - 1) {
         was_set[node(me, event)] = (word[event] == set_word)
       };
       event = first_event(me)
     };
     do
     :: event < EVENTS ->
        if
        :: word[event] == set_word ->
           ready = true;
           index = event;
           goto done
        :: else -> event++
        fi
     :: else -> break
     od;
     // Blocking::ended
     if
     :: timed -> ending = timed_out
     :: true -> skip
     fi;
#ifndef MUTANT_no_look_before_park
     ended();
#endif
     if
     :: ending != none -> goto done
     :: else
     fi;
     if
     :: may_stop && FOREIGN -> make_callback(me)
     :: else
     fi;
     event = first_event(me);
     do
     :: event < EVENTS && !ready -> enqueue()
     :: else -> break
     od;
#ifdef MUTANT_callback_gone_before_dequeue
     destroy_callback(me);
#endif
#ifdef MUTANT_set_event_not_rolled_back
     if
     :: ready -> goto done
     :: else
     fi;
#endif
     if
     :: !ready ->
        do
        :: true ->
end_park:  park();
           if
           :: any_signalled || ready -> break
           :: else -> ended()
           fi;
           if
           :: ending != none -> break
           :: else
           fi
        od
     :: else
     fi;
#ifdef MUTANT_no_recheck_after_timeout
     if
     :: ending == timed_out ->
        atomic { !locked[bucket_of(event - 1)] -> list[node(me, event - 1)] = in_no_list };
        goto done
     :: else
     fi;
#endif
#ifdef MUTANT_signalled_is_enough
     if
     :: any_signalled -> ready = true; goto done
     :: else
     fi;
#endif
#ifdef MUTANT_no_dequeue_after_stop
     if
     :: ending == stopped -> goto done
     :: else
     fi;
#endif
     do
     :: event > first_event(me) ->
        event--;
        dequeue()
#ifdef MUTANT_only_winner_dequeued
        ;
        if
        :: ready -> break
        :: else
        fi
#endif
     :: else -> break
     od;
#ifdef MUTANT_leaver_clears_waited
     if
     :: !ready && word[EVENTS - 1] == waited_word -> word[EVENTS - 1] = unset_word
     :: else
     fi;
#endif
done:
     if
     :: may_stop && FOREIGN -> destroy_callback(me)
     :: else
     fi;
     finish_wait();

     if
     :: WORK && ready ->
#ifdef MUTANT_clear_after_work
        work = 0;
        clear(0)
#else
        clear(0);
        work = 0
#endif
     :: DESTROY ->
        // The next event is nobody's but ours: its wait ends with the deadline.
        atomic {
          if
          :: returned == WAITERS && anyone_ready ->
             generation++;
             is_set[0] = false;
             word[0] = unset_word;
             timed = true
          :: else -> break
          fi
        }
     :: !WORK && !DESTROY ->
        waits++;
        if
        :: me > 0 || waits == WAITS -> break
        :: else
        fi
     :: WORK && !ready -> break
     fi
  od;
  if
  :: may_stop && !FOREIGN -> destroy_callback(me)
  :: else
  fi
}

proctype stopper() {
  byte thread;
  stop_requested = true;
  for (thread : 0 .. THREADS - 1) {
    run_callback(thread)
  }
}

// When nothing moves any more, the threads that are parked are there with good reason.
proctype judge() {
  byte i;
  timeout ->
  for (i : 0 .. NODES - 1) {
    if
    :: waiting[waiter_of(i)] && key(i) >= first_event(waiter_of(i)) ->
       assert(!is_set[key(i)]);
       assert(!owed[i]);
       assert(!(stoppable[waiter_of(i)] && stop_requested));
       assert(work == 0)
    :: else
    fi
  }
}

init {
  byte i;
  atomic {
    for (i : 0 .. WAITERS - 1) {
      if
      :: true
      :: STOPS && i == 0 -> stoppable[i] = true
      fi;
      if
      :: run waiter(i, stoppable[i], false)
      :: run waiter(i, stoppable[i], true)
      fi
    };
    for (i : 0 .. SETTERS - 1) {
      if
      :: true
      :: run setter(i)
      fi
    };
    if
    :: true
    :: STOPS -> run stopper()
    fi;
    run judge()
  }
}
