// The queue of one worker, with a ring of two: every task goes to one thread, with what was written
// before it was pushed; the last is contended; slots are used again; who pushes and who goes to
// sleep do not miss each other.

#include "exec/work_deque.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "support/as_task.hpp"

#include <array>
#include <cstddef>
#include <initializer_list>

namespace rouse::test::model {
namespace {

using detail::Atomic;
using detail::Task;
using detail::WorkDeque;
using std::memory_order_seq_cst;

constexpr int pushed = 1;
constexpr int taken = 2;

struct Queue {
  Queue(std::initializer_list<std::size_t> first) {
    for (const std::size_t i : first) (void)push(i);
  }

  bool push(std::size_t i) {
    tasks[i].write(pushed);
    return deque.push(as_task(tasks[i]));
  }
  // Takes the oldest out of the way if there is no room.
  void push_anyway(std::size_t i) {
    while (!push(i)) take();
  }
  bool take() {
    auto* const task = from_task<Plain<int>>(deque.take());
    if (task != nullptr) run(*task);
    return task != nullptr;
  }
  bool take_back(std::size_t i) {
    const bool mine = deque.take_back(as_task(tasks[i]));
    if (mine) run(tasks[i]);
    return mine;
  }

  WorkDeque deque;
  std::array<Plain<int>, 4> tasks;

 private:
  static void run(Plain<int>& task) {
    check(task.read() == pushed, "a task is taken once");
    task.write(taken);
  }
};

// What nobody has taken is still there at the end, and nothing else is.
Queue& queue(Model& model, std::initializer_list<std::size_t> first) {
  auto& s = model.make<Queue>(first);
  model.at_end([&s] {
    while (s.take()) {
    }
    for (const Plain<int>& task : s.tasks) {
      const int state = task.read();
      check(state == 0 || state == taken, "no task is lost");
    }
    check(s.deque.empty(), "it is empty");
  });
  return s;
}

void thieves(Model& model, Queue& s, int threads, int times) {
  for (int i = 0; i < threads; ++i) {
    model.thread([&s, times] {
      for (int n = 0; n < times; ++n) s.take();
    });
  }
}

template <int Thieves>
void pushed_one_by_one(Model& model) {
  auto& s = queue(model, {});
  model.thread([&s] {
    for (const std::size_t i : {0U, 1U}) s.push_anyway(i);
  });
  thieves(model, s, Thieves, 2 / Thieves);
}

void pushed_at_once(Model& model) {
  auto& s = queue(model, {});
  model.thread([&s] {
    std::array<Task*, 2> both;
    for (const std::size_t i : {0U, 1U}) {
      s.tasks[i].write(pushed);
      both[i] = &as_task(s.tasks[i]);
    }
    check(s.deque.push(both) == both.size(), "there is room for both");
  });
  thieves(model, s, 1, 2);
}

// Nobody is told that it is empty because another was quicker.
void enough_for_all(Model& model) {
  auto& s = queue(model, {0, 1});
  for (int i = 0; i < 2; ++i) {
    model.thread([&s] { check(s.take(), "there is one for each"); });
  }
}

// The slots are written again while a thief may still read them.
template <int Thieves>
void around_the_ring(Model& model) {
  auto& s = queue(model, {0, 1});
  model.thread([&s] {
    for (const std::size_t i : {2U, 3U}) s.push_anyway(i);
  });
  thieves(model, s, Thieves, 2 / Thieves);
}

// With a task of the same slot after it.
template <int Thieves>
void last_taken_back(Model& model) {
  auto& s = queue(model, {0});
  model.thread([&s] {
    s.take_back(0);
    check(!s.take_back(0), "it has been taken");
    check(s.push(1), "there is room");
  });
  thieves(model, s, Thieves, 1);
}

template <int Thieves>
void newest_taken_back(Model& model) {
  auto& s = queue(model, {0, 1});
  model.thread([&s] {
    s.take_back(1);
    s.take();
  });
  thieves(model, s, Thieves, 2 / Thieves);
}

// The slot, the index and `bottom_` are as before, the task is another.
void pushed_after_taken_back(Model& model) {
  auto& s = queue(model, {0, 1});
  model.thread([&s] {
    s.take_back(1);
    s.push_anyway(2);
    s.take_back(2);
  });
  thieves(model, s, 1, 2);
}

// Who goes to sleep says so and then looks; who has pushed then looks whether somebody sleeps.
struct Sleepy : Queue {
  using Queue::Queue;

  void lie_down() {
    sleepers.fetch_add(1, memory_order_seq_cst);
    sleeps.write(deque.empty());
  }
  void look_for_sleepers() { woken.write(sleepers.load(memory_order_seq_cst) == 1); }

  Atomic<int> sleepers{0};
  Plain<bool> sleeps;
  Plain<bool> woken;
};

Sleepy& sleepy_queue(Model& model, std::initializer_list<std::size_t> first) {
  auto& s = model.make<Sleepy>(first);
  model.thread([&s] { s.lie_down(); });
  model.at_end([&s] {
    check(!s.sleeps.read() || s.woken.read() || s.deque.size() == 0, "nobody sleeps beside a task");
  });
  return s;
}

void pushed_beside_a_sleeper(Model& model) {
  auto& s = sleepy_queue(model, {});
  model.thread([&s] {
    (void)s.push(0);
    s.look_for_sleepers();
  });
}

// `bottom_` goes down and up meanwhile.
void taken_back_beside_a_sleeper(Model& model) {
  auto& s = sleepy_queue(model, {0, 1});
  model.thread([&s] {
    s.take_back(1);
    s.push_anyway(2);
    s.look_for_sleepers();
  });
  thieves(model, s, 1, 1);
}

constexpr Scenario scenarios[] = {
    {"pushed_one_by_one", pushed_one_by_one<1>},
    {"pushed_one_by_one_to_two", pushed_one_by_one<2>},
    {"pushed_at_once", pushed_at_once},
    {"enough_for_all", enough_for_all},
    {"around_the_ring", around_the_ring<1>},
    {"around_the_ring_with_two", around_the_ring<2>},
    {"last_taken_back", last_taken_back<1>},
    {"last_taken_back_from_two", last_taken_back<2>},
    {"newest_taken_back", newest_taken_back<1>},
    {"newest_taken_back_from_two", newest_taken_back<2>},
    {"pushed_after_taken_back", pushed_after_taken_back},
    {"pushed_beside_a_sleeper", pushed_beside_a_sleeper},
    {"taken_back_beside_a_sleeper", taken_back_beside_a_sleeper},
};

}  // namespace

std::span<const Scenario> work_deque_scenarios() { return scenarios; }

}  // namespace rouse::test::model
