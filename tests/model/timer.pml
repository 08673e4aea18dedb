// timer: a timer is called when it is due, unless it is cancelled, or its executor ends before.
//
// Code: TimerState and TimerQueue, in one shard. What is done under the shard's lock is one step.
//     the ring        takes the timer, when it is due, out of the wheel: it is queued, but in no
//                     list. Then it is put into the list of the active ones, unless it was
//                     cancelled meanwhile or the executor drops it, and after that into the pool.
//                     If there is no room in the pool it goes back into the wheel.
//     a worker        calls what is still queued, and puts a timer that repeats into the wheel
//                     again. A timer that is over is a shell: the worker gives up a reference.
//     a user          of the handle cancels it, waits, reschedules it or stops its call.
//     the executor    is closed: what lies in the wheel is over. A drop also ends what is queued,
//                     and stops what runs. When nothing is alive any more the queue may be another's.
//   Who makes the timer over ends the callable, tells who waits, and counts it out. Handle and core
//   have a reference each; who finds it in a list takes one more.
//
// Left out: memory orders, the links of the lists, the order of those that are due, the calendar,
//   whom a deadline wakes (controlled schedules, `watch`).
//
// Holds: exactly one of call, cancel and abandonment happens to a timer that is called once, and
//   whoever cancels learns which. No call begins after a cancel that won, or after a drop. The
//   callable ends once, and never while it is called. The memory is freed once, after its last use.
//   What is alive comes to 0 once; after that the queue is not used. Who waits finds that the call
//   has ended, and waits for ever for nothing.
//
// Bounds: one timer, TIMES calls.
//
// case: once -DUSERS=2 -DCANCEL=1 -DWAIT=1 -DFAILS=1
// case: repeated -DUSERS=1 -DTIMES=2 -DWORKERS=2 -DCANCEL=1 -DWAIT=1 -DRESCHEDULE=1
// case: closed -DUSERS=1 -DCANCEL=1 -DRESCHEDULE=1 -DCLOSERS=2
// case: closed_repeated -DUSERS=1 -DTIMES=2 -DCANCEL=1 -DCLOSERS=1
// case: dropped -DUSERS=1 -DCANCEL=1 -DCLOSERS=1 -DDROP=1 -DLASTS=1 -DFAILS=1
// case: stopped -DUSERS=1 -DSTOP=1 -DLASTS=1
// case: inside -DUSERS=0 -DTIMES=2 -DINSIDE=1
//
// mutant: cancelled_without_the_lock @once: who cancels has looked at the status before
// mutant: called_without_a_look @once: a worker calls a shell
// mutant: shell_has_no_reference @once: who cancels a queued timer gives up the worker's reference
// mutant: listed_without_a_look @once: cancelled while it was in no list, and put into one
// mutant: listed_in_the_pool @once: it is put into the pool first, and then into the list
// mutant: over_before_its_end @once: who waits is told before the callable has ended
// mutant: cancel_of_the_last_wins @repeated: who cancels during the last call is told that it won
// mutant: rescheduled_uncounted @closed: who tells of a new deadline does not count as alive
// mutant: counted_out_first @closed: it is counted out before its callable ends
// mutant: last_read_after_the_lock @closed: whether nothing is alive is looked at later
// mutant: ended_by_each_closer @closed: two closers count as the one that has closed
// mutant: repeats_though_closed @closed_repeated: a worker puts it into a wheel that was swept
// mutant: clock_read_for_a_shell @closed_repeated: a worker asks the queue for the time in any case
// mutant: handed_over_to_be_dropped @dropped: the ring does not look whether the executor drops
// mutant: taken_without_a_reference @dropped: the drop ends a timer that the worker frees
// mutant: stopped_without_a_reference @dropped: the drop stops a call that ends
// mutant: stop_is_forgotten @stopped: a call forgets the stop when it has begun
// mutant: waits_for_itself @inside: in its own call it is waited for

// unreached: ring "-end-": timers may come for ever
// unreached: closer "ended = 1": a shard is not the last, for its closers count too
// unreached: worker "-end-": and so may what is to be called

#ifndef TIMES
#define TIMES 1
#endif
#ifndef WORKERS
#define WORKERS 1
#endif
#ifndef CANCEL
#define CANCEL 0  // what users may do
#endif
#ifndef WAIT
#define WAIT 0  // until it is over, after the cancel
#endif
#ifndef RESCHEDULE
#define RESCHEDULE 0
#endif
#ifndef STOP
#define STOP 0
#endif
#ifndef INSIDE
#define INSIDE 0  // the call cancels its timer, and waits
#endif
#ifndef LASTS
#define LASTS 0  // a call lasts until it is stopped
#endif
#ifndef FAILS
#define FAILS 0  // so many times there is no room in the pool
#endif
#ifndef CLOSERS
#define CLOSERS 0  // of the executor, at the same time; the last of them destroys it
#endif
#ifndef DROP
#define DROP 0
#endif

mtype = { pending, queued, running, over };
mtype status = pending;
bool cancelled, rescheduled, stop;
bool wheel = true;
bool listed;
bool pool;  // whether a worker comes across it
byte references = 1 + (USERS > 0);
byte runs;
bool told;  // over_
byte alive = 1;
bool closed, closed_beside;  // the shard, and one without timers
byte open_shards = 3;
bool dropping, ended;

// Ghosts.
bool comes;  // its time
byte may_fail = FAILS;
byte users = USERS;
byte closers = CLOSERS;
byte calls, wins, abandoned;
bool executing, callable_ended, freed, dropped, retired;

#define repeats (TIMES > 1)
#define more_calls (!cancelled && runs + (status == running) < TIMES)

inline use() { assert(!freed) }
inline use_queue() { assert(!retired) }

inline free() {
  assert(!freed && callable_ended && status == over && !wheel && !listed);
  freed = true
}

inline release() {
  atomic { use(); alone = (references == 1) };
  if
  :: atomic { alone -> free(); references = 0; alone = false }
  :: atomic {
       !alone ->
       references--;
       if
       :: references == 0 -> free()
       :: else
       fi
     }
  fi
}

inline shard_ended() {
  atomic {
    use_queue();
    open_shards--;
    if
    :: open_shards == 0 ->
       assert(alive == 0 && !ended);
       ended = true
    :: else
    fi
  }
}

inline count_out() {
#ifdef MUTANT_last_read_after_the_lock
  alive--;
  last = (alive == 0 && closed);
#else
  atomic { alive--; last = (alive == 0 && closed) };
#endif
  if
  :: last -> last = false; shard_ended()
  :: !last
  fi
}

inline end_callable() {
  atomic {
    use();
    assert(!callable_ended && !executing);
    callable_ended = true
  }
}

inline finish() {
#ifdef MUTANT_counted_out_first
  count_out();
#endif
#ifdef MUTANT_over_before_its_end
  told = true;
#endif
  end_callable();
#ifndef MUTANT_over_before_its_end
  atomic { use(); told = true };
#endif
#ifndef MUTANT_counted_out_first
  count_out()
#endif
}

// Under the lock. Whether it is the first of its shard is up to the others.
inline put_in() {
  status = pending;
  wheel = true;
  if
  :: first = true;
#ifndef MUTANT_rescheduled_uncounted
     alive++
#endif
  :: first = false
  fi
}

inline tell_and_count_out() {
  if
  :: first ->
     first = false;
     use_queue();
#ifndef MUTANT_rescheduled_uncounted
     count_out()
#endif
  :: !first
  fi
}

inline win() {
  won = true;
  wins++;
  assert(wins == 1)
}

inline cancel() {
#ifdef MUTANT_cancelled_without_the_lock
  atomic { use(); seen = status };
#else
#define seen status
#endif
  atomic {
    use();
    if
    :: seen == over || cancelled
#ifdef MUTANT_cancel_of_the_last_wins
    :: seen == running && !cancelled -> cancelled = true; win()
#else
    :: seen == running && !cancelled && !more_calls
    :: seen == running && more_calls -> cancelled = true; win()
#endif
    :: seen == pending ->
       was_pending = true;
       ends = true;
       wheel = false;
       status = over;
       win()
    :: seen == queued ->
       ends = true;
       listed = false;
       status = over;
       win()
    fi;
    assert(won || wins + calls + abandoned > 0)
  };
  if
  :: ends ->
     ends = false;
     finish();
     // The caller has another one.
     if
     :: was_pending -> was_pending = false; references--
#ifdef MUTANT_shell_has_no_reference
     :: !was_pending -> references--
#else
     :: !was_pending
#endif
     fi
  :: !ends
  fi
}

inline reschedule() {
  atomic {
    use();
    if
    :: status == pending -> put_in()
    :: status == running && more_calls -> rescheduled = true
    :: else
    fi
  };
  tell_and_count_out()
}

inline request_stop() {
  atomic {
    use();
    if
    :: status == running -> stop = true
    :: else
    fi
  };
  // Who waits in the call is looked for.
  use()
}

proctype user() {
  bool alone, last, first, won, was_pending, ends;
#ifdef MUTANT_cancelled_without_the_lock
  mtype seen;
#endif
  if
  :: CANCEL ->
     cancel();
     if
     :: WAIT ->
        told;
        atomic { use(); assert(callable_ended && !executing && status == over) }
     :: else
     fi
  :: RESCHEDULE -> reschedule()
  :: STOP ->
     executing || !comes;
     request_stop()
  :: !STOP
  fi;
  // The handle goes when nobody uses it any more.
  if
  :: atomic { users > 1 -> users-- }
  :: atomic { users == 1 -> users-- };
     release()
  fi
}

proctype ring() {
  bool alone, last, first, pushes, drops, fails;
end_not_due:
  do
  :: atomic {
       comes && wheel ->
       use();
       wheel = false;
       status = queued;
       if
       :: true
       :: repeats -> comes = false  // once only
       fi
     };
     atomic {
       use();
       if
#ifdef MUTANT_listed_without_a_look
       :: status == over -> pushes = true; listed = true
#else
       :: status == over
#endif
#ifndef MUTANT_handed_over_to_be_dropped
       :: status == queued && dropping ->
          drops = true;
          status = over;
          abandoned++
#endif
#ifdef MUTANT_handed_over_to_be_dropped
       :: status == queued ->
#else
       :: status == queued && !dropping ->
#endif
          pushes = true;
#ifdef MUTANT_listed_in_the_pool
          pool = true
#else
          listed = true
#endif
       fi
     };
     if
     :: pushes ->
        pushes = false;
#ifdef MUTANT_listed_in_the_pool
        atomic { use(); listed = true }
#else
        if
        :: use(); pool = true
        :: atomic { may_fail > 0 -> may_fail--; fails = true };
           atomic {
             use();
             if
             :: status == queued ->
                listed = false;
                fails = false;
                comes = true;
                put_in()
             :: else
             fi
           };
           if
           :: fails -> fails = false; release()
           :: !fails -> tell_and_count_out()
           fi
        fi
#endif
     :: drops ->
        drops = false;
        finish();
        release()
     :: !pushes && !drops -> release()
     fi
  od
}

inline call() {
  if
  :: INSIDE ->
     atomic { use(); assert(more_calls); cancelled = true; wins++ };
#ifdef MUTANT_waits_for_itself
     told
#endif
  :: LASTS -> stop
  :: else
  fi
}

inline begin_call() {
  assert(wins == 0 && !dropped && !executing && !callable_ended);
  use_queue();
  status = running;
#ifndef MUTANT_stop_is_forgotten
  stop = false;
#endif
  calls++;
  executing = true;
  runs_here = true
}

proctype worker() {
  bool alone, last, first, runs_here, was_over, goes_on;
end_idle:
  do
  :: atomic { pool -> pool = false };
     atomic {
       use();
       if
#ifdef MUTANT_called_without_a_look
       :: true -> begin_call()
#else
       :: status == queued -> begin_call()
       :: status == queued && dropping  // and so may the pool
       :: status == over
#endif
       fi
     };
     if
     :: runs_here ->
#ifdef MUTANT_stop_is_forgotten
        stop = false;
#endif
        call();
        executing = false
     :: !runs_here
     fi;
#ifdef MUTANT_clock_read_for_a_shell
     use_queue();
#else
     if
     :: runs_here && repeats -> use_queue()
     :: else
     fi;
#endif
     atomic {
       use();
       if
       :: status == over -> was_over = true
       :: status == queued ->
          listed = false;
          status = over;
          abandoned++
       :: status == running ->
          listed = false;
          runs++;
          status = over;
          goes_on = more_calls;
          if
#ifdef MUTANT_repeats_though_closed
          :: goes_on ->
#else
          :: goes_on && closed ->
             goes_on = false;
             abandoned++
          :: goes_on && !closed ->
#endif
             rescheduled = false;
             put_in()
          :: else
          fi
       fi;
       runs_here = false
     };
     if
     :: goes_on ->
        goes_on = false;
        tell_and_count_out()
     :: else ->
        if
        :: was_over -> was_over = false
        :: else -> finish()
        fi;
        release()
     fi
  od
}

inline sweep() {
  atomic {
    if
    :: wheel ->
       use();
       wheel = false;
       status = over;
       abandoned++;
       ends = true
    :: else
    fi
  };
  if
  :: ends -> ends = false; finish(); release()
  :: !ends
  fi
}

inline drop() {
  dropping = true;
  atomic {
    if
    :: listed && status == queued ->
       use();
#ifndef MUTANT_taken_without_a_reference
       references++;
#endif
       listed = false;
       status = over;
       abandoned++;
       ends = true
    :: else
    fi
  };
  if
  :: ends ->
     ends = false;
     finish();
#ifndef MUTANT_taken_without_a_reference
     release()
#endif
  :: !ends
  fi;
  dropped = true;
  do
  :: atomic {
       listed && status == running && !stop ->
       use();
#ifndef MUTANT_stopped_without_a_reference
       references++
#endif
     };
     request_stop();
#ifndef MUTANT_stopped_without_a_reference
     release()
#endif
  :: atomic { !listed || status != running || stop -> break }
  od
}

proctype closer() {
  bool alone, last, was_open, ends, found;
  atomic {
    if
    :: !closed ->
       closed = true;
       was_open = true;
       found = (alive == 0)
    :: else
    fi
  };
  if
  :: found ->
     found = false;
     shard_ended()
  :: !found
  fi;
  atomic {
    if
    :: !closed_beside ->
       closed_beside = true;
#ifdef MUTANT_ended_by_each_closer
       was_open = true;
#endif
       found = true
    :: else
    fi
  };
  if
  :: found ->
     found = false;
     shard_ended()
  :: !found
  fi;
  sweep();
  if
  :: was_open -> shard_ended()
  :: !was_open
  fi;
  if
  :: DROP -> drop()
  :: else
  fi;
  ended;
  if
  :: atomic { closers > 1 -> closers-- }
  :: atomic {
       closers == 1 ->
       closers--;
       assert(callable_ended && status == over && !executing);
       retired = true
     }
  fi
}

// When nothing moves any more.
proctype judge() {
  timeout ->
  assert(users == 0 && closers == 0 && !executing && !pool);
  assert(freed == (status == over) && freed == callable_ended && freed == (references == 0));
  assert(alive == !freed && ended == (CLOSERS > 0));
  assert(status == over || (status == pending && !comes && wheel && references == 1));
  assert(repeats || wins + calls + abandoned == freed);
  assert(wins == 0 || calls < TIMES);
  assert(wins + abandoned > 0 || calls == TIMES || !freed)
}

init {
  byte i;
  atomic {
    if
    :: comes = true
    :: comes = false
    fi;
    run ring();
    for (i : 1 .. WORKERS) { run worker() };
    i = 0;
    do
    :: i < USERS -> run user(); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < CLOSERS -> run closer(); i++
    :: else -> break
    od;
    run judge()
  }
}
