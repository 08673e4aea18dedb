// roster: the workers of a pool sleep when there is no work, and are woken when there is.
//
// Code: Roster, and how Worker and ThreadPool use it. Jobs are in a shared queue or in the workers'
//   own ones (`shared`, `own`); who takes from the shared one moves the rest to its own.
//     who adds work     makes it visible, then looks at the counts: if nobody searches and one more
//                       may be awake, it takes the lock, looks again, takes a sleeper off the list,
//                       counts it as awake and searching, and gives it a hint. Without a sleeper it
//                       starts a worker; if that is refused, a sleeper that has come since is called.
//     a worker          searches; when it has found something it is not searching any more, and if
//                       it was the last one it looks whether there is more, as who adds work. When
//                       it has found nothing it lies down, and then looks once more.
//     a sleeper         is awake when it is not on the list any more, whatever its hint says. After
//                       a dismissal it looks once more, and leaves.
//     who leaves        while awake looks as who adds work.
//     a job that waits  for another counts as blocked; then its worker looks as who adds work.
//
// Left out: memory orders, the links of the list and whom of it a call takes (it may be anybody),
//   the Event beneath the hint (`event`).
//
// Holds: no job waits while a worker sleeps or may be started that may be awake: the last MEET jobs
//   wait for each other, and so each needs a worker. When nothing moves any more all jobs are done,
//   and the counts are right (`judge`). No more are awake than may be, but for jobs that return from
//   a wait. Nobody is called while another who was called searches. No fewer stay than shall.
//
// Bounds: see the cases. JOBS come from one producer, in bursts of up to BURST.
//
// case: asleep -DWORKERS=2 -DLIMIT=2 -DSTAY=2 -DOTHERS=1 -DMEET=2
// case: busy -DWORKERS=2 -DLIMIT=2 -DSTAY=2 -DJOBS=3 -DBURST=2 -DMEET=2
// case: three -DWORKERS=3 -DLIMIT=3 -DSTAY=3 -DJOBS=3 -DBURST=3 -DMEET=2
// case: one -DWORKERS=1 -DLIMIT=1 -DSTAY=1 -DJOBS=2 -DOTHERS=1 -DMOST=1
// case: grow -DWORKERS=0 -DLIMIT=2 -DSTAY=0 -DOTHERS=1 -DMEET=2
// case: idle -DWORKERS=2 -DLIMIT=2 -DSTAY=1 -DJOBS=2 -DMEET=2
// case: blocked -DWORKERS=1 -DLIMIT=1 -DSTAY=1 -DJOBS=2 -DNESTED=1
// case: blocked_beside -DWORKERS=2 -DLIMIT=1 -DSTAY=2 -DJOBS=2 -DNESTED=1
// case: raised -DWORKERS=2 -DLIMIT=1 -DSTAY=2 -DJOBS=2 -DMEET=2 -DRESIZE=1
// case: raised_to_grow -DWORKERS=1 -DLIMIT=1 -DSTAY=1 -DJOBS=2 -DMEET=2 -DRESIZE=1
// case: lowered -DWORKERS=2 -DLIMIT=2 -DSTAY=2 -DJOBS=3 -DRESIZE=1
// case: refused -DWORKERS=1 -DLIMIT=2 -DSTAY=1 -DJOBS=2 -DOTHERS=1 -DFAILS=1
// case: exits -DWORKERS=1 -DLIMIT=1 -DSTAY=0 -DJOBS=2 -DEXITS=1
// case: dismissed -DWORKERS=2 -DLIMIT=2 -DSTAY=2 -DNESTED=1 -DMEET=2 -DDISMISS=1
//
// mutant: counts_before_work @one: who adds work looks at the counts first
// mutant: no_look_after_lying_down @one: a worker sleeps without a last look
// mutant: last_searcher_is_silent @asleep: the last who searched does not look for more
// mutant: search_ended_in_two_steps @three: whether it was the last is read before it ends
// mutant: moved_after_the_search @busy: the rest becomes visible after the search has ended
// mutant: moved_silently @busy: who moves the rest, and does not search, looks at no counts
// mutant: called_without_a_look @asleep: the counts are not looked at again under the lock
// mutant: called_is_not_searching @asleep: who is called is not counted as searching
// mutant: called_stays_listed @asleep: who is called stays on the list
// mutant: hint_cleared_after_the_lock @one: a sleeper clears its hint after it has left the lock
// mutant: no_look_at_the_list @one: a sleeper sleeps without a look at the list
// mutant: hint_is_a_call @raised: a sleeper that has a hint takes itself for called
// mutant: gets_up_beyond_the_limit @lowered: a sleeper that sees work gets up in any case
// mutant: gets_up_twice @one: a sleeper that was called counts itself again
// mutant: leaves_though_called @idle: its time is over, and it leaves without a look at the list
// mutant: too_many_leave @idle: whether it is one too many is not looked at again
// mutant: blocks_silently @blocked: a job that waits does not look whether there is work
// mutant: raised_silently @raised: who raises the limit does not look whether there is work
// mutant: refused_stays_counted @refused: a worker that is not started stays counted
// mutant: refused_silently @refused: who has relied on a worker that is not started is forgotten
// mutant: leaves_silently @exits: a worker that leaves while awake does not look whether there is work
// mutant: dismissed_though_called @dismissed: who is called before the dismissal counts itself again
// mutant: dismissed_without_a_look @dismissed: a sleeper leaves at the dismissal without a look
// mutant: dismissed_for_good @dismissed: after the dismissal no worker is started
//
// unreached: worker "found = 1": at the dismissal; who has work of its own is awake
// unreached: worker "-end-": workers do not end, they are not started
// unreached: starter "-end-": it starts whom it is to start, for ever

#ifndef JOBS
#define JOBS 1
#endif
#ifndef OTHERS
#define OTHERS 0  // of another producer: one, or none
#endif
#ifndef BURST
#define BURST 1
#endif
#ifndef MOST
#define MOST 2  // who may search at the same time, unless they were called
#endif
#ifndef MEET
#define MEET 0
#endif
#ifndef NESTED
#define NESTED 0  // the first job pushes another; without MEET it waits until all others are done
#endif
#ifndef RESIZE
#define RESIZE 0  // the limit becomes 2 if it was 1, or 1 if it was 2
#endif
#ifndef FAILS
#define FAILS 0  // so many times a worker may be refused
#endif
#ifndef EXITS
#define EXITS 0  // the first job ends its thread
#endif
#ifndef DISMISS
#define DISMISS 0
#endif

#define THREADS 3
#define nobody THREADS
#define all_jobs (JOBS + OTHERS + NESTED)

byte shared;
byte own;
bool locked;
byte awake, searching;
byte asleep = WORKERS;
byte blocked;
byte limit = LIMIT;
bool dismissed;
bool listed[THREADS];
bool hint[THREADS];

// Ghosts.
bool exists[THREADS];
bool started[THREADS];
bool idles[THREADS];  // its time may pass
bool called[THREADS];  // and its search has not ended
bool starting;  // counts as called
byte begun, done;  // jobs
bool to_nest = NESTED;
byte may_fail = FAILS;
bool to_exit = EXITS;
byte to_push = JOBS + OTHERS;

#define one_more (searching == 0 && awake < limit)
#define threads (awake + asleep + blocked)

inline choose() {
  if
  :: listed[0] -> chosen = 0
  :: listed[1] -> chosen = 1
  :: listed[2] -> chosen = 2
  :: else -> chosen = nobody
  fi
}

inline count_called() {
  assert(!called[0] && !called[1] && !called[2] && !starting);
  awake++;
#ifndef MUTANT_called_is_not_searching
  searching++;
#endif
  assert(awake <= limit)
}

inline call_worker() {
  atomic {
    !locked -> locked = true;
#ifdef MUTANT_called_without_a_look
    may_call = true
#else
    may_call = one_more
#endif
  };
  if
  :: !may_call -> locked = false
  :: may_call ->
     atomic {
       choose();
       if
#ifdef MUTANT_dismissed_for_good
       :: chosen == nobody && dismissed -> may_call = false
       :: chosen == nobody && !dismissed ->
#else
       :: chosen == nobody ->
#endif
          count_called();
          starting = true
       :: chosen != nobody ->
          count_called();
          called[chosen] = true;
          asleep--;
#ifndef MUTANT_called_stays_listed
          listed[chosen] = false
#endif
       fi;
       locked = false
     };
     if
     :: chosen != nobody -> hint[chosen] = true
     :: else
     fi
  fi;
  chosen = 0;
  may_call = false
}

inline work_added() {
  if
  :: one_more -> call_worker()
  :: !one_more
  fi
}

// Whether there is work to be seen: one queue after the other.
inline look() {
  if
  :: own > 0 -> found = true
  :: own == 0 ->
     if
     :: shared > 0 -> found = true
     :: shared == 0 -> found = false
     fi
  fi
}

inline look_for_more() {
  look();
  if
  :: found -> work_added()
  :: !found
  fi;
  found = false
}

inline take() {
  if
  :: atomic { own > 0 -> own--; found = true }
  :: own == 0 ->
     if
     :: atomic {
          shared > 0 ->
          rest = shared - 1;
          shared = 0;
          found = true
        }
     :: shared == 0 -> found = false
     fi
  fi
}

inline move_rest() {
  atomic { own = own + rest; moved = (rest > 0); rest = 0 }
}

inline end_searching() {
#ifdef MUTANT_search_ended_in_two_steps
  last = (searching == 1);
#endif
  atomic {
#ifndef MUTANT_search_ended_in_two_steps
    last = (searching == 1);
#endif
    searching--;
    is_searching = false;
    called[me] = false
  }
}

inline block() {
  atomic { !locked -> awake--; blocked++ };
#ifndef MUTANT_blocks_silently
  look_for_more()
#endif
}

inline unblock() {
  atomic { !locked -> blocked--; awake++ }
}

inline run_job() {
  atomic { begun++; lasts = (begun + MEET > all_jobs) };
  if
  :: atomic { to_nest -> to_nest = false } ->
     own++;
     work_added();
     if
     :: MEET == 0 ->
        block();
        done == all_jobs - 1;
        unblock()
     :: else
     fi
  :: else
  fi;
  // The last of them wait for each other.
  if
  :: lasts ->
     begun == all_jobs;
     lasts = false
  :: !lasts
  fi;
  done++
}

inline leaves() {
  exists[me] = false;
  // They are dropped when nobody is left.
  assert(!dismissed || threads > 0 || shared + own == 0)
}

// While awake.
inline leave() {
  atomic {
    !locked ->
    awake--;
    leaves()
  };
#ifndef MUTANT_leaves_silently
  look_for_more()
#endif
}

inline lie_down() {
  atomic {
    !locked ->
    listed[me] = true;
    asleep++;
    awake--;
    searching = searching - is_searching;
    is_searching = false;
    called[me] = false
  }
}

inline get_up() {
  atomic {
    !locked ->
    if
#ifndef MUTANT_gets_up_twice
    :: !listed[me] -> is_searching = true
#endif
#ifdef MUTANT_gets_up_beyond_the_limit
    :: listed[me] ->
#else
    :: listed[me] && awake >= limit
    :: else ->
#endif
       listed[me] = false;
       asleep--;
       awake++;
       searching++;
       is_searching = true;
       assert(awake <= limit)
    fi
  }
}

// Ends with `is_searching`, `left` or, while awake, `dismissal`.
inline sleep() {
  do
  :: atomic {
       !locked ->
       if
#ifdef MUTANT_no_look_at_the_list
       :: !listed[me] && turned -> is_searching = true
#else
       :: !listed[me] -> is_searching = true
#endif
#ifdef MUTANT_dismissed_though_called
       :: dismissed && awake < limit ->
#else
       :: listed[me] && dismissed && awake < limit ->
#endif
          listed[me] = false;
          asleep--;
          awake++;
          dismissal = true
#if defined(MUTANT_leaves_though_called)
       :: idled && threads > STAY ->
#elif defined(MUTANT_too_many_leave)
       :: listed[me] && idled ->
#else
       :: listed[me] && (dismissed -> awake >= limit : idled && threads > STAY) ->
#endif
          listed[me] = false;
          asleep--;
          assert(dismissed || threads >= STAY);
          leaves();
          left = true
       :: else ->
#if !defined(MUTANT_hint_cleared_after_the_lock)
          hint[me] = false;
#endif
#ifdef MUTANT_no_look_at_the_list
          turned = true;
#endif
          may_leave = (threads > STAY)
       fi
     };
     if
     :: is_searching || left || dismissal -> break
     :: else
     fi;
#ifdef MUTANT_hint_cleared_after_the_lock
     hint[me] = false;
#endif
end_sleep:
     if
     :: hint[me] -> idled = false
#ifdef MUTANT_hint_is_a_call
        ; is_searching = true; break
#endif
     :: idles[me] && may_leave -> idled = true
     fi
  od;
#ifdef MUTANT_no_look_at_the_list
  turned = false;
#endif
  idled = false;
  may_leave = false
}

proctype worker(byte me) {
  byte chosen, rest;
  bool may_call, found, moved, last, is_searching, idled, may_leave, left, dismissal, lasts;
#ifdef MUTANT_no_look_at_the_list
  bool turned;
#endif
  if
  :: me < WORKERS -> goto sleeps
  :: else
  fi;
end_not_started:
  atomic { started[me] -> started[me] = false; is_searching = true };
search:
  take();
  if
  :: found ->
     found = false;
#ifndef MUTANT_moved_after_the_search
     move_rest();
#endif
     if
     :: is_searching ->
        end_searching();
        if
#ifndef MUTANT_last_searcher_is_silent
        :: last -> look_for_more()
#endif
        :: else
        fi
     :: !is_searching && moved ->
#ifndef MUTANT_moved_silently
        work_added()
#endif
     :: !is_searching && !moved
     fi;
     last = false;
     moved = false;
#ifdef MUTANT_moved_after_the_search
     move_rest();
#endif
     run_job();
     if
     :: atomic { to_exit -> to_exit = false } ->
        leave();
        goto end_not_started
     :: else
     fi;
     if
     :: awake > limit ->
        atomic {
          !locked ->
          if
          :: awake > limit ->
             listed[me] = true;
             asleep++;
             awake--;
             goto sleeps
          :: else
          fi
        }
     :: else
     fi;
     goto search
  :: !found && !is_searching ->
     if
     :: atomic { searching < MOST -> searching++; is_searching = true };
        goto search
     :: searching >= MOST
     fi
  :: !found && is_searching
  fi;
  lie_down();
#ifndef MUTANT_no_look_after_lying_down
  look();
  if
  :: found ->
     found = false;
     get_up();
     if
     :: is_searching -> goto search
     :: else
     fi
  :: !found
  fi;
#endif
sleeps:
  sleep();
  if
  :: is_searching -> goto search
  :: left ->
     left = false;
     goto end_not_started
  :: dismissal ->
     dismissal = false;
#ifndef MUTANT_dismissed_without_a_look
     look();
#endif
     if
     :: found ->
        found = false;
        goto search
     :: !found ->
        leave();
        goto end_not_started
     fi
  fi
}

proctype producer(byte left) {
  byte chosen, burst;
  bool may_call;
  do
  :: left > 0 ->
     burst = 0;
#ifdef MUTANT_counts_before_work
     may_call = one_more;
#endif
     do
     :: left > 0 && burst < BURST ->
        atomic { shared++; to_push-- };
        left--;
        burst++
     :: burst > 0 -> break
     od;
#ifdef MUTANT_counts_before_work
     if
     :: may_call -> call_worker()
     :: else
     fi
#else
     work_added()
#endif
  :: else -> break
  od
}

// Who calls starts it itself, and waits for that: this lets more happen meanwhile.
proctype starter() {
  byte chosen;
end_no_start:
  do
  :: atomic {
       starting ->
       starting = false;
       if
       :: !exists[0] -> chosen = 0
       :: !exists[1] -> chosen = 1
       :: !exists[2] -> chosen = 2
       fi;
       exists[chosen] = true;
       called[chosen] = true;
       started[chosen] = true
     }
  :: atomic {
       starting && may_fail > 0 && !locked ->
       starting = false;
       may_fail--;
#ifdef MUTANT_refused_silently
       chosen = nobody;
#else
       choose();
#endif
       if
       :: chosen == nobody ->
#ifndef MUTANT_refused_stays_counted
          awake--;
          searching--
#endif
       :: else ->
          listed[chosen] = false;
          called[chosen] = true;
          asleep--
       fi
     };
     if
     :: chosen != nobody -> hint[chosen] = true
     :: else
     fi
  od
}

inline hint_all() {
  for (i : 0 .. THREADS - 1) {
    hint[i] = hint[i] || listed[i]
  }
}

proctype resizer() {
  byte chosen, i;
  bool may_call, found;
  atomic {
    !locked ->
    limit = 3 - limit;
    hint_all()
  };
#ifndef MUTANT_raised_silently
  look_for_more()
#endif
}

proctype dismisser() {
  byte i;
  to_push == 0;
  atomic {
    !locked ->
    dismissed = true;
    hint_all()
  }
}

// When nothing moves any more.
proctype judge() {
  byte i, sleepers;
  timeout ->
  assert(!locked && awake == 0 && searching == 0 && blocked == 0);
  for (i : 0 .. THREADS - 1) {
    sleepers = sleepers + listed[i];
    assert(listed[i] == exists[i])
  };
  assert(asleep == sleepers);
  assert(done == all_jobs);
  assert(!dismissed || asleep == 0)
}

init {
  byte i;
  atomic {
    for (i : 0 .. THREADS - 1) {
      exists[i] = (i < WORKERS);
      listed[i] = exists[i];
      if
      :: true
      :: STAY < WORKERS || STAY == 0 -> idles[i] = true
      fi;
      run worker(i)
    };
    run starter();
    run producer(JOBS);
    if
    :: OTHERS -> run producer(1)
    :: else
    fi;
    if
    :: RESIZE -> run resizer()
    :: else
    fi;
    if
    :: DISMISS -> run dismisser()
    :: else
    fi;
    run judge()
  }
}
