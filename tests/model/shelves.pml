// shelves: free blocks on a stack of each CPU, changed by restartable sequences.
//
// Code: Shelves on Restartable's stacks, where the kernel has restartable sequences. The variant
//   without them is left to the controlled schedules.
//     sequence   on the CPU that the thread has read: compare it with the one it runs on, look
//                whether the shelves are closed, read the count, then
//       pop()    read the newest number, write the count
//       push()   write the number behind the newest, write the count
//                Whoever begins a sequence on a CPU breaks off the one that is under way there,
//                since its thread does not run any more; the kernel breaks off when it likes to. It
//                goes on behind, and has failed. The count is written last: with it all is done.
//     close()    count the closer, break off all sequences (restart_all()), exchange the count of
//                each stack for 0 and take the blocks below it to the list.
//     open()     count the closer no more.
//   A block that is not put goes to the list.
//
// Left out: memory orders (restart_all() is a barrier on all CPUs, and x86 keeps the rest in
//   order), the list and the permits (the controlled schedules).
//
// Holds: nobody takes a block that another has; no block is lost; who has closed the shelves and
//   cleared them finds none of them filled until it opens them; who waits for all blocks gets them
//   (`judge`).
//
// Bounds: two CPUs, to which the threads are not bound; two places on a stack, THREADS threads, the
//   first two of which have a block at first; each takes or puts ROUNDS times. With COLLECTOR
//   somebody closes, clears and opens; with WAITER, and opens when all blocks are in the list.
//
// case: alone -DTHREADS=3 -DROUNDS=1 -DCOLLECTOR=0 -DWAITER=0
// case: rounds -DTHREADS=2 -DROUNDS=3 -DCOLLECTOR=0 -DWAITER=0
// case: collected -DTHREADS=2 -DROUNDS=2 -DCOLLECTOR=1 -DWAITER=0
// case: awaited -DTHREADS=2 -DROUNDS=1 -DCOLLECTOR=1 -DWAITER=1
// case: awaited_by_one -DTHREADS=3 -DROUNDS=1 -DCOLLECTOR=0 -DWAITER=1
// case: full -DTHREADS=3 -DROUNDS=1 -DCOLLECTOR=0 -DWAITER=0 -DPLACES=1
//
// mutant: cpu_not_compared @alone: a sequence works on the stack of the CPU that the thread was on
// mutant: not_broken_off @alone: a sequence goes on though another has begun on its CPU
// mutant: count_before_number @alone: push() writes the count first
// mutant: number_after_count @alone: pop() reads the number when it has written the count
// mutant: full_not_looked_at @full: push() writes behind the last place
// mutant: closed_not_looked_at @awaited: a sequence does not look whether the shelves are closed
// mutant: restart_left_out @awaited: sequences that have looked before are not broken off
// mutant: restarted_before_closed @awaited: they are broken off before the closer is counted
// mutant: cleared_without_closing @collected: the closer is not counted
// mutant: cleared_by_store @awaited: the count is read, and stored later
// mutant: closed_by_store @awaited: closers are not counted: whoever opens, opens for all
// mutant: opened_before_cleared @collected: the shelves are cleared when they are open again
// mutant: one_is_not_cleared @awaited: the stack of one CPU is not cleared

#ifndef PLACES
#define PLACES 2
#endif
#define CPUS 2
#define BLOCKS 2
#define all 6  // a bit for each block, 1 and 2

byte count[CPUS];
byte numbers[CPUS * (PLACES + 1)];
byte closers;
byte under_way[CPUS];  // the thread, from 1 on, whose sequence it is

// Ghosts.
byte held;  // by threads
byte list;
bool waits = WAITER;

#define bit(block) (1 << (block))
#define place(at) numbers[cpu * (PLACES + 1) + (at)]

#ifdef MUTANT_not_broken_off
#define goes_on true
#else
#define goes_on (under_way[on] == me)
#endif

// `cpu` is what the thread has read; by now it is on `on`. What the kernel breaks off without need
// it breaks off at the look, or before the last step: elsewhere it makes no difference.
inline begin_sequence() {
  atomic {
    if
    :: on = 0
    :: on = 1
    fi;
    if
    :: cpu = on
    :: cpu = 1 - on
    fi;
    under_way[on] = me;
#ifndef MUTANT_cpu_not_compared
    if
    :: cpu != on -> goto broken_off
    :: else
    fi
#endif
  };
  if
#ifdef MUTANT_closed_not_looked_at
  :: goes_on
#else
  :: goes_on && closers == 0
#endif
  :: true -> goto broken_off
  fi;
  if
  :: atomic { goes_on -> n = count[cpu] }
  :: !goes_on -> goto broken_off
  fi
}

inline end_sequence() {
  on = 0;
  cpu = 0;
  n = 0
}

inline get() {
  assert(block == 1 || block == 2);
  assert(!(held & bit(block)) && !(list & bit(block)));
  held = held | bit(block)
}

proctype thread(byte me; byte first) {
  byte block = first;
  byte cpu, on, n, round, number;
  do
  :: round < ROUNDS ->
     round++;
     begin_sequence();
     if
     :: block == 0 && n > 0 ->
#ifdef MUTANT_number_after_count
        if
        :: atomic { goes_on -> count[cpu] = n - 1; under_way[on] = 0 }
        :: true -> goto broken_off
        fi;
        atomic { block = place(n - 1); get(); end_sequence() }
#else
        if
        :: atomic { goes_on -> number = place(n - 1) }
        :: !goes_on -> goto broken_off
        fi;
        if
        :: atomic {
             goes_on ->
             count[cpu] = n - 1;
             under_way[on] = 0;
             block = number;
             number = 0;
             get();
             end_sequence()
           }
        :: true -> goto broken_off
        fi
#endif
#ifdef MUTANT_full_not_looked_at
     :: block != 0 && n <= PLACES ->
#else
     :: block != 0 && n < PLACES ->
#endif
#ifdef MUTANT_count_before_number
        if
        :: atomic { goes_on -> count[cpu] = n + 1 }
        :: !goes_on -> goto broken_off
        fi;
#else
        if
        :: atomic { goes_on -> place(n) = block }
        :: !goes_on -> goto broken_off
        fi;
#endif
        if
        :: atomic {
             goes_on ->
#ifdef MUTANT_count_before_number
             place(n) = block;
#else
             count[cpu] = n + 1;
#endif
             under_way[on] = 0;
             held = held & ~bit(block);
             block = 0;
             end_sequence()
           }
        :: true -> goto broken_off
        fi
     :: else -> goto broken_off
     fi;
     goto done;
broken_off:
     atomic {
       if
       :: under_way[on] == me -> under_way[on] = 0
       :: else
       fi;
       number = 0;
       end_sequence();
       if
       :: block != 0 ->
          held = held & ~bit(block);
          list = list | bit(block);
          block = 0
       :: else
       fi
     };
done:
     skip
  :: else -> break
  od;
  // What it has taken goes to who waits.
  atomic {
    held = held & ~bit(block);
    list = list | (block != 0 -> bit(block) : 0)
  }
}

inline restart_all() {
  atomic {
    under_way[0] = 0;
    under_way[1] = 0
  }
}

inline close() {
#ifdef MUTANT_restarted_before_closed
  restart_all();
#endif
#if defined(MUTANT_closed_by_store)
  closers = 1;
#elif !defined(MUTANT_cleared_without_closing)
  closers++;
#endif
#if !defined(MUTANT_restart_left_out) && !defined(MUTANT_restarted_before_closed)
  restart_all();
#endif
}

inline open() {
#if defined(MUTANT_closed_by_store)
  closers = 0
#elif !defined(MUTANT_cleared_without_closing)
  closers--
#else
  skip
#endif
}

inline clear() {
  do
#ifdef MUTANT_one_is_not_cleared
  :: cpu < CPUS - 1 ->
#else
  :: cpu < CPUS ->
#endif
#ifdef MUTANT_cleared_by_store
     n = count[cpu];
     count[cpu] = 0;
#else
     atomic { n = count[cpu]; count[cpu] = 0 };
#endif
     do
     :: n > 0 ->
        atomic {
          n--;
          block = place(n);
          assert(block == 1 || block == 2);
          assert(!(held & bit(block)) && !(list & bit(block)));
          list = list | bit(block);
          block = 0
        }
     :: n == 0 -> break
     od;
     cpu++
  :: else -> break
  od;
  cpu = 0
}

// As a thread that finds too few blocks does.
proctype collector() {
  byte cpu, n, block;
  close();
#ifdef MUTANT_opened_before_cleared
  open();
  clear()
#else
  clear();
  atomic {
    assert(closers == 0 || (count[0] == 0 && count[1] == 0));
    open()
  }
#endif
}

proctype waiter() {
  byte cpu, n, block;
  close();
  clear();
  atomic { list == all -> waits = false };
  assert(count[0] == 0 && count[1] == 0);
  open()
}

// When nothing moves any more.
proctype judge() {
  byte cpu, n, block, found;
  timeout ->
  d_step {
    assert(!waits);
    assert(held == 0 && closers == 0);
    found = list;
    for (cpu : 0 .. CPUS - 1) {
      assert(count[cpu] <= PLACES);
      for (n : 0 .. PLACES - 1) {
        if
        :: n < count[cpu] ->
           block = place(n);
           assert(block != 0 && !(found & bit(block)));
           found = found | bit(block)
        :: else
        fi
      }
    };
    assert(found == all)
  }
}

init {
  byte i;
  atomic {
    held = all;
    for (i : 1 .. THREADS) {
      run thread(i, (i <= BLOCKS -> i : 0))
    };
    if
    :: COLLECTOR -> run collector()
    :: !COLLECTOR
    fi;
    if
    :: WAITER -> run waiter()
    :: !WAITER
    fi;
    run judge()
  }
}
