// lead: which of several waiting threads polls for all of them.
//
// Code: LeadMember::take and resign (src/service/lead.cpp), in the order in which WaitLoop calls
//   them (src/service/wait_loop.cpp), and FileEvents::dispatch (src/service/file_events.cpp).
//   Each `member` waits once: it watches for its change, looks, takes its hint and its news, takes
//   the lead or follows, and blocks. The leader is woken by what is queued too, and tells whom it
//   concerns. The changes come in any order. Chosen at the start for each but the last member:
//   whether its change comes, or none and it leaves (a stop or a deadline) or stays, and whether
//   the look at its change lasts until the last member has found its own.
//
// Left out: memory orders, locks (a section under a lock is one step) and how a hint wakes a thread
//   (`parker`, and the controlled schedules, which have the code itself), forks.
//
// Holds: at most one leads; who has left is not told anything; nobody sleeps through its change
//   while another leads, leaves, or is busy with a look (`judge`).
//
// Bounds: MEMBERS members, each with one change.
//
// case: two -DMEMBERS=2
// case: three -DMEMBERS=3
//
// mutant: leave_passes_nothing @two: who leaves tells nobody
// mutant: resign_passes_nothing @two: who looks tells nobody
// mutant: only_the_leader_passes @three: a follower that was told and does not lead tells nobody
// mutant: heir_is_oneself @three: who resigns may tell itself
// mutant: heir_is_busy @three: any member may be told, not only one that follows
// mutant: heir_told_late @two: the heir is told when the lock has been left
// mutant: follower_stays @two: a follower that leaves stays in the list
// mutant: leader_follows_too @three: who takes the lead stays in the list
// mutant: lead_is_kept @two: who resigns does not end the lead
// mutant: take_does_not_lead @two: the next one may take the lead as well
// mutant: nobody_follows @two: who finds another leading is not put into the list
// mutant: hint_taken_late @two: the hint is taken after the lead was asked for
// mutant: news_taken_late @two: news of the last moment are cleared with the hint
// mutant: looks_before_it_watches @two: a change between the two is not queued

#define none MEMBERS
#define LAST (MEMBERS - 1)
#define bit(i) (1 << (i))

chan followers = [MEMBERS] of { byte };  // in the order in which they began to
bool led;
bool given[MEMBERS];
bool news[MEMBERS];
bool watches[MEMBERS];
bool changed[MEMBERS];
byte queued;  // a bit for each watch

bool will_change[MEMBERS], will_leave[MEMBERS];
byte busy_until[MEMBERS];  // whose change it awaits in its look

// Ghosts.
byte leaders;
bool found[MEMBERS + 1];
bool gone[MEMBERS];

inline tell(who) {
  assert(!gone[who]);
  given[who] = true
}

inline watch() {
  watches[me] = true
}

// A look lasts: what it awaits, comes.
inline look() {
  if
  :: changed[me] ->
     (busy_until[me] == none || found[busy_until[me]]);
     found[me] = true;
     goto leave
  :: else
  fi
}

inline take() {
  atomic {
    if
    :: leads
    :: !leads && led ->
#ifndef MUTANT_nobody_follows
       if
       :: !follows -> followers!me
       :: follows
       fi;
#endif
       follows = true
    :: !leads && !led ->
#ifndef MUTANT_leader_follows_too
       if
       :: follows -> followers??eval(me)
       :: !follows
       fi;
#endif
       follows = false;
       leads = true;
       leaders++;
       assert(leaders == 1);
#ifndef MUTANT_take_does_not_lead
       led = true
#endif
    fi
  }
}

inline resign(leaves) {
  atomic {
    if
    :: leads || follows ->
#ifdef MUTANT_heir_is_oneself
       if
       :: followers?[heir] -> followers?<heir>
       :: else
       fi;
#endif
       if
       :: leads ->
          leaders--;
          leads = false;
#ifdef MUTANT_only_the_leader_passes
          passes = true;
#endif
#ifndef MUTANT_lead_is_kept
          led = false
#endif
       :: follows ->
#ifdef MUTANT_follower_stays
          if
          :: leaves
          :: !leaves -> followers??eval(me)
          fi;
#elif !defined(MUTANT_nobody_follows)
          followers??eval(me);
#endif
          follows = false
       fi;
#ifdef MUTANT_heir_is_busy
       i = 0;
       do
       :: i < MEMBERS && heir == none ->
          if
          :: watches[i] && i != me -> heir = i
          :: else
          fi;
          i++
       :: else -> break
       od;
       i = 0;
#elif !defined(MUTANT_heir_is_oneself)
       if
       :: nempty(followers) -> followers?<heir>
       :: empty(followers)
       fi;
#endif
#if defined(MUTANT_leave_passes_nothing)
       passes = !leaves;
#elif defined(MUTANT_resign_passes_nothing)
       passes = leaves;
#elif !defined(MUTANT_only_the_leader_passes)
       passes = true;
#endif
       if
       :: led || !passes -> heir = none
       :: else
       fi;
       passes = false
    :: else
    fi;
#ifdef MUTANT_heir_told_late
  };
  atomic {
#endif
    if
    :: heir != none -> tell(heir)
    :: else
    fi;
    heir = none;
    gone[me] = leaves
  }
}

inline dispatch() {
  atomic {
    for (i : 0 .. MEMBERS - 1) {
      if
      :: (queued & bit(i)) && watches[i] ->
         news[i] = true;
         tell(i)
      :: else
      fi
    };
    queued = 0;
    i = 0
  }
}

proctype member(byte me) {
  bool leads, follows, passes;
  byte heir = none, i;
#ifdef MUTANT_looks_before_it_watches
  look();
  watch();
  goto again;
#else
  watch();
#endif
  do
  :: resign(false);
     look();
again:
#ifndef MUTANT_hint_taken_late
     given[me] = false;
#endif
     if
     :: atomic { news[me] -> news[me] = false }
     :: !news[me] ->
        take();
#ifdef MUTANT_hint_taken_late
        given[me] = false;
#endif
end_blocked:
        if
        :: given[me]
        :: leads && queued != 0 -> dispatch()
        :: will_leave[me] -> goto leave
        fi;
#ifdef MUTANT_news_taken_late
        news[me] = false;
#endif
        goto again
     fi
  od;
leave:
  atomic { watches[me] = false; queued = queued & ~bit(me) };
  resign(true)
}

proctype changer(byte whose) {
  changed[whose] = true;
  atomic {
    if
    :: watches[whose] -> queued = queued | bit(whose)
    :: !watches[whose]
    fi
  }
}

// When nothing moves any more.
proctype judge() {
  byte i;
  timeout ->
  for (i : 0 .. MEMBERS - 1) {
    assert(gone[i] || (!changed[i] && !will_leave[i]))
  }
}

init {
  byte i;
  atomic {
    for (i : 0 .. MEMBERS - 1) {
      busy_until[i] = none;
      if
      :: i == LAST -> will_change[i] = true
      :: i < LAST -> will_change[i] = true
      :: i < LAST -> will_change[i] = true; busy_until[i] = LAST
      :: i < LAST -> will_leave[i] = true
      :: i < LAST  // it stays
      fi
    };
    for (i : 0 .. MEMBERS - 1) {
      run member(i);
      if
      :: will_change[i] -> run changer(i)
      :: else
      fi
    };
    run judge()
  }
}
