# The tunings and the mutants; vary.cmake says what they are.

# --- tunings ---------------------------------------------------------------------------------------

# A setter leaves the lock after every thread it wakes.
rouse_vary(src/wait/parking_table.cpp
  [=[batch_size = 32]=]
  [=[batch_size = 1]=])
# Spinning comes to its end within a schedule.
rouse_vary(src/wait/control_block.cpp
  [=[constexpr int spins = 200;]=]
  [=[constexpr int spins = 3;]=])
rouse_vary(include/rouse/detail/lock.hpp
  [=[spins_ = 30;]=]
  [=[spins_ = 1;]=])

# Two rows of one slot, so that threads lack one and locks meet in one. Two writers that look at the
# slots in vain take `spread` off.
rouse_vary(src/sync/reader_slots.hpp
  [=[columns_ = 8;]=]
  [=[columns_ = 1;]=])
rouse_vary(src/sync/reader_slots.hpp
  [=[    return (address(lock) * std::uint64_t{0x9E3779B97F4A7C15}) >> 61;]=]
  [=[    return address(lock) & 0;]=])
rouse_vary(src/sync/reader_slots.hpp
  [=[row_words_ = 4;]=]
  [=[row_words_ = 1;]=])
rouse_vary(src/sync/reader_slots.cpp
  [=[while (~claimed != 0) {]=]
  [=[while ((~claimed & 3) != 0) {]=])
rouse_vary(src/sync/rw_lock.cpp
  [=[searches_per_spread = 32;]=]
  [=[searches_per_spread = 2;]=])
rouse_vary(src/sync/rw_lock.cpp
  [=[rounds_ = 2;]=]
  [=[rounds_ = 0;]=])
rouse_vary(src/sync/rw_lock.cpp
  [=[yields_ = 32;]=]
  [=[yields_ = 1;]=])
# A thread of the system is many modelled ones, each of which gives its row back.
rouse_vary(src/sync/reader_slots.hpp
  [=[  static void give_back() noexcept;]=]
  [=[ public:
  static void give_back() noexcept;

 private:]=])
rouse_vary(src/sync/reader_slots.cpp
  [=[void ReaderSlots::give_back() noexcept {]=]
  [=[void ReaderSlots::give_back() noexcept {
  if (row_ == nullptr) return;]=])

# A ring that is soon full, and soon gone around.
rouse_vary(src/exec/work_deque.hpp
  [=[capacity = 256;]=]
  [=[capacity = 2;]=])

# Two shelves with two places, and batches that two threads have use for.
rouse_vary(src/resource/restartable.hpp
  [=[places = 31;]=]
  [=[places = 2;]=])
rouse_vary(src/resource/shelves.cpp
  [=[::sysconf(_SC_NPROCESSORS_CONF)]=]
  [=[2L]=])
rouse_vary(src/resource/block_store.cpp
  [=[batch = 16;]=]
  [=[batch = 2;]=])
rouse_vary(src/resource/block_store.cpp
  [=[plenty = 4 * batch;]=]
  [=[plenty = batch;]=])
rouse_vary(src/resource/block_store.cpp
  [=[longest_pop = 64;]=]
  [=[longest_pop = 2;]=])
# Memory of the heap is there sooner.
rouse_vary(src/resource/block_store.cpp
  [=[::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);]=]
  [=[std::calloc(1, bytes);
  if (memory == nullptr) std::abort();]=])
rouse_vary(src/resource/block_store.cpp
  [=[  ::munmap(mapped_, mapped_size_);
  ::munmap(links, links_size_);]=]
  [=[  std::free(mapped_);
  std::free(links);]=])
# Links begin as zeros, of which the scheduler knows nothing.
rouse_vary(src/resource/block_store.cpp
  [=[  store.list_.reset(store.links);]=]
  [=[  for (std::size_t i = 0; i <= most; ++i) std::construct_at(store.links + i);
  store.list_.reset(store.links);]=])
# What the last to use a store unmaps and the next pool writes stands for all that is no atomic.
rouse_vary(src/resource/block_store.hpp
  [=[#include "wait/permits.hpp"]=]
  [=[#include "model/schedule/explorer.hpp"
#include "wait/permits.hpp"]=])
rouse_vary(src/resource/block_store.hpp
  [=[  std::byte* mapped_ = nullptr;]=]
  [=[  test::model::Plain<int> pool_{0, "a pool's data"};
  std::byte* mapped_ = nullptr;]=])
rouse_vary(src/resource/block_store.cpp
  [=[  if (zero_on_release_ || checks_blocks) wipe(chain);]=]
  [=[  (void)pool_.read();
  if (zero_on_release_ || checks_blocks) wipe(chain);]=])
rouse_vary(src/resource/block_store.cpp
  [=[  store.mapped_ = memory;]=]
  [=[  if (test::model::Scheduler::self() < 0) std::construct_at(&store.pool_, 0, "a pool's data");
  store.pool_.write(0);
  store.mapped_ = memory;]=])
rouse_vary(src/resource/block_store.cpp
  [=[  const std::uint32_t all = max_blocks_ + 1;]=]
  [=[  (void)pool_.read();
  const std::uint32_t all = max_blocks_ + 1;]=])
rouse_vary(src/resource/block_store.cpp
  [=[  unpoison(begin,]=]
  [=[  pool_.write(0);
  unpoison(begin,]=])

# The operations of stop tokens are the standard library's: a switch may come before them too.
rouse_vary(src/wait/blocking.cpp
  [=[  return (ambient_ != nullptr && ambient_->stop_requested()) ||]=]
  [=[  test::model::point();
  return (ambient_ != nullptr && ambient_->stop_requested()) ||]=])
rouse_vary(src/wait/blocking.cpp
  [=[void Blocking::arm() {]=]
  [=[void Blocking::arm() {
  test::model::point();]=])
rouse_vary(src/wait/stop_scope.cpp
  [=[  // Also whoever did not decide:]=]
  [=[  test::model::point();
  // Also whoever did not decide:]=])

# --- the lock --------------------------------------------------------------------------------------

rouse_mutant(lock unlock_wakes_nobody include/rouse/detail/lock.hpp
  [=[if (word_.exchange(free_, std::memory_order_release) == contended_) {]=]
  [=[if (word_.exchange(free_, std::memory_order_release) == contended_ &&
        !test::model::mutant("unlock_wakes_nobody")) {]=])
rouse_mutant(lock waiter_is_not_marked include/rouse/detail/lock.hpp
  [=[while (word_.exchange(contended_, std::memory_order_acquire) != free_) {]=]
  [=[while (word_.exchange(test::model::mutant("waiter_is_not_marked") ? held_ : contended_,
                          std::memory_order_acquire) != free_) {]=])

# --- the parked thread -----------------------------------------------------------------------------

rouse_mutant(parker parks_without_a_look src/wait/control_block.cpp
  [=[  if (state.compare_exchange_strong(expected, parked, std::memory_order_relaxed)) {]=]
  [=[  const bool blind = test::model::mutant("parks_without_a_look");
  if (blind) state.store(parked, std::memory_order_relaxed);
  if (blind || state.compare_exchange_strong(expected, parked, std::memory_order_relaxed)) {]=])
rouse_mutant(parker hint_before_the_news src/wait/control_block.cpp
  [=[std::exception_ptr exception, const Addressee* to) noexcept {]=]
  [=[std::exception_ptr exception, const Addressee* to) noexcept {
  if (test::model::mutant("hint_before_the_news")) notify();]=])
rouse_vary(src/wait/control_block.cpp
  [=[  notify();
  return true;]=]
  [=[  if (!test::model::mutant("hint_before_the_news")) notify();
  return true;]=])
rouse_mutant(parker second_raise_wins src/wait/control_block.cpp
  [=[    const bool pending = raised_exception != nullptr;]=]
  [=[    const bool pending =
        raised_exception != nullptr && !test::model::mutant("second_raise_wins");]=])
rouse_mutant(parker pool_without_lock src/wait/control_block.cpp
  [=[    LockGuard guard(pool.lock);
    if (ControlBlock* block = pool.free) {]=]
  [=[    Lock another;
    const bool wrong = test::model::mutant("pool_without_lock");
    LockGuard guard(wrong ? another : pool.lock);
    if (ControlBlock* block = pool.free) {
      if (wrong) os::cpu_relax();]=])

# --- descriptors -----------------------------------------------------------------------------------

rouse_mutant(fd poller_is_not_posted_to src/wait/control_block.cpp
  [=[      return Wake::event_fd;]=]
  [=[      return test::model::mutant("poller_is_not_posted_to") ? Wake::nothing : Wake::event_fd;]=])
rouse_mutant(fd event_fd_is_not_drained src/wait/control_block.cpp
  [=[        os::event_fd_drain(fds[count].fd);]=]
  [=[        if (!test::model::mutant("event_fd_is_not_drained")) os::event_fd_drain(fds[count].fd);]=])
rouse_mutant(fd polls_without_a_look src/wait/control_block.cpp
  [=[    if (!state.compare_exchange_strong(expected, polling, std::memory_order_release,
                                       std::memory_order_relaxed)) {]=]
  [=[    if (test::model::mutant("polls_without_a_look")) {
      state.store(polling, std::memory_order_release);
    } else if (!state.compare_exchange_strong(expected, polling, std::memory_order_release,
                                              std::memory_order_relaxed)) {]=])
rouse_mutant(fd event_fd_after_polling src/wait/control_block.cpp
  [=[    ensure_event_fd();
    // Release:]=]
  [=[    if (!test::model::mutant("event_fd_after_polling")) ensure_event_fd();
    // Release:]=])
rouse_vary(src/wait/control_block.cpp
  [=[    fds[count] = {event_fd.load]=]
  [=[    if (test::model::mutant("event_fd_after_polling")) ensure_event_fd();
    fds[count] = {event_fd.load]=])
rouse_mutant(fd ready_after_the_end_is_lost src/wait/fd.cpp
  [=[if (blocking.poll(polled_, count, block, hint != nullptr) > 0 || hinted()) break;]=]
  [=[if (!(ended && test::model::mutant("ready_after_the_end_is_lost")) &&
        (blocking.poll(polled_, count, block, hint != nullptr) > 0 || hinted())) break;]=])

# --- hints -----------------------------------------------------------------------------------------

rouse_mutant(wait_hint hint_after_the_exchange src/wait/wait_hint.cpp
  [=[  given_.exchange(true, std::memory_order_release);]=]
  [=[  const bool late = test::model::mutant("hint_after_the_exchange");
  if (!late) given_.exchange(true, std::memory_order_release);]=])
rouse_vary(src/wait/wait_hint.cpp
  [=[  return wake;]=]
  [=[  if (late) given_.exchange(true, std::memory_order_release);
  return wake;]=])
rouse_mutant(wait_hint hint_is_stored src/wait/wait_hint.cpp
  [=[  if (!late) given_]=]
  [=[  if (test::model::mutant("hint_is_stored")) given_.store(true, std::memory_order_release);
  else if (!late) given_]=])
rouse_mutant(wait_hint sleeper_is_not_looked_for src/wait/wait_hint.cpp
  [=[static_cast<std::uint8_t>(wake.thread_->exchange_notified());]=]
  [=[test::model::mutant("sleeper_is_not_looked_for")
                   ? std::uint8_t{0}
                   : static_cast<std::uint8_t>(wake.thread_->exchange_notified());]=])
rouse_mutant(wait_hint wake_is_forgotten src/wait/wait_hint.cpp
  [=[  thread_->wake(]=]
  [=[  if (!test::model::mutant("wake_is_forgotten")) thread_->wake(]=])
rouse_mutant(wait_hint looked_at_before_the_first_park_only src/wait/wait_hint.cpp
  [=[      blocking.park();]=]
  [=[      blocking.park();
      if (test::model::mutant("looked_at_before_the_first_park_only")) {
        while (!blocking.ended()) blocking.park();
      }]=])
rouse_mutant(wait_hint ended_before_given src/wait/wait_hint.cpp
  [=[    while (!given_.load(std::memory_order_relaxed)) {]=]
  [=[    while (!given_.load(std::memory_order_relaxed) ||
           (test::model::mutant("ended_before_given") && blocking.ended())) {]=])
rouse_mutant(wait_hint polls_without_hints src/wait/blocking.cpp
  [=[const bool hear_hints = may_be_hinted ||]=]
  [=[const bool hear_hints = (may_be_hinted && !test::model::mutant("polls_without_hints")) ||]=])
rouse_mutant(wait_hint polled_hint_is_not_looked_at src/wait/fd.cpp
  [=[return hint != nullptr && hint->load(std::memory_order_relaxed); };]=]
  [=[
    return hint != nullptr && !test::model::mutant("polled_hint_is_not_looked_at") &&
           hint->load(std::memory_order_relaxed);
  };]=])
rouse_mutant(wait_hint hint_hides_the_descriptor src/wait/fd.cpp
  [=[    callers_[i].revents = polled_[i].revents;]=]
  [=[    if (!hinted() || !test::model::mutant("hint_hides_the_descriptor")) {
      callers_[i].revents = polled_[i].revents;
    }]=])

# --- events ----------------------------------------------------------------------------------------

rouse_mutant(event word_changed_after_the_lock src/wait/parking_table.hpp
  [=[    wake(key, [&](Waiters& waiters) {
      update();
      waiters.take_all();
    });]=]
  [=[    const bool late = test::model::mutant("word_changed_after_the_lock");
    wake(key, [&](Waiters& waiters) {
      if (!late) update();
      waiters.take_all();
    });
    if (late) update();]=])
rouse_mutant(event node_marked_after_the_lock src/wait/parking_table.cpp
  [=[  node.signalled.store(true, std::memory_order_relaxed);
  link_before(taken_, node);]=]
  [=[  if (!test::model::mutant("node_marked_after_the_lock"))
    node.signalled.store(true, std::memory_order_relaxed);
  link_before(taken_, node);]=])
rouse_vary(src/wait/parking_table.cpp
  [=[    Due batch[batch_size];]=]
  [=[    Due batch[batch_size];
    WaitNode* late[batch_size] = {};]=])
rouse_vary(src/wait/parking_table.cpp
  [=[      due = {node.waker, ControlBlock::Wake::nothing};]=]
  [=[      due = {node.waker, ControlBlock::Wake::nothing};
      if (test::model::mutant("node_marked_after_the_lock")) late[count] = &node;]=])
rouse_vary(src/wait/parking_table.cpp
  [=[    bucket.lock.unlock();
    for (std::size_t i = 0; i < count; ++i) {]=]
  [=[    bucket.lock.unlock();
    for (WaitNode* node : late) {
      if (node != nullptr) node->signalled.store(true, std::memory_order_relaxed);
    }
    for (std::size_t i = 0; i < count; ++i) {]=])
rouse_mutant(event no_validation src/wait/parking_table.hpp
  [=[if (!validate()) return false;]=]
  [=[if (const bool valid = validate(); !valid && !test::model::mutant("no_validation")) return false;]=])
rouse_mutant(event no_look_after_a_timeout src/wait/event.cpp
  [=[    if (ParkingTable::dequeue(nodes[i]).signalled) {]=]
  [=[    const bool signalled = ParkingTable::dequeue(nodes[i]).signalled;
    if (signalled && !(test::model::mutant("no_look_after_a_timeout") && blocking.ended()) &&
        !(test::model::mutant("outcome_from_the_flag") && !flag)) {]=])
rouse_mutant(event outcome_from_the_flag src/wait/event.cpp
  [=[  // A hint, a stop or a time-out ended the loop:]=]
  [=[  const bool flag = any_signalled(nodes.first(enqueued));
  // A hint, a stop or a time-out ended the loop:]=])
rouse_mutant(event outcome_from_the_hint src/wait/event.cpp
  [=[      blocking.park();
    } while]=]
  [=[      blocking.park();
      if (test::model::mutant("outcome_from_the_hint") && !blocking.ended()) {
        ready = true;
        index = 0;
        break;
      }
    } while]=])
rouse_mutant(event callback_ends_with_the_first_turn src/wait/blocking.hpp
  [=[    thread_.park(deadline_, may_spin, site_);]=]
  [=[    thread_.park(deadline_, may_spin, site_);
    if (test::model::mutant("callback_ends_with_the_first_turn")) {
      callback_.reset();
      callback_ended_ = true;
    }]=])
rouse_vary(src/wait/blocking.hpp
  [=[  const bool foreign_;]=]
  [=[  bool callback_ended_ = false;
  const bool foreign_;]=])
rouse_vary(src/wait/blocking.cpp
  [=[  if (foreign_ && !callback_) callback_]=]
  [=[  if (foreign_ && !callback_ && !callback_ended_) callback_]=])
rouse_mutant(event wakes_the_whole_bucket src/wait/parking_table.cpp
  [=[ && node->key != key_) node]=]
  [=[ && node->key != key_ && !test::model::mutant("wakes_the_whole_bucket")) node]=])
rouse_vary(src/wait/parking_table.hpp
  [=[      taken_.next = taken_.prev = &taken_;]=]
  [=[      taken_.next = taken_.prev = &taken_;
      taken_.key = key_;]=])
rouse_mutant(event bucket_scanned_again src/wait/parking_table.cpp
  [=[    bucket.lock.lock();
  }
}]=]
  [=[    bucket.lock.lock();
    if (test::model::mutant("bucket_scanned_again")) {
      for (WaitNode* node = bucket.head.next; node != &bucket.head;) {
        WaitNode* const next = node->next;
        if (node->key == taken.key) {
          unlink(*node);
          node->signalled.store(true, std::memory_order_relaxed);
          link_before(taken, *node);
        }
        node = next;
      }
    }
  }
}]=])
rouse_mutant(event node_is_left_behind src/wait/parking_table.cpp
  [=[  if (linked) unlink(node);]=]
  [=[  if (linked && !test::model::mutant("node_is_left_behind")) unlink(node);]=])
rouse_mutant(event set_touches_before_it_locks include/rouse/wait/event.hpp
  [=[    while (seen != waited_word_) {]=]
  [=[    if (test::model::mutant("set_touches_before_it_locks")) {
      if (word_.exchange(set_word_, std::memory_order_release) == waited_word_) set_and_wake();
      return;
    }
    while (seen != waited_word_) {]=])
rouse_mutant(event clear_forgets_the_waiters include/rouse/wait/event.hpp
  [=[    std::uint32_t seen = set_word_;
    word_.compare_exchange_strong(]=]
  [=[    std::uint32_t seen = set_word_;
    if (test::model::mutant("clear_forgets_the_waiters")) seen = word_.exchange(
        unset_word_, std::memory_order_acquire);
    word_.compare_exchange_strong(]=])
rouse_mutant(event waiter_does_not_mark src/wait/event.cpp
  [=[      if (seen == Event::set_word_) return false;]=]
  [=[      if (seen == Event::set_word_) return false;
      if (test::model::mutant("waiter_does_not_mark")) return true;]=])
rouse_mutant(wait_any first_node_decides src/wait/event.cpp
  [=[  for (std::size_t i = enqueued; i-- > 0;) {]=]
  [=[  if (test::model::mutant("first_node_decides")) {
    for (std::size_t i = enqueued; i-- > 1;) ParkingTable::dequeue(nodes[i]);
    enqueued = std::min<std::size_t>(enqueued, 1);
  }
  for (std::size_t i = enqueued; i-- > 0;) {]=])
rouse_mutant(wait_any other_nodes_stay src/wait/event.cpp
  [=[      ready = true;
      index = i;]=]
  [=[      ready = true;
      index = i;
      if (test::model::mutant("other_nodes_stay")) break;]=])

# --- watches ---------------------------------------------------------------------------------------

rouse_mutant(event_watch called_under_the_lock src/wait/parking_table.cpp
  [=[      if (node.waker.function == nullptr) {]=]
  [=[      if (node.waker.function != nullptr && test::model::mutant("called_under_the_lock")) {
        node.waker.function(node.waker.context);
        continue;
      }
      if (node.waker.function == nullptr) {]=])
rouse_mutant(event_watch touched_after_the_call src/wait/event_watch.cpp
  [=[  self.function_(self.context_);]=]
  [=[  self.function_(self.context_);
  if (test::model::mutant("touched_after_the_call"))
    self.node().signalled.store(false, std::memory_order_relaxed);]=])
rouse_mutant(event_watch signalled_is_called src/wait/event_watch.cpp
  [=[  return !ParkingTable::dequeue(node()).call_due && !called_;]=]
  [=[  const auto left = ParkingTable::dequeue(node());
  if (test::model::mutant("signalled_is_called")) return !left.signalled;
  return !left.call_due && !called_;]=])
rouse_mutant(event_watch taken_back_though_called src/wait/parking_table.cpp
  [=[          .call_due = !linked && !inherited && node.waker.function != nullptr};]=]
  [=[          .call_due = !linked && !inherited && node.waker.function != nullptr &&
                      !test::model::mutant("taken_back_though_called")};]=])
rouse_mutant(event_watch called_stays src/wait/event_watch.cpp
  [=[  called_ = false;]=]
  [=[  if (!test::model::mutant("called_stays")) called_ = false;]=])
# --- permits ---------------------------------------------------------------------------------------

rouse_mutant(permits tried_past_the_waiting src/wait/permits.hpp
  [=[    while ((seen & (waited_ | closed_)) == 0 && seen >= n) {]=]
  [=[    if (test::model::mutant("tried_past_the_waiting")) {
      while ((seen & ~waited_) >= n && (seen & closed_) == 0) {
        if (word_.compare_exchange_weak(seen, seen - n, std::memory_order_acquire,
                                        std::memory_order_relaxed))
          return true;
      }
    }
    while ((seen & (waited_ | closed_)) == 0 && seen >= n) {]=])
rouse_mutant(permits acquired_past_the_waiting src/wait/permits.cpp
  [=[      const bool enough = !others &&]=]
  [=[      const bool enough = (!others || test::model::mutant("acquired_past_the_waiting")) &&]=])
rouse_vary(src/wait/permits.cpp
  [=[enough ? (seen & ~waited_) - n :]=]
  [=[enough ? ((seen & ~waited_) - n) | (others ? waited_ : 0) :]=])
rouse_mutant(permits served_past_the_first src/wait/permits.cpp
  [=[    if (wanted > free) break;]=]
  [=[    if (wanted > free && test::model::mutant("served_past_the_first")) {
      skipped = true;
      node = waiters.after(*node);
      continue;
    }
    if (wanted > free) break;]=])
rouse_vary(src/wait/permits.cpp
  [=[  std::uint32_t change = returned;]=]
  [=[  bool skipped = false;
  std::uint32_t change = returned;]=])
rouse_mutant(permits released_past_the_waiting src/wait/permits.hpp
  [=[    while ((seen & waited_) == 0) {]=]
  [=[    while ((seen & waited_) == 0 || test::model::mutant("released_past_the_waiting")) {]=])
rouse_mutant(permits released_by_store src/wait/permits.hpp
  [=[      if (word_.compare_exchange_weak(seen, seen + n, std::memory_order_release,]=]
  [=[      if (test::model::mutant("released_by_store")) {
        word_.store(seen + n, std::memory_order_release);
        return free_of(seen + n);
      }
      if (word_.compare_exchange_weak(seen, seen + n, std::memory_order_release,]=])
rouse_mutant(permits queues_without_a_look src/wait/permits.cpp
  [=[ (seen & ~waited_) >= n;]=]
  [=[ (seen & ~waited_) >= n && !test::model::mutant("queues_without_a_look");]=])
rouse_mutant(permits queues_unknown src/wait/permits.cpp
  [=[: seen | waited_;]=]
  [=[: seen | (test::model::mutant("queues_unknown") ? 0 : waited_);]=])
rouse_mutant(permits queues_though_closed src/wait/permits.cpp
  [=[      closed = (seen & closed_) != 0;]=]
  [=[      closed = (seen & closed_) != 0 && !test::model::mutant("queues_though_closed");]=])
rouse_mutant(permits served_but_not_counted src/wait/permits.cpp
  [=[    change -= wanted;]=]
  [=[    if (!test::model::mutant("served_but_not_counted")) change -= wanted;]=])
rouse_mutant(permits waited_stays src/wait/permits.cpp
  [=[  if (node == nullptr) change -=]=]
  [=[  if (node == nullptr && !skipped && !test::model::mutant("waited_stays")) change -=]=])
rouse_mutant(permits word_is_stored src/wait/permits.cpp
  [=[  return free_of(word_.fetch_add(]=]
  [=[  if (test::model::mutant("word_is_stored")) {
    word_.store(seen + change, std::memory_order_release);
    return free_of(seen + change);
  }
  if (test::model::mutant("word_changed_after_the_lock")) {
    late = change;
    return 0;
  }
  return free_of(word_.fetch_add(]=])
rouse_mutant(permits word_changed_after_the_lock src/wait/permits.cpp
  [=[{ free = serve(waiters, n); });]=]
  [=[{ free = serve(waiters, n); });
  if (test::model::mutant("word_changed_after_the_lock"))
    word_.fetch_add(late, std::memory_order_release);]=])
rouse_vary(src/wait/permits.cpp
  [=[struct Waiting : WaitNode {]=]
  [=[thread_local std::uint32_t late = 0;

struct Waiting : WaitNode {]=])
rouse_mutant(permits close_forgets_the_waiting src/wait/permits.cpp
  [=[    waiters.take_all();]=]
  [=[    if (!test::model::mutant("close_forgets_the_waiting")) waiters.take_all();]=])
rouse_mutant(permits refused_is_acquired src/wait/permits.cpp
  [=[->refused = true;]=]
  [=[->refused = !test::model::mutant("refused_is_acquired");]=])
rouse_mutant(permits closed_after_the_lock src/wait/permits.cpp
  [=[    word_.fetch_or(closed_, std::memory_order_release);
    word_.fetch_and(~waited_, std::memory_order_relaxed);
  });]=]
  [=[    if (!test::model::mutant("closed_after_the_lock"))
      word_.fetch_or(closed_, std::memory_order_release);
    word_.fetch_and(~waited_, std::memory_order_relaxed);
  });
  if (test::model::mutant("closed_after_the_lock"))
    word_.fetch_or(closed_, std::memory_order_release);]=])
rouse_mutant(permits leaver_lets_nobody_go src/wait/permits.cpp
  [=[{ serve(others, 0); };]=]
  [=[{
    if (!test::model::mutant("leaver_lets_nobody_go")) serve(others, 0);
  };]=])
rouse_mutant(permits leaver_comes_back src/wait/permits.cpp
  [=[  const bool signalled = ParkingTable::dequeue(node, leave).signalled;]=]
  [=[  const bool comes_back = test::model::mutant("leaver_comes_back");
  const bool signalled =
      (comes_back ? ParkingTable::dequeue(node) : ParkingTable::dequeue(node, leave)).signalled;
  if (comes_back && !signalled) ParkingTable::wake(this, leave);]=])
rouse_mutant(permits no_look_at_the_permit src/wait/permits.cpp
  [=[  if (!signalled) return told();]=]
  [=[  if (!signalled || (test::model::mutant("no_look_at_the_permit") && blocking.ended()))
    return told();]=])

# --- raised exceptions -----------------------------------------------------------------------------

rouse_mutant(raise raised_at_the_next_owner src/wait/control_block.cpp
  [=[    if (addressee != to) return false;]=]
  [=[    if (addressee != to && !test::model::mutant("raised_at_the_next_owner")) return false;]=])
rouse_mutant(raise raised_told_after_the_lock src/wait/control_block.cpp
  [=[    if (addressee != nullptr) addressee->raised();
    if (pending) return false;
  }]=]
  [=[    const bool late = test::model::mutant("raised_told_after_the_lock");
    if (addressee != nullptr && !late) addressee->raised();
    if (pending) return false;
  }
  if (addressee != nullptr && test::model::mutant("raised_told_after_the_lock"))
    addressee->raised();]=])
rouse_mutant(raise addressee_stays src/wait/control_block.cpp
  [=[  addressee = nullptr;
  return pending;]=]
  [=[  if (!test::model::mutant("addressee_stays")) addressee = nullptr;
  return pending;]=])
rouse_mutant(raise leftover_stays src/wait/control_block.cpp
  [=[  std::exception_ptr pending = take_raised();]=]
  [=[  if (test::model::mutant("leftover_stays")) {
    addressee = nullptr;
    return nullptr;
  }
  std::exception_ptr pending = take_raised();]=])
rouse_mutant(raise taken_told_after_the_lock src/wait/control_block.cpp
  [=[  if (addressee != nullptr) addressee->taken();]=]
  [=[  if (addressee != nullptr && !test::model::mutant("taken_told_after_the_lock"))
    addressee->taken();]=])
rouse_vary(src/wait/control_block.cpp
  [=[  std::rethrow_exception(std::move(exception));]=]
  [=[  if (addressee != nullptr && test::model::mutant("taken_told_after_the_lock"))
    addressee->taken();
  std::rethrow_exception(std::move(exception));]=])
rouse_mutant(raise slot_without_lock src/wait/control_block.cpp
  [=[    const LockGuard guard(raise_lock);
    exception = take_raised();]=]
  [=[    Lock another;
    const LockGuard guard(test::model::mutant("slot_without_lock") ? another : raise_lock);
    exception = take_raised();]=])
rouse_mutant(raise thrown_under_a_shield src/wait/control_block.cpp
  [=[  return shields != 0 ||]=]
  [=[  return (shields != 0 && !test::model::mutant("thrown_under_a_shield")) ||]=])
rouse_mutant(raise inner_shield_ends_the_outer src/wait/control_block.cpp
  [=[  if (--shields == 0 &&]=]
  [=[  if ((--shields == 0 || test::model::mutant("inner_shield_ends_the_outer")) &&]=])
rouse_mutant(raise raise_before_a_signal src/wait/event.cpp
  [=[  if (ready) return {WaitStatus::ready, index};]=]
  [=[  if (ready && !(test::model::mutant("raise_before_a_signal") && blocking.thread().raise_due()))
    return {WaitStatus::ready, index};]=])
rouse_mutant(raise thrown_before_run src/thread/stoppable_thread.cpp
  [=[    const Shield shield;
    (void)launched.wait();]=]
  [=[    std::optional<Shield> shield;
    if (!test::model::mutant("thrown_before_run")) shield.emplace();
    (void)launched.wait();]=])
rouse_mutant(raise accepted_after_run src/thread/interruptible_thread.cpp
  [=[    ~AtEnd() { (void)detail]=]
  [=[    ~AtEnd() {
      if (!test::model::mutant("accepted_after_run")) (void)detail]=])
rouse_mutant(raise raised_once_only src/thread/interruptible_thread.cpp
  [=[    if (deadline.expired()) return false;]=]
  [=[    if (test::model::mutant("raised_once_only"))
      return impl.ended.wait_until(deadline.time_point()) == WaitStatus::ready;
    if (deadline.expired()) return false;]=])

# --- scopes ----------------------------------------------------------------------------------------

rouse_mutant(stop_scope reason_after_the_stop src/wait/stop_scope.cpp
  [=[  bool decides = false;]=]
  [=[  if (test::model::mutant("reason_after_the_stop")) source_.request_stop();
  bool decides = false;]=])
rouse_mutant(stop_scope both_decide src/wait/stop_scope.cpp
  [=[    decides = reason_.kind == StopReason::none;]=]
  [=[    decides = reason_.kind == StopReason::none || test::model::mutant("both_decide");]=])
rouse_mutant(stop_scope only_the_decider_stops src/wait/stop_scope.cpp
  [=[  source_.request_stop();
  return decides;]=]
  [=[  if (decides || !test::model::mutant("only_the_decider_stops")) source_.request_stop();
  return decides;]=])
rouse_mutant(stop_scope deadline_stops_its_owner_only src/wait/stop_scope.cpp
  [=[  request_stop(StopReason::deadline);]=]
  [=[  if (deadline_owner_ == this || !test::model::mutant("deadline_stops_its_owner_only"))
    request_stop(StopReason::deadline);]=])
rouse_mutant(stop_scope bind_does_not_listen src/wait/this_thread.cpp
  [=[  if (!heard && token_.stop_possible())]=]
  [=[  if (!heard && token_.stop_possible() && !test::model::mutant("bind_does_not_listen"))]=])
rouse_mutant(stop_scope inner_bind_replaces src/wait/this_thread.cpp
  [=[  } else if (outer_counts && !obeys_outer(*outer_)) {]=]
  [=[  } else if (outer_counts && !obeys_outer(*outer_) &&
             !test::model::mutant("inner_bind_replaces")) {]=])

# --- threads ---------------------------------------------------------------------------------------

rouse_mutant(stop_all stops_one_after_the_other src/thread/stop_all.cpp
  [=[  for (StoppableThread* thread : threads) thread->request_stop();]=]
  [=[  if (!test::model::mutant("stops_one_after_the_other"))
    for (StoppableThread* thread : threads) thread->request_stop();]=])
rouse_vary(src/thread/stop_all.cpp
  [=[    if (StopAll::join(*thread, deadline)) {]=]
  [=[    thread->request_stop();
    if (StopAll::join(*thread, deadline)) {]=])
rouse_mutant(stop_all reaped_by_both src/thread/stoppable_thread.cpp
  [=[  if (reaping.exchange(true, std::memory_order_relaxed)) {]=]
  [=[  if (reaping.exchange(true, std::memory_order_relaxed) &&
      !test::model::mutant("reaped_by_both")) {]=])
rouse_mutant(stop_all launched_before_the_block src/thread/stoppable_thread.cpp
  [=[  impl.block.store(block, std::memory_order_relaxed);]=]
  [=[  if (test::model::mutant("launched_before_the_block")) impl.launched.set();
  impl.block.store(block, std::memory_order_relaxed);]=])
rouse_mutant(stop_all end_is_not_told src/thread/stoppable_thread.cpp
  [=[    if (gone != nullptr) gone->set();]=]
  [=[    if (gone != nullptr && !test::model::mutant("end_is_not_told")) gone->set();]=])
rouse_mutant(stop_all exception_told_twice src/thread/stoppable_thread.cpp
  [=[  if (has_error.exchange(false, std::memory_order_relaxed)) {
    std::rethrow_exception(std::exchange(error, nullptr));]=]
  [=[  const bool twice = test::model::mutant("exception_told_twice");
  if (twice ? has_error.load(std::memory_order_relaxed)
            : has_error.exchange(false, std::memory_order_relaxed)) {
    std::rethrow_exception(twice ? error : std::exchange(error, nullptr));]=])

# --- the readers-writer lock -----------------------------------------------------------------------

rouse_mutant(rw_lock no_second_look src/sync/rw_lock.cpp
  [=[  seen = word_.load(std::memory_order_seq_cst);
  if (]=]
  [=[  seen = word_.load(std::memory_order_seq_cst);
  if (test::model::mutant("no_second_look")) return true;
  if (]=])
rouse_mutant(rw_lock slot_though_it_is_in_use src/sync/reader_slots.hpp
  [=[    return slot.load(std::memory_order_relaxed) == 0 ? &slot : nullptr;]=]
  [=[    return slot.load(std::memory_order_relaxed) == 0 ||
                   test::model::mutant("slot_though_it_is_in_use")
               ? &slot
               : nullptr;]=])
rouse_mutant(rw_lock leaver_ignores_the_tag src/sync/reader_slots.hpp
  [=[    if ((slot.exchange(0, std::memory_order_release) & tag) != 0) wake_writer(slot);]=]
  [=[    if ((slot.exchange(0, std::memory_order_release) & tag) != 0 &&
        !test::model::mutant("leaver_ignores_the_tag")) wake_writer(slot);]=])
rouse_mutant(rw_lock tag_hides_the_slot src/sync/reader_slots.hpp
  [=[    return (slot.load(std::memory_order_relaxed) & ~tag) == address(lock) ? &slot : nullptr;]=]
  [=[    const std::uintptr_t hidden = test::model::mutant("tag_hides_the_slot") ? 0 : tag;
    return (slot.load(std::memory_order_relaxed) & ~hidden) == address(lock) ? &slot : nullptr;]=])
rouse_mutant(rw_lock leaver_ignores_draining include/rouse/sync/rw_lock.hpp
  [=[    return (before & draining_) != 0 && before < 2 * one_reader_;]=]
  [=[    return (before & draining_) != 0 && before < 2 * one_reader_ &&
           !test::model::mutant("leaver_ignores_draining");]=])
rouse_mutant(rw_lock draining_read_late include/rouse/sync/rw_lock.hpp
  [=[    } else if (last_of_drained(word_.fetch_sub(one_reader_, std::memory_order_release))) {]=]
  [=[    } else if (last_of_drained(
                   word_.fetch_sub(one_reader_, std::memory_order_release)) ||
               (test::model::mutant("draining_read_late") &&
                (word_.load(std::memory_order_relaxed) & draining_) != 0)) {]=])
rouse_mutant(rw_lock unlock_by_store include/rouse/sync/rw_lock.hpp
  [=[    if (((seen | checks_) & queued_) != 0 ||]=]
  [=[    if ((seen & queued_) == 0 && test::model::mutant("unlock_by_store")) {
      word_.store(seen & ~writer_, std::memory_order_release);
      return;
    }
    if (((seen | checks_) & queued_) != 0 ||]=])
rouse_mutant(rw_lock slots_not_looked_at src/sync/rw_lock.cpp
  [=[    if (spread && !ReaderSlots::all_of(
                      &lock_,]=]
  [=[    if (spread && !test::model::mutant("slots_not_looked_at") && !ReaderSlots::all_of(
                      &lock_,]=])
rouse_mutant(rw_lock count_not_awaited src/sync/rw_lock.cpp
  [=[    if (!drain_count()) return false;]=]
  [=[    if (!test::model::mutant("count_not_awaited") && !drain_count()) return false;]=])
rouse_mutant(rw_lock tagged_though_it_is_empty src/sync/rw_lock.cpp
  [=[        std::uintptr_t seen = address;]=]
  [=[        std::uintptr_t seen = address;
        if (test::model::mutant("tagged_though_it_is_empty")) {
          slot.store(address | ReaderSlots::tag, std::memory_order_relaxed);
          return true;
        }]=])
rouse_mutant(rw_lock sleeps_without_draining src/sync/rw_lock.cpp
  [=[        while (seen >= one_reader_) {]=]
  [=[        if (test::model::mutant("sleeps_without_draining")) return seen >= one_reader_;
        while (seen >= one_reader_) {]=])
rouse_mutant(rw_lock queues_without_a_look src/sync/rw_lock.cpp
  [=[        while ((seen & writer_) != 0) {
          if (lock_]=]
  [=[        while ((seen & writer_) != 0 || test::model::mutant("queues_without_a_look")) {
          if (lock_]=])
rouse_mutant(rw_lock queues_unknown src/sync/rw_lock.cpp
  [=[seen, seen | queued_, std::memory_order_relaxed)) {]=]
  [=[seen, seen | (test::model::mutant("queues_unknown") ? 0 : queued_),
                                              std::memory_order_relaxed)) {]=])
rouse_mutant(rw_lock gives_up_silently src/sync/rw_lock.cpp
  [=[    // Also lets in the readers that were held back.
    lock_.hand_over(0);]=]
  [=[    if (test::model::mutant("gives_up_silently")) {
      lock_.word_.fetch_and(~(writer_ | queued_ | draining_), std::memory_order_release);
    } else {
      lock_.hand_over(0);
    }]=])
rouse_mutant(rw_lock no_look_at_the_node src/sync/rw_lock.cpp
  [=[    return ParkingTable::dequeue(node).signalled ? Outcome::signalled : Outcome::ended;]=]
  [=[    const bool signalled = ParkingTable::dequeue(node).signalled;
    if (test::model::mutant("no_look_at_the_node") && blocking_.ended()) return Outcome::ended;
    return signalled ? Outcome::signalled : Outcome::ended;]=])
rouse_mutant(rw_lock served_writer_goes_in src/sync/rw_lock.cpp
  [=[    if (drain()) return WaitStatus::ready;]=]
  [=[    if (served_ && test::model::mutant("served_writer_goes_in")) return WaitStatus::ready;
    if (drain()) return WaitStatus::ready;]=])
rouse_mutant(rw_lock woken_goes_in src/sync/rw_lock.cpp
  [=[        if (node.served) return true;]=]
  [=[        served_ = node.served;
        if (node.served || test::model::mutant("woken_goes_in")) return true;]=])
rouse_vary(src/sync/rw_lock.cpp
  [=[  const bool may_spin_;]=]
  [=[  bool served_ = false;
  const bool may_spin_;]=])
rouse_mutant(rw_lock queued_is_dropped src/sync/rw_lock.cpp
  [=[        left = queued_;]=]
  [=[        if (!test::model::mutant("queued_is_dropped")) left = queued_;]=])
rouse_mutant(rw_lock two_writers_are_served src/sync/rw_lock.cpp
  [=[      if (node->mode == Mode::exclusive && std::exchange(writer, true)) {]=]
  [=[      if (node->mode == Mode::exclusive && std::exchange(writer, true) &&
          !test::model::mutant("two_writers_are_served")) {]=])
rouse_mutant(rw_lock served_but_not_counted src/sync/rw_lock.cpp
  [=[      if (serve) given +=]=]
  [=[      if (serve && !test::model::mutant("served_but_not_counted")) given +=]=])
rouse_mutant(rw_lock tries_with_one_look src/sync/rw_lock.cpp
  [=[  if ((seen & spread_) != 0 && in_slots()) {
    hand_over(0);]=]
  [=[  if ((seen & spread_) != 0 && !test::model::mutant("tries_with_one_look") && in_slots()) {
    hand_over(0);]=])
rouse_mutant(rw_lock tries_and_leaves_silently src/sync/rw_lock.cpp
  [=[in_slots()) {
    hand_over(0);]=]
  [=[in_slots()) {
    if (test::model::mutant("tries_and_leaves_silently"))
      word_.fetch_and(~(writer_ | queued_), std::memory_order_release);
    else
      hand_over(0);]=])
rouse_mutant(rw_lock upgrade_ignores_readers src/sync/rw_lock.cpp
  [=[  if (!alone) {]=]
  [=[  if (!alone && !test::model::mutant("upgrade_ignores_readers")) {]=])
rouse_mutant(rw_lock upgrade_gives_up_silently src/sync/rw_lock.cpp
  [=[    hand_over(0);
    return false;
  }
  if (mine != nullptr) {]=]
  [=[    if (test::model::mutant("upgrade_gives_up_silently")) {
      word_.fetch_and(~(writer_ | queued_), std::memory_order_release);
    } else {
      hand_over(0);
    }
    return false;
  }
  if (mine != nullptr) {]=])
rouse_mutant(rw_lock upgrade_keeps_its_share src/sync/rw_lock.cpp
  [=[    word_.fetch_sub(one_reader_, std::memory_order_relaxed);]=]
  [=[    if (!test::model::mutant("upgrade_keeps_its_share"))
      word_.fetch_sub(one_reader_, std::memory_order_relaxed);]=])
rouse_mutant(rw_lock downgrade_in_two_steps src/sync/rw_lock.cpp
  [=[  hand_over(one_reader_);]=]
  [=[  const bool two = test::model::mutant("downgrade_in_two_steps");
  hand_over(two ? 0 : one_reader_);
  if (two) word_.fetch_add(one_reader_, std::memory_order_acquire);]=])

# --- the queue of a worker -------------------------------------------------------------------------

rouse_mutant(work_deque one_too_many src/exec/work_deque.hpp
  [=[return capacity - static_cast<std::size_t>(bottom - top_seen_);]=]
  [=[return capacity + (test::model::mutant("one_too_many") ? 1 : 0) -
           static_cast<std::size_t>(bottom - top_seen_);]=])
rouse_mutant(work_deque slot_written_late src/exec/work_deque.hpp
  [=[  for (std::size_t i = 0; i < count; ++i) {
    slot(]=]
  [=[  const bool late = test::model::mutant("slot_written_late");
  if (late) bottom_.store(bottom + static_cast<Index>(count), std::memory_order_seq_cst);
  for (std::size_t i = 0; i < count; ++i) {
    slot(]=])
rouse_mutant(work_deque taken_without_a_contest src/exec/work_deque.hpp
  [=[    if (top_.compare_exchange_weak(top, top + 1, std::memory_order_release,
                                   std::memory_order_relaxed)) {]=]
  [=[    const bool blind = test::model::mutant("taken_without_a_contest");
    if (blind) top_.store(top + 1, std::memory_order_release);
    if (blind || top_.compare_exchange_weak(top, top + 1, std::memory_order_release,
                                            std::memory_order_relaxed)) {]=])
rouse_mutant(work_deque gives_up_after_a_lost_contest src/exec/work_deque.hpp
  [=[      return task;
    }]=]
  [=[      return task;
    }
    if (test::model::mutant("gives_up_after_a_lost_contest")) return nullptr;]=])
rouse_mutant(work_deque slot_read_late src/exec/work_deque.hpp
  [=[      return task;]=]
  [=[      return test::model::mutant("slot_read_late") ? slot(top).load(std::memory_order_relaxed)
                                                   : task;]=])
rouse_mutant(work_deque bottom_read_before_top src/exec/work_deque.hpp
  [=[    Index top = top_.load(std::memory_order_seq_cst);
    if (bottom_.load(std::memory_order_seq_cst) <= top) return nullptr;]=]
  [=[    const bool before = test::model::mutant("bottom_read_before_top");
    Index bottom = before ? bottom_.load(std::memory_order_seq_cst) : 0;
    Index top = top_.load(std::memory_order_seq_cst);
    if (!before) bottom = bottom_.load(std::memory_order_seq_cst);
    if (bottom <= top) return nullptr;]=])
rouse_mutant(work_deque look_before_the_bottom_is_lowered src/exec/work_deque.hpp
  [=[  bottom_.store(newest, std::memory_order_seq_cst);
]=]
  [=[  if (test::model::mutant("look_before_the_bottom_is_lowered") &&
      top_.load(std::memory_order_seq_cst) < newest) {
    bottom_.store(newest, std::memory_order_seq_cst);
    return true;
  }
  bottom_.store(newest, std::memory_order_seq_cst);
]=])
rouse_mutant(work_deque last_given_back_without_a_contest src/exec/work_deque.hpp
  [=[  if (top >= newest) return take_last();]=]
  [=[  if (test::model::mutant("last_given_back_without_a_contest") && top == newest) {
    bottom_.store(newest, std::memory_order_seq_cst);
    return true;
  }
  if (top >= newest) return take_last();]=])
rouse_mutant(work_deque given_back_without_a_look src/exec/work_deque.hpp
  [=[  if (top < newest) return true;]=]
  [=[  if (top < newest || test::model::mutant("given_back_without_a_look")) return true;]=])
rouse_mutant(work_deque what_became_the_last_is_not_contended src/exec/work_deque.hpp
  [=[  const bool taken = take_last();]=]
  [=[  const bool taken = test::model::mutant("what_became_the_last_is_not_contended")
                         ? top == newest
                         : take_last();]=])
rouse_mutant(work_deque bottom_stays_low src/exec/work_deque.hpp
  [=[  bottom_.store(newest + 1, std::memory_order_relaxed);]=]
  [=[  if (!test::model::mutant("bottom_stays_low"))
    bottom_.store(newest + 1, std::memory_order_relaxed);]=])

# --- the roster of a pool --------------------------------------------------------------------------

rouse_mutant(roster called_without_a_look src/exec/roster.cpp
  [=[    if (!one_more(word_.load(std::memory_order_relaxed))) return false;]=]
  [=[    if (!one_more(word_.load(std::memory_order_relaxed)) &&
        !test::model::mutant("called_without_a_look")) return false;]=])
rouse_mutant(roster called_stays_listed src/exec/roster.cpp
  [=[    unlist(*called);
]=]
  [=[    if (!test::model::mutant("called_stays_listed")) unlist(*called);
]=])
rouse_mutant(roster called_has_no_hint src/exec/roster.cpp
  [=[  called->hint_.set();]=]
  [=[  if (!test::model::mutant("called_has_no_hint")) called->hint_.set();]=])
rouse_mutant(roster refused_silently src/exec/roster.cpp
  [=[    instead = top_;]=]
  [=[    if (!test::model::mutant("refused_silently")) instead = top_;]=])
rouse_mutant(roster last_searcher_is_silent src/exec/roster.cpp
  [=[std::memory_order_seq_cst)).searching == 1;]=]
  [=[std::memory_order_seq_cst)).searching == 1 &&
         !test::model::mutant("last_searcher_is_silent");]=])
rouse_mutant(roster gets_up_twice src/exec/roster.cpp
  [=[  if (!sleeper.listed_) return true;]=]
  [=[  if (!sleeper.listed_ && !test::model::mutant("gets_up_twice")) return true;]=])
rouse_mutant(roster lies_down_still_searching src/exec/roster.cpp
  [=[(was_searching ? searching_ : 0));]=]
  [=[(was_searching && !test::model::mutant("lies_down_still_searching") ? searching_ : 0));]=])
rouse_mutant(roster no_look_at_the_list src/exec/roster.cpp
  [=[      if (!sleeper.listed_) return Woken::for_work;]=]
  [=[      if (!sleeper.listed_ && (looked || !test::model::mutant("no_look_at_the_list")))
        return Woken::for_work;
      looked = true;]=])
rouse_vary(src/exec/roster.cpp
  [=[  for (bool idled = false, alarmed = false;;) {]=]
  [=[  bool looked = false;
  for (bool idled = false, alarmed = false;;) {]=])
rouse_mutant(roster hint_cleared_after_the_lock src/exec/roster.cpp
  [=[      sleeper.hint_.clear();
    }]=]
  [=[      if (!test::model::mutant("hint_cleared_after_the_lock")) sleeper.hint_.clear();
    }
    if (test::model::mutant("hint_cleared_after_the_lock")) sleeper.hint_.clear();]=])
rouse_mutant(roster too_many_leave src/exec/roster.cpp
  [=[(idled && may_leave)) {]=]
  [=[(idled && (may_leave || test::model::mutant("too_many_leave")))) {]=])
rouse_mutant(roster dismissed_without_a_look src/exec/roster.cpp
  [=[      if (dismissed_ && needed) {]=]
  [=[      if (dismissed_ && needed && !test::model::mutant("dismissed_without_a_look")) {]=])
rouse_mutant(roster dismissed_silently src/exec/roster.cpp
  [=[  dismissed_ = true;
  hint_all();]=]
  [=[  dismissed_ = true;
  if (!test::model::mutant("dismissed_silently")) hint_all();]=])
rouse_mutant(roster limit_is_not_raised src/exec/roster.cpp
  [=[  limit_.store(limit, std::memory_order_relaxed);]=]
  [=[  if (!test::model::mutant("limit_is_not_raised"))
    limit_.store(limit, std::memory_order_relaxed);]=])
rouse_mutant(roster blocked_stays_awake src/exec/roster.cpp
  [=[  change(blocked_ - awake_);]=]
  [=[  if (!test::model::mutant("blocked_stays_awake")) change(blocked_ - awake_);]=])

# --- the watch of a pool ---------------------------------------------------------------------------

rouse_mutant(watch lowered_silently src/exec/watch.cpp
  [=[  return at < guarded_.load(std::memory_order_relaxed);]=]
  [=[  if (test::model::mutant("lowered_silently"))
    return guarded_.load(std::memory_order_relaxed) == never;
  return at < guarded_.load(std::memory_order_relaxed);]=])
rouse_mutant(watch lowered_loudly src/exec/watch.cpp
  [=[  if (!open_ || at >= next()) return false;]=]
  [=[  if (!open_ || at >= next()) return test::model::mutant("lowered_loudly");]=])
rouse_mutant(watch no_second_guard src/exec/watch.cpp
  [=[    if (second->until != never) return never;]=]
  [=[    if (second->until != never || test::model::mutant("no_second_guard")) return never;]=])
rouse_mutant(watch guard_is_not_published src/exec/watch.cpp
  [=[  *second = {until, worker};
  publish(deadline);]=]
  [=[  *second = {until, worker};
  if (!test::model::mutant("guard_is_not_published")) publish(deadline);]=])
rouse_mutant(watch left_silently src/exec/watch.cpp
  [=[  publish(next());]=]
  [=[  if (!test::model::mutant("left_silently")) publish(next());]=])
rouse_mutant(watch read_outside_of_the_lock src/exec/watch.hpp
  [=[    const LockGuard guard(lock_);
    publish(open_ ? read() : never);]=]
  [=[    const bool is_early = test::model::mutant("read_outside_of_the_lock");
    const std::int64_t early = is_early ? read() : never;
    const LockGuard guard(lock_);
    publish(!open_ ? never : is_early ? early : read());]=])
rouse_mutant(watch alarm_is_forgotten src/exec/roster.cpp
  [=[may_leave ? std::min(idle, alarm) : alarm;]=]
  [=[test::model::mutant("alarm_is_forgotten") ? idle
                         : may_leave ? std::min(idle, alarm)
                                     : alarm;]=])
# In the scenarios' copy of what Worker, Pool and TimerQueue do.
foreach(name IN ITEMS
        sleeps_without_a_look search_ends_without_a_look looks_at_the_deadlines_first
        guards_though_up guards_after_its_alarm guard_leaves_silently look_is_not_made_later
        time_of_a_removed_is_skipped)
  set_property(GLOBAL APPEND PROPERTY rouse_mutants "watch/${name}")
endforeach()

# --- the free blocks of a buffer pool --------------------------------------------------------------

rouse_mutant(block_list changes_are_not_counted src/resource/block_list.hpp
  [=[((head >> 32) + 1) << 32]=]
  [=[((head >> 32) + (test::model::mutant("changes_are_not_counted") ? 0 : 1)) << 32]=])
rouse_mutant(block_list linked_after_the_push src/resource/block_list.hpp
  [=[    do {
      links_[]=]
  [=[    const bool late = test::model::mutant("linked_after_the_push");
    while (late) {
      if (!head_.compare_exchange_weak(seen, changed(seen, chain.first), std::memory_order_release,
                                       std::memory_order_relaxed))
        continue;
      links_[chain.last].next.store(block_of(seen), std::memory_order_relaxed);
      return;
    }
    do {
      links_[]=])
rouse_mutant(block_list looked_up_once src/resource/block_list.hpp
  [=[      BlockChain chain{block_of(seen), block_of(seen), 1};]=]
  [=[      if (!test::model::mutant("looked_up_once") || first == 0) first = block_of(seen);
      BlockChain chain{first, first, 1};]=])
rouse_vary(src/resource/block_list.hpp
  [=[    for (;;) {]=]
  [=[    std::uint32_t first = 0;
    for (;;) {]=])
rouse_mutant(block_list one_too_many src/resource/block_list.hpp
  [=[chain.count < most &&]=]
  [=[chain.count < most + (test::model::mutant("one_too_many") ? 1 : 0) &&]=])

rouse_mutant(shelves put_without_a_second_look src/resource/shelves.cpp
  [=[    if (closers_.load(std::memory_order_seq_cst) == 0) return true;]=]
  [=[    if (test::model::mutant("put_without_a_second_look") ||
        closers_.load(std::memory_order_seq_cst) == 0)
      return true;]=])
rouse_mutant(shelves put_is_not_taken_back src/resource/shelves.cpp
  [=[    return !shelf.numbers[at].compare_exchange_strong(]=]
  [=[    if (test::model::mutant("put_is_not_taken_back")) return false;
    if (test::model::mutant("taken_back_without_a_contest")) {
      shelf.numbers[at].store(0, std::memory_order_relaxed);
      return false;
    }
    return !shelf.numbers[at].compare_exchange_strong(]=])
set_property(GLOBAL APPEND PROPERTY rouse_mutants "shelves/taken_back_without_a_contest")
rouse_mutant(shelves put_by_store src/resource/shelves.cpp
  [=[        !shelf.numbers[at].compare_exchange_strong(nothing, block, std::memory_order_seq_cst,
                                                   std::memory_order_relaxed)) {
      continue;
    }]=]
  [=[        (!test::model::mutant("put_by_store") &&
         !shelf.numbers[at].compare_exchange_strong(nothing, block, std::memory_order_seq_cst,
                                                    std::memory_order_relaxed))) {
      continue;
    }
    if (test::model::mutant("put_by_store"))
      shelf.numbers[at].store(block, std::memory_order_seq_cst);]=])
rouse_mutant(shelves taken_by_store src/resource/shelves.hpp
  [=[    if (place.load(std::memory_order_seq_cst) == 0) return 0;]=]
  [=[    if (test::model::mutant("taken_by_store")) {
      const std::uint32_t block = place.load(std::memory_order_seq_cst);
      place.store(0, std::memory_order_relaxed);
      return block;
    }
    if (place.load(std::memory_order_seq_cst) == 0) return 0;]=])
rouse_mutant(shelves closed_without_agreement src/resource/shelves.hpp
  [=[    closers_.fetch_add(1, std::memory_order_seq_cst);]=]
  [=[    closers_.fetch_add(1, test::model::mutant("closed_without_agreement")
                              ? std::memory_order_acq_rel
                              : std::memory_order_seq_cst);]=])
rouse_mutant(shelves not_all_are_cleared src/resource/shelves.hpp
  [=[cpu <= mask_; ++cpu) {]=]
  [=[cpu <= mask_ - (test::model::mutant("not_all_are_cleared") ? 1 : 0); ++cpu) {]=])

rouse_mutant(block_store waits_beside_blocks src/resource/block_store.cpp
  [=[  clear_shelves();
  const Acquired acquired]=]
  [=[  if (!test::model::mutant("waits_beside_blocks")) clear_shelves();
  if (test::model::mutant("waits_with_open_shelves")) shelves_.open();
  const Acquired acquired]=])
rouse_mutant(block_store waits_with_open_shelves src/resource/block_store.cpp
  [=[  if (acquired == Acquired::yes)]=]
  [=[  if (test::model::mutant("waits_with_open_shelves")) shelves_.close();
  if (acquired == Acquired::yes)]=])
rouse_mutant(block_store shelves_are_not_collected src/resource/block_store.cpp
  [=[  if (shelves_.count() == 0) return;]=]
  [=[  if (shelves_.count() == 0 || test::model::mutant("shelves_are_not_collected")) return;]=])
rouse_mutant(block_store released_before_the_push src/resource/block_store.cpp
  [=[  list_.push(chain);
  release_permits(chain.count);]=]
  [=[  const bool before = test::model::mutant("released_before_the_push");
  if (before) release_permits(chain.count);
  list_.push(chain);
  if (!before) release_permits(chain.count);]=])
rouse_mutant(block_store total_read_after_the_release src/resource/block_store.cpp
  [=[  if (permits_.release(n) == all) close();]=]
  [=[  const bool is_last = permits_.release(n) == all;
  if (test::model::mutant("total_read_after_the_release")) (void)pool_.read();
  if (is_last) close();]=])
rouse_mutant(block_store ended_without_acquiring src/resource/block_store.cpp
  [=[  (void)permits_.try_acquire(max_blocks_ + 1);]=]
  [=[  if (!test::model::mutant("ended_without_acquiring"))
    (void)permits_.try_acquire(max_blocks_ + 1);]=])
rouse_mutant(block_store release_tells_too_few src/wait/permits.hpp
  [=[std::memory_order_relaxed)) {
        return free_of(seen + n);]=]
  [=[std::memory_order_relaxed)) {
        if (test::model::mutant("release_tells_too_few")) return free_of(seen);
        return free_of(seen + n);]=])
rouse_mutant(block_store slow_release_tells_what_it_saw src/wait/permits.cpp
  [=[  return free_of(word_.fetch_add(change, std::memory_order_release) + change);]=]
  [=[  const std::uint32_t now =
      free_of(word_.fetch_add(change, std::memory_order_release) + change);
  return test::model::mutant("slow_release_tells_what_it_saw") ? free : now;]=])
rouse_mutant(block_store pops_less_than_it_has src/resource/block_store.cpp
  [=[  if (popped.count != permits) release]=]
  [=[  if (popped.count != permits && !test::model::mutant("pops_less_than_it_has")) release]=])
rouse_mutant(block_store full_shelf_loses src/resource/block_store.cpp
  [=[    if (!shelves_.put(block)) release({block, block, 1});]=]
  [=[    if (!shelves_.put(block) && !test::model::mutant("full_shelf_loses"))
      release({block, block, 1});]=])
rouse_mutant(block_store unused_by_store src/resource/block_store.cpp
  [=[  } while (!ever_out_.compare_exchange_weak(out, out + count, std::memory_order_relaxed));]=]
  [=[    if (test::model::mutant("unused_by_store")) {
      ever_out_.store(out + count, std::memory_order_relaxed);
      break;
    }
  } while (!ever_out_.compare_exchange_weak(out, out + count, std::memory_order_relaxed));]=])
rouse_mutant(block_store extended_by_store src/resource/block_store.cpp
  [=[  } while (!capacity_.compare_exchange_weak(seen, seen + by, std::memory_order_relaxed));]=]
  [=[    if (test::model::mutant("extended_by_store")) {
      capacity_.store(seen + by, std::memory_order_relaxed);
      break;
    }
  } while (!capacity_.compare_exchange_weak(seen, seen + by, std::memory_order_relaxed));]=])
rouse_mutant(block_store extended_without_end src/resource/block_store.cpp
  [=[    by = std::min(missing, max_blocks_ - seen);]=]
  [=[    by = std::min(missing, max_blocks_ - seen +
                               (test::model::mutant("extended_without_end") ? 1 : 0));]=])
rouse_mutant(block_store abandoned_but_for_the_missing src/resource/block_store.cpp
  [=[  release_permits(max_blocks_ - before + 1);]=]
  [=[  release_permits(test::model::mutant("abandoned_but_for_the_missing")
                      ? 1
                      : max_blocks_ - before + 1);]=])
rouse_mutant(block_store capacity_is_not_exchanged src/resource/block_store.cpp
  [=[capacity_.exchange(max_blocks_, std::memory_order_relaxed);]=]
  [=[test::model::mutant("capacity_is_not_exchanged")
                                   ? capacity()
                                   : capacity_.exchange(max_blocks_, std::memory_order_relaxed);]=])
rouse_mutant(block_store abandoned_with_open_permits src/resource/block_store.cpp
  [=[  permits_.close();
]=]
  [=[  if (!test::model::mutant("abandoned_with_open_permits")) permits_.close();
]=])
rouse_mutant(block_store cleared_before_the_close src/resource/block_store.cpp
  [=[  shelves_.close();
  clear_shelves();]=]
  [=[  if (test::model::mutant("cleared_before_the_close")) clear_shelves();
  shelves_.close();
  if (!test::model::mutant("cleared_before_the_close")) clear_shelves();]=])

# --- the lead of waits -----------------------------------------------------------------------------

rouse_vary(src/service/lead.hpp
  [=[  ~LeadMember() { resign(); }]=]
  [=[  ~LeadMember() {
    leaves_ = true;
    resign();
  }]=])
rouse_vary(src/service/lead.hpp
  [=[  Role role_ = Role::none;]=]
  [=[  bool leaves_ = false;
  Role role_ = Role::none;]=])
rouse_mutant(lead leave_does_not_pass_on src/service/lead.cpp
  [=[    if (!lead_.led_ && lead_.first_ != nullptr) ]=]
  [=[    LeadMember* const heir = lead_.first_;
    const bool passes = !(leaves_ && test::model::mutant("leave_does_not_pass_on"));
    if (passes && !lead_.led_ && lead_.first_ != nullptr) ]=])
rouse_mutant(lead resign_does_not_pass_on src/service/lead.cpp
  [=[    if (passes && ]=]
  [=[    if (!(!leaves_ && test::model::mutant("resign_does_not_pass_on")) && passes && ]=])
rouse_mutant(lead only_the_leader_passes_on src/service/lead.cpp
  [=[ && passes && ]=]
  [=[ && passes &&
        (role == Role::leads || !test::model::mutant("only_the_leader_passes_on")) && ]=])
rouse_mutant(lead heir_may_be_oneself src/service/lead.cpp
  [=[    if (role == Role::follows) unlink();
    LeadMember* const heir = lead_.first_;]=]
  [=[    LeadMember* heir = lead_.first_;
    if (role == Role::follows) unlink();
    if (!test::model::mutant("heir_may_be_oneself")) heir = lead_.first_;]=])
rouse_mutant(lead heir_marked_after_the_lock src/service/lead.cpp
  [=[ wake = lead_.first_->hint_.mark();]=]
  [=[ {
      if (test::model::mutant("heir_marked_after_the_lock")) {
        late = heir;
      } else {
        wake = heir->hint_.mark();
      }
    }]=])
rouse_vary(src/service/lead.cpp
  [=[  std::optional<WaitHint::Wake> wake;]=]
  [=[  LeadMember* late = nullptr;
  std::optional<WaitHint::Wake> wake;]=])
rouse_vary(src/service/lead.cpp
  [=[  if (wake) (*wake)();]=]
  [=[  if (late != nullptr) late->hint_.give();
  if (wake) (*wake)();]=])
rouse_mutant(lead follower_stays_when_it_leaves src/service/lead.cpp
  [=[    if (role == Role::follows) unlink();
    if (!test]=]
  [=[    if (role == Role::follows && !(leaves_ &&
                                   test::model::mutant("follower_stays_when_it_leaves"))) {
      unlink();
    }
    if (!test]=])
rouse_mutant(lead lead_is_kept src/service/lead.cpp
  [=[    if (role == Role::leads) lead_.led_ = false;]=]
  [=[    if (role == Role::leads && !test::model::mutant("lead_is_kept")) lead_.led_ = false;]=])
rouse_mutant(lead take_does_not_lead src/service/lead.cpp
  [=[  lead_.led_ = true;]=]
  [=[  if (!test::model::mutant("take_does_not_lead")) lead_.led_ = true;]=])
rouse_mutant(lead take_without_the_lock src/service/lead.cpp
  [=[bool LeadMember::take() noexcept {
  const LockGuard guard(lead_.lock_);]=]
  [=[bool LeadMember::take() noexcept {
  Lock another;
  const LockGuard guard(test::model::mutant("take_without_the_lock") ? another : lead_.lock_);]=])
rouse_mutant(lead nobody_follows src/service/lead.cpp
  [=[    if (role_ == Role::none) link();
    role_ = Role::follows;]=]
  [=[    if (test::model::mutant("nobody_follows")) return false;
    if (role_ == Role::none) link();
    role_ = Role::follows;]=])
rouse_mutant(lead leader_follows_too src/service/lead.cpp
  [=[  if (role_ == Role::follows) unlink();]=]
  [=[  if (role_ == Role::follows && !test::model::mutant("leader_follows_too")) unlink();]=])
