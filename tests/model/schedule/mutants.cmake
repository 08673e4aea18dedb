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
  [=[    raised.store(1, std::memory_order_relaxed);
  }
  notify();
  return true;]=]
  [=[    if (!test::model::mutant("hint_before_the_news")) raised.store(1, std::memory_order_relaxed);
  }
  notify();
  if (test::model::mutant("hint_before_the_news")) raised.store(1, std::memory_order_relaxed);
  return true;]=])
rouse_mutant(parker second_raise_wins src/wait/control_block.cpp
  [=[    if (raised_exception != nullptr) return false;]=]
  [=[    if (raised_exception != nullptr && !test::model::mutant("second_raise_wins")) return false;]=])
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
  [=[if (blocking.poll(fds, count, may_block && !ended) > 0) break;]=]
  [=[if (!(ended && test::model::mutant("ready_after_the_end_is_lost")) &&
        blocking.poll(fds, count, may_block && !ended) > 0) break;]=])

# --- events ----------------------------------------------------------------------------------------

rouse_mutant(event word_changed_after_the_lock src/wait/parking_table.hpp
  [=[    update();
    unlock_and_wake(bucket, key);]=]
  [=[    const bool late = test::model::mutant("word_changed_after_the_lock");
    if (!late) update();
    unlock_and_wake(bucket, key);
    if (late) update();]=])
rouse_mutant(event node_marked_after_the_lock src/wait/parking_table.cpp
  [=[        node->signalled.store(true, std::memory_order_relaxed);
        link_before(taken, *node);]=]
  [=[        if (!test::model::mutant("node_marked_after_the_lock"))
          node->signalled.store(true, std::memory_order_relaxed);
        link_before(taken, *node);]=])
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
  [=[      if (node->key == key) {]=]
  [=[      if (node->key == key || test::model::mutant("wakes_the_whole_bucket")) {]=])
rouse_mutant(event bucket_scanned_again src/wait/parking_table.cpp
  [=[    bucket.lock.lock();
  }
}]=]
  [=[    bucket.lock.lock();
    if (test::model::mutant("bucket_scanned_again")) {
      for (WaitNode* node = bucket.head.next; node != &bucket.head;) {
        WaitNode* const next = node->next;
        if (node->key == key) {
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
