// rw_lock: readers and writers of one lock, who is let in next, and who leaves meanwhile.
//
// Code: RWLock (include/rouse/sync/rw_lock.hpp, src/sync/rw_lock.cpp), ParkingTable. The protocol
//   is in docs/design/rw_lock.md.
//   Each thread reads or writes, in `change` it may downgrade or try to upgrade as well. What the
//   threads do, which of them have a deadline, whether readers have met before (`spread`) and
//   whether the first thread's slot belongs to another lock is chosen at the start: what always
//   came in the end would hide what is lost.
//
// Left out: memory orders (everything is sequentially consistent, as under the controlled
//   schedules); how a thread sleeps (`parker`); stop tokens and raised exceptions, which end a wait
//   as a deadline does (`event`, `handoff`); the claiming of rows; reading twice. Who spins is a
//   thread that comes late. A compare-and-swap with the loop around it is one step, guarded by what
//   it found. A critical section is one step if at most one of its accesses can be met by a thread
//   without the lock; a hand-over has two. Whether somebody in the queue has waited for long enough
//   to be served, each hand-over chooses.
//
// Holds: a writer is alone; nobody sleeps who could be in, and at rest the word and the slots say
//   who is in (`judge`); a writer that leaves lets in those that it held back (`kept`); a hand-over
//   leaves no reader in the queue, and takes the writer that is the longest in it; `draining`
//   implies `writer`; no node is in a list when its wait has returned; the lock may be destroyed by
//   whoever held it last, while other calls of unlock are on their way out (`destroy`).
//
// Bounds: see the cases.
//
// case: mix -DTHREADS=3
// case: one_bucket -DTHREADS=3 -DONE_BUCKET=1 -DDEADLINES=0
// case: rounds -DTHREADS=2 -DROUNDS=2
// case: change -DTHREADS=3 -DKINDS=4 -DDEADLINES=1
// case: kept -DTHREADS=3 -DKEEPS=1
// case: destroy -DTHREADS=3 -DDESTROY=1
// case: four -DTHREADS=4 -DDEADLINES=0
//
// mutant: no_second_look @mix: a reader does not look at the word again when its slot is filled
// mutant: spread_not_looked_at_again @rounds: it looks again, but only for a writer
// mutant: retreat_ignores_tag @mix: a reader that takes its slot back wakes nobody
// mutant: leaver_ignores_tag @mix: a reader that leaves its slot wakes nobody
// mutant: tag_hides_slot @mix: a reader does not know its slot again when that is tagged
// mutant: word_after_slot @destroy: a reader that has left its slot looks at the word
// mutant: reader_over_writer @mix: a reader that found no writer is added to whatever is there now
// mutant: leaver_ignores_draining @mix: the last reader of the word wakes nobody
// mutant: draining_read_late @destroy: a reader that was subtracted reads the word for `draining`
// mutant: spread_read_early @mix: whether there are slots to look at is read before `writer` is set
// mutant: count_not_awaited @mix: a writer waits for the slots only
// mutant: spread_taken_off_early @mix: a writer takes `spread` off before it looks at the slots
// mutant: tag_by_store @mix: the tag is stored, not compared and swapped
// mutant: tag_before_lock @mix: the slot is tagged before the bucket's lock is taken
// mutant: draining_not_set @mix: a writer sleeps on the count without `draining`
// mutant: draining_before_lock @mix: `draining` is set before the bucket's lock is taken
// mutant: draining_stays @kept: a writer that gives up leaves `draining` behind
// mutant: gives_up_silently @kept: a writer that gives up looks at no queue
// mutant: unlock_by_store @mix: without `queued` the word is stored, not compared and swapped
// mutant: readers_stay @mix: a hand-over to a writer leaves the readers in the queue
// mutant: writers_stay @mix: a hand-over to readers leaves no writer in the word
// mutant: writers_out_of_order @mix: a hand-over takes any writer
// mutant: queued_taken_off @mix: a hand-over takes `queued` off though writers are left
// mutant: writer_before_count @mix: the readers are counted in a second operation
// mutant: mark_after_unlock @mix: the nodes are marked when the bucket's lock was left
// mutant: not_unlinked @mix: a node that was marked stays in the list
// mutant: word_after_hand_over @destroy: the word is read when the bucket's lock was left
// mutant: no_key_compare @one_bucket: who leaves wakes all nodes of the bucket
// mutant: no_validation @mix: a node is appended without a look for the writer under the lock
// mutant: queued_not_set @mix: a node is appended without `queued`
// mutant: validated_before_queued @mix: `queued` is set by an operation that does not compare
// mutant: timeout_not_looked_at @mix: a deadline is told without a look at the node
// mutant: served_not_looked_at @mix: who was only woken takes that for the lock
// mutant: granted_goes_in @mix: a writer that was handed the lock does not wait for readers
// mutant: granted_is_late @mix: a writer that was handed the lock too late forgets it
// mutant: upgrade_over_writer @change: try_upgrade does not compare
// mutant: upgrade_ignores_slots @change: try_upgrade looks at the count only
// mutant: upgrade_ignores_count @change: try_upgrade looks at the slots only
// mutant: upgrade_keeps_share @change: who upgrades stays counted
// mutant: downgrade_in_two @change: who downgrades leaves first and is counted then

#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef KINDS
#define KINDS 2
#endif
#ifndef DEADLINES
#define DEADLINES 2  // so many kinds, the first ones, may have one
#endif
#ifndef ONE_BUCKET
#define ONE_BUCKET 0  // all keys of the lock and of the slots share a bucket; 0: no two do
#endif
#ifndef KEEPS
#define KEEPS 0  // the last thread reads and never leaves
#endif
#ifndef DESTROY
#define DESTROY 0
#endif

#define reads 0
#define writes 1
#define downgrades 2
#define upgrades 3

mtype = { nothing, shared, exclusive };
mtype = { vacant, here, tagged, elsewhere };

// The word.
bool writer;
bool queued;
bool draining;
bool spread;
byte count;

mtype slot[THREADS] = vacant;

// Keys of the parking table.
#define nowhere 0
#define queue_key 1
#define drain_key 2
#define slot_key(thread) (3 + (thread))

// Only a hand-over holds its bucket's lock for more than a step.
bool queue_locked;
#define locked(key) (queue_locked && (ONE_BUCKET || (key) == queue_key))

byte list[THREADS];  // the key at which the thread's node is
bool wants_all[THREADS];
chan writers = [THREADS] of { byte };  // those at queue_key that want all, in their order
bool signalled[THREADS];
bool served[THREADS];  // and has been given the lock; otherwise it was woken to compete
bool hint[THREADS];    // the thread's state is notified
bool serves;           // what the hand-over that has the bucket's lock does

// Ghosts.
byte readers_in;
byte writers_in;
byte to_come = THREADS * ROUNDS;  // locks that were neither left yet nor refused
bool destroyed;
bool judged;            // and found right: those who sleep may
bool waiting[THREADS];  // the node exists
byte before[THREADS];   // the writers that were at queue_key when the node was appended

#define in_slot(thread) (slot[thread] == here || slot[thread] == tagged)
#define reader_at_queue(thread) (list[thread] == queue_key && !wants_all[thread])
#define writer_at_queue(thread) (list[thread] == queue_key && wants_all[thread])

inline touch() {
  assert(!destroyed);
  assert(writer || !draining)
}

inline enter_shared() {
  readers_in++;
  assert(writers_in == 0);
  holds = shared
}

inline enter_exclusive() {
  writers_in++;
  assert(writers_in == 1 && readers_in == 0);
  holds = exclusive
}

inline leave() {
  holds = nothing;
  to_come--;
  last = (to_come == 0)
}

inline append(key) {
  waiting[me] = true;
  list[me] = key
}

inline park() {
  do
  :: atomic {
       hint[me] -> hint[me] = false;
       if
       :: signalled[me] -> break
       :: else
       fi
     }
  :: atomic { timed -> hint[me] = false; ended = true; break }
  :: judged -> goto over
  od
}

inline forget_node() {
  list[me] = nowhere;
  signalled[me] = false;
  served[me] = false;
  waiting[me] = false
}

inline mark(thread) {
  assert(waiting[thread]);
  signalled[thread] = true;
#ifndef MUTANT_not_unlinked
  list[thread] = nowhere;
#endif
  hint[thread] = true
}

// Wakes those who wait for readers to leave. They look for themselves whether all have left.
inline wake(key) {
  atomic {
    !locked(key);
    for (other : 0 .. THREADS - 1) {
      if
#ifdef MUTANT_no_key_compare
      :: list[other] != nowhere -> mark(other)
#else
      :: list[other] == key -> mark(other)
#endif
      :: else
      fi
    };
    other = 0
  }
}

inline queue() {
  atomic {
    !locked(queue_key);
    touch();
    if
#ifdef MUTANT_no_validation
    :: true ->
#else
    :: !writer -> goto again
    :: else ->
#endif
#ifdef MUTANT_validated_before_queued
       queue_locked = true
    fi
  };
  atomic {
    if
    :: true ->
       queue_locked = false;
#endif
#ifndef MUTANT_queued_not_set
       queued = true;
#endif
       append(queue_key);
       if
       :: wants_all[me] ->
          for (other : 0 .. THREADS - 1) {
            before[other] = before[other] & ~(1 << me);
            before[me] = before[me] | (writer_at_queue(other) && other != me -> 1 << other : 0)
          };
          other = 0;
          writers!me
       :: else
       fi
    fi
  };
  park();
  atomic {
    !locked(queue_key);
#ifdef MUTANT_timeout_not_looked_at
    granted = signalled[me] && served[me] && !ended;
#elif defined(MUTANT_served_not_looked_at)
    granted = signalled[me];
#else
    granted = signalled[me] && served[me];
#endif
    if
    :: writer_at_queue(me) -> writers??eval(me)
    :: else
    fi;
    before[me] = 0;
    if
    :: signalled[me] && !served[me] ->
       forget_node();
       goto again
    :: else -> forget_node()
    fi
  }
}

// On a slot or on the count, if there is still somebody.
inline sleep(key) {
  if
  :: waiting[me] ->
     park();
     atomic { !locked(key); forget_node() }
  :: else
  fi
}

inline count_queued_readers() {
  for (other : 0 .. THREADS - 1) {
    count = count + (reader_at_queue(other) -> 1 : 0)
  };
  other = 0
}

// Who gives up `writer` may not have been in.
inline account_for_release() {
  if
  :: holds == exclusive && stays -> writers_in--; enter_shared()
  :: holds == exclusive && !stays -> writers_in--; leave()
  :: else
  fi
}

inline mark_taken() {
  for (other : 0 .. THREADS - 1) {
    if
#ifdef MUTANT_readers_stay
    :: reader_at_queue(other) && len(writers) == 0 ->
#else
    :: reader_at_queue(other) ->
#endif
       served[other] = serves;
       mark(other)
    :: else
    fi
  };
  other = 0;
  if
#ifdef MUTANT_writers_stay
  :: true
#else
#ifdef MUTANT_writers_out_of_order
  :: writers?other ->
     if
     :: writers!other; writers?other
     :: true
     fi;
#else
  :: writers?other ->
#endif
     served[other] = serves;
     mark(other);
     i = 0;
     do
     :: i < THREADS ->
        assert(!(writer_at_queue(i) && (before[other] >> i & 1)));
        assert(!reader_at_queue(i));
        i++
     :: else -> break
     od;
     i = 0
  :: empty(writers)
#endif
  fi;
  other = 0;
  serves = false
}

// To those who sleep: serves them if one of them has slept for too long, or else only wakes them.
inline hand_over() {
  atomic {
    !locked(queue_key);
    queue_locked = true;
    touch();
    if
    :: serves = true
    :: true
    fi;
#if defined(MUTANT_readers_stay)
    if
    :: serves && len(writers) == 0 -> count_queued_readers()
    :: else
    fi;
#elif !defined(MUTANT_writer_before_count)
    if
    :: serves -> count_queued_readers()
    :: else
    fi;
#endif
#ifndef MUTANT_downgrade_in_two
    count = count + stays;
#endif
#if defined(MUTANT_queued_taken_off)
    queued = false;
#elif defined(MUTANT_readers_stay)
    queued = (len(writers) > 0);
#else
    queued = (len(writers) > 1);
#endif
#ifdef MUTANT_writers_stay
    writer = false;
    queued = false;
#else
    writer = serves && len(writers) > 0;
#endif
#ifndef MUTANT_draining_stays
    draining = false;
#endif
    account_for_release()
  };
#ifdef MUTANT_writer_before_count
  atomic {
    touch();
    if
    :: serves -> count_queued_readers()
    :: else
    fi
  };
#endif
#ifdef MUTANT_mark_after_unlock
  queue_locked = false;
  atomic { mark_taken() }
#else
  atomic { mark_taken(); queue_locked = false }
#endif
#ifdef MUTANT_word_after_hand_over
  ;
  touch()
#endif
}

// What unlock and downgrade do, and whoever does not want to wait any longer, or cannot upgrade.
inline give_up_writer() {
  if
  :: atomic {
       !queued -> touch();
#ifdef MUTANT_unlock_by_store
     };
     atomic {
       queued = false;
#endif
       writer = false;
#ifndef MUTANT_draining_stays
       draining = false;
#endif
#ifndef MUTANT_downgrade_in_two
       count = count + stays;
#endif
       account_for_release()
     }
  :: atomic { queued -> touch() };
     hand_over()
  fi
#ifdef MUTANT_downgrade_in_two
  ;
  count = count + stays
#endif
}

inline empty_slot() {
  was_tagged = (slot[me] == tagged);
  slot[me] = vacant
}

inline wake_who_tagged() {
  if
  :: was_tagged ->
     was_tagged = false;
     wake(slot_key(me))
  :: else
  fi
}

inline share() {
  if
  :: atomic { !writer && spread && slot[me] == vacant -> touch() };
     slot[me] = here;
     if
#if defined(MUTANT_no_second_look)
     :: atomic { true -> enter_shared() }
#elif defined(MUTANT_spread_not_looked_at_again)
     :: atomic { !writer -> touch(); enter_shared() }
#else
     :: atomic { !writer && spread -> touch(); enter_shared() }
#endif
     :: atomic { else -> touch() };
        atomic { empty_slot() };
#ifdef MUTANT_retreat_ignores_tag
        was_tagged = false;
#endif
        wake_who_tagged();
        goto again
     fi
  :: atomic {
       !writer && !(spread && slot[me] == vacant) -> touch();
#ifdef MUTANT_reader_over_writer
     };
     atomic {
#endif
       if
       :: spread = true
       :: count == 0  // but if an earlier compare-and-swap has failed
       fi;
       count++;
       enter_shared()
     }
  :: writer
  fi
}

inline unlock_shared() {
  if
#ifdef MUTANT_tag_hides_slot
  :: atomic { spread && slot[me] == here -> touch() };
#else
  :: atomic { spread && in_slot(me) -> touch() };
#endif
     atomic { empty_slot(); readers_in--; leave() };
#ifdef MUTANT_leaver_ignores_tag
     was_tagged = false;
#endif
     wake_who_tagged()
#ifdef MUTANT_word_after_slot
     ;
     touch()
#endif
  :: atomic {
       else -> touch();
       assert(count > 0);
       count--;
       readers_in--;
       leave();
#ifdef MUTANT_draining_read_late
     };
     atomic {
       touch();
#endif
       if
#ifdef MUTANT_leaver_ignores_draining
       :: true -> goto left
#else
       :: !draining || count > 0 -> goto left
       :: else
#endif
       fi
     };
     wake(drain_key)
  fi;
left:
}

// The thread is the writer, and waits for the readers that are in. `i` is the next slot to look at.
inline drain() {
  do
  :: i < THREADS && !in_slot(i) -> i++
  :: i < THREADS && in_slot(i) && !ended ->
#ifdef MUTANT_tag_before_lock
     if
     :: atomic { in_slot(i) -> slot[i] = tagged };
        atomic { !locked(slot_key(i)); append(slot_key(i)) }
     :: else
     fi;
#else
     atomic {
       !locked(slot_key(i));
       if
#ifdef MUTANT_tag_by_store
       :: true ->
#else
       :: in_slot(i) ->
#endif
          slot[i] = tagged;
          append(slot_key(i))
       :: else
       fi
     };
#endif
     sleep(slot_key(i))
  :: atomic { i == THREADS && count > 0 && !ended -> touch() };
#ifdef MUTANT_draining_before_lock
     atomic { touch(); draining = true };
     atomic { !locked(drain_key); append(drain_key) };
#else
     atomic {
       !locked(drain_key);
       touch();
       if
       :: count > 0 ->
#ifndef MUTANT_draining_not_set
          draining = true;
#endif
          append(drain_key)
       :: else
       fi
     };
#endif
     sleep(drain_key)
  :: ended && (i < THREADS && in_slot(i) || i == THREADS && count > 0) ->
#ifdef MUTANT_gives_up_silently
     atomic { touch(); writer = false; queued = false; draining = false };
#else
     gives_up = true;
#endif
     break
#ifdef MUTANT_count_not_awaited
  :: atomic {
       i == THREADS -> touch();
#else
  :: atomic {
       i == THREADS && count == 0 -> touch();
#endif
       draining = false;
       if
       :: true
       :: spread = false
       fi;
       enter_exclusive();
       break
     }
  od;
  i = 0
}

// lock() and lock_shared(): become the writer or share it, or queue for that.
inline lock() {
  if
  :: atomic { writer && !ended -> touch() };
     queue()
  :: atomic { writer && ended -> touch() }
  :: !writer && !wants_all[me] ->
     share();
     if
     :: holds == nothing -> goto again
     :: else
     fi
#ifdef MUTANT_spread_read_early
  :: atomic { !writer && wants_all[me] -> i = (spread -> 0 : THREADS) };
     atomic {
       if
       :: !writer -> writer = true
       :: else -> i = 0; goto again
       fi
     };
     drain()
#else
  :: atomic { !writer && wants_all[me] -> touch(); writer = true; granted = true }
#endif
  fi;
#ifdef MUTANT_granted_is_late
  granted = granted && !ended;
#endif
  if
  :: atomic { granted && !wants_all[me] -> granted = false; enter_shared() }
#ifdef MUTANT_granted_goes_in
  :: atomic { granted && wants_all[me] && spread -> granted = false; enter_exclusive() }
#endif
  :: atomic { granted && wants_all[me] -> touch(); granted = false };
#ifdef MUTANT_spread_taken_off_early
     spread = false;
#endif
     i = (spread -> 0 : THREADS);
     drain()
  :: else
  fi
}

inline try_upgrade() {
  if
#ifndef MUTANT_upgrade_over_writer
  :: atomic { writer -> touch() }
#endif
  :: atomic {
#ifndef MUTANT_upgrade_over_writer
       !writer ->
#endif
       touch();
       writer = true;
       i = (spread -> 0 : THREADS)
     };
     do
#ifdef MUTANT_upgrade_ignores_slots
     :: i < THREADS -> i = THREADS
#else
     :: i < THREADS && (i == me || !in_slot(i)) -> i++
#endif
     :: else -> break
     od;
     if
     :: atomic {
          i == THREADS && in_slot(me) && count == 0 -> touch();
          slot[me] = vacant;
          readers_in--;
          enter_exclusive()
        }
     :: atomic {
#ifdef MUTANT_upgrade_ignores_count
          i == THREADS && !in_slot(me) -> touch();
#else
          i == THREADS && !in_slot(me) && count == 1 -> touch();
#endif
#ifndef MUTANT_upgrade_keeps_share
          count--;
#endif
          readers_in--;
          enter_exclusive()
        }
     :: else -> gives_up = true
     fi;
     i = 0
  fi
}

proctype thread(byte me; byte kind; bool timed) {
  byte round, i, other;
  bool ended, was_tagged, granted, refused, gives_up, stays, last;
  mtype holds = nothing;
  wants_all[me] = (kind == writes || kind == downgrades);
  do
  :: round < ROUNDS ->
     round++;
     ended = false;
again:
     lock();
     refused = (holds == nothing);
     if
     :: holds == shared && kind == upgrades -> try_upgrade()
     :: else
     fi;
     if
     :: gives_up || holds == exclusive ->
        gives_up = false;
        stays = (holds == exclusive && kind == downgrades);
        give_up_writer();
        stays = false
     :: else
     fi;
     if
     :: holds == shared && KEEPS && me == THREADS - 1 -> break
     :: holds == shared && !(KEEPS && me == THREADS - 1) -> unlock_shared()
     :: refused -> leave()
     :: else
     fi
  :: else -> break
  od;
  if
  :: DESTROY && last -> destroyed = true
  :: else
  fi;
over:
}

// When nothing moves any more, who sleeps has a reason to.
proctype judge() {
  byte i, in_slots;
  bool drains;
  timeout ->
  for (i : 0 .. THREADS - 1) {
    in_slots = in_slots + (in_slot(i) -> 1 : 0);
    assert(writer || !waiting[i]);
    if
    :: list[i] == drain_key ->
       assert(draining && count > 0);
       drains = true
    :: list[i] >= slot_key(0) ->
       assert(slot[list[i] - slot_key(0)] == tagged);
       drains = true
    :: else -> assert(!signalled[i])
    fi
  };
  assert(writer == drains);
  assert(writers_in == 0 && readers_in == KEEPS && count + in_slots == KEEPS);
  judged = true
}

init {
  byte i, type, next;
  atomic {
    if
    :: true
    :: spread = true
    fi;
    if
    :: true
    :: slot[0] = elsewhere
    fi;
    // Threads are alike but for what they do: no need to give each to each.
    for (i : 0 .. THREADS - 1) {
      select (next : type .. KINDS + DEADLINES - 1);
      type = next;
      if
      :: KEEPS && i == THREADS - 1 -> run thread(i, reads, false)
      :: else -> run thread(i, (type < KINDS -> type : type - KINDS), type >= KINDS)
      fi
    };
    run judge()
  }
}
