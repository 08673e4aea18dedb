// The blocks of a pool, with shelves of two places and batches of two: each block goes to one
// thread, with what was done to it before; the books are right at the end; nobody waits for what is
// free; a store ends once, with its last block, and is another pool's from then on.

#include "resource/block_store.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/told.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <stop_token>
#include <utility>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Acquired;
using detail::Atomic;
using detail::BlockChain;
using detail::BlockStore;
using detail::Deadline;

// A pool, and who has which of its blocks.
struct Pool {
  explicit Pool(std::uint32_t blocks, std::uint32_t max_blocks = 0)
      : store(BlockStore::open({.block_size = 64, .blocks = blocks, .max_blocks = max_blocks})) {}

  // As BufferPool and Buffer call it where there are no restartable sequences.
  BlockChain try_take(std::uint32_t n = 1) {
    const BlockChain chain = store.try_take(n);
    check(chain.count == 0 || chain.count == n, "all or none");
    return taken(chain);
  }
  BlockChain take(std::uint32_t n = 1, Deadline deadline = Deadline::never(),
                  const std::stop_token& stop = {}) {
    BlockChain chain = try_take(n);
    if (chain.count != 0) return chain;
    outcome = store.take(n, deadline, stop, {"take", 0}, chain);
    check(chain.count == (outcome == Acquired::yes ? n : 0), "all or none");
    return taken(chain);
  }
  BlockChain take_in_time(std::uint32_t n = 1) { return take(n, Deadline::after(1ms)); }
  void give(const BlockChain& chain) {
    if (chain.count == 0) return;
    change(chain, 1, 0);
    store.give(chain);
  }

  BlockStore& store;
  Acquired outcome = Acquired::yes;  // of the only thread that waits with a limit
  std::array<Plain<int>, 5> held;    // by block: whether somebody has it

 private:
  BlockChain taken(const BlockChain& chain) {
    if (chain.count != 0) change(chain, 0, 1);
    return chain;
  }
  void change(const BlockChain& chain, int from, int to) {
    std::uint32_t block = chain.first;
    for (std::uint32_t left = chain.count; left > 0; --left) {
      check(block != 0 && block <= store.max_blocks(), "there is such a block");
      check(held[block].read() == from, "a block is taken once");
      held[block].write(to);
      if (left > 1) block = store.next(block);
    }
    check(block == chain.last, "the chain ends with its last");
  }
};

// Nobody has a block then, and the pool ends.
void all_free_at_end(Model& model, Pool& s) {
  model.at_end([&s] {
    const std::uint32_t all = s.store.capacity();
    check(s.store.stats().used_blocks == 0, "no block is missing in the books");
    check(s.store.stats().waiters == 0, "nobody waits");
    const BlockChain chain = s.try_take(all);
    check(chain.count == all, "no block is lost");
    check(s.store.stats().free_blocks == 0, "there are no others");
    s.give(chain);
    s.store.abandon();
  });
}

Pool& pool(Model& model, std::uint32_t blocks, std::uint32_t max_blocks = 0) {
  auto& s = model.make<Pool>(blocks, max_blocks);
  all_free_at_end(model, s);
  return s;
}

// One of them beside the other on the shelf of those whose CPU is the first.
template <int Threads>
void tried(Model& model) {
  auto& s = pool(model, 2);
  s.give(s.try_take());
  for (int i = 0; i < Threads; ++i) {
    model.thread([&s] { s.give(s.try_take()); });
  }
}

// From the list: one of them takes more than it needs, for the shelf.
void tried_of_three(Model& model) {
  auto& s = pool(model, 3);
  s.give(s.try_take(3));
  model.thread([&s] { s.give(s.try_take()); });
  model.thread([&s] { s.give(s.try_take(2)); });
}

// There is none for each.
template <int Threads>
void one(Model& model) {
  auto& s = pool(model, 1);
  for (int i = 0; i < Threads; ++i) {
    model.thread([&s] {
      const BlockChain chain = s.take();
      check(chain.count == 1, "it has one");
      s.give(chain);
    });
  }
}

// One wants both, others one each.
void both_or_one(Model& model) {
  auto& s = pool(model, 2);
  s.give(s.try_take(2));
  for (const std::uint32_t n : {2U, 1U, 1U}) {
    model.thread([&s, n] {
      const BlockChain chain = s.take(n);
      check(chain.count == n, "it has them");
      s.give(chain);
    });
  }
}

// Who waits is given what two others have, each on a CPU of its own.
void given_back_by_two(Model& model) {
  auto& s = pool(model, 2);
  model.on_different_cpus();
  for (int i = 0; i < 2; ++i) {
    const BlockChain mine = s.try_take();
    model.thread([&s, mine] { s.give(mine); });
  }
  model.thread([&s] {
    const BlockChain chain = s.take(2);
    check(chain.count == 2, "it has them");
    s.give(chain);
  });
}

// Who waits for both is not passed by one that finds a block, on its shelf or elsewhere.
void nobody_passes(Model& model) {
  struct State : Pool {
    State() : Pool(2) {}
    ToldBlock first;
  };
  auto& s = model.make<State>();
  all_free_at_end(model, s);
  const BlockChain mine = s.try_take();
  s.give(s.try_take());
  model.thread([&s] {
    s.first.tell();
    const BlockChain chain = s.take(2);
    check(chain.count == 2, "it has them");
    s.give(chain);
  });
  model.thread([&s, mine] {
    s.first.await_blocked();
    check(s.take_in_time().count == 0, "the first comes first");
    check(s.outcome == Acquired::timeout, "it waited");
    s.give(mine);
  });
}

// A block for a thread whose time is over, and for one that tries.
void block_or_timeout(Model& model) {
  auto& s = pool(model, 1);
  const BlockChain mine = s.try_take();
  model.thread([&s] { s.give(s.take_in_time()); });
  model.thread([&s, mine] { s.give(mine); });
  model.thread([&s] { s.give(s.try_take()); });
}

void block_or_stop(Model& model) {
  struct State : Pool {
    State() : Pool(1) {}
    std::stop_source source;
  };
  auto& s = model.make<State>();
  all_free_at_end(model, s);
  const BlockChain mine = s.try_take();
  model.thread([&s] {
    const std::stop_token token = s.source.get_token();
    const BlockChain chain = s.take(1, Deadline::never(), token);
    check(chain.count == 1 || token.stop_requested(), "stopped only after a stop");
    s.give(chain);
  });
  model.thread([&s, mine] { s.give(mine); });
  model.thread([&s] { s.source.request_stop(); });
}

// A block that lies on another CPU's shelf is within reach.
void on_another_shelf(Model& model) {
  struct State : Pool {
    State() : Pool(1) {}
    Atomic<int> is_given{0};
  };
  auto& s = model.make<State>();
  all_free_at_end(model, s);
  model.on_different_cpus();
  const BlockChain mine = s.try_take();
  model.thread([&s, mine] {
    s.give(mine);
    s.is_given.store(1, std::memory_order_release);
  });
  model.thread([&s] {
    while (s.is_given.load(std::memory_order_acquire) == 0) detail::os::cpu_relax();
    const BlockChain chain = s.try_take();
    check(chain.count == 1, "it is found");
    s.give(chain);
  });
}

// Each gets one, whoever it is that makes room for it.
template <int Threads>
void extended(Model& model) {
  auto& s = pool(model, 1, 2);
  for (int i = 0; i < Threads; ++i) {
    model.thread([&s] {
      const BlockChain chain = s.try_take();
      check(s.store.capacity() <= 2, "not more than there may be");
      if (Threads <= 2) check(chain.count == 1, "there is room for both");
      s.give(chain);
    });
  }
}

// By one who wants more than there are, while others take and give.
void extended_for_several(Model& model) {
  auto& s = pool(model, 1, 3);
  s.give(s.try_take());
  model.thread([&s] { s.give(s.try_take(3)); });
  model.thread([&s] { s.give(s.take(2)); });
}

// Blocks are in the list again, and the pool is extended, while one looks for the first of them.
void extended_meanwhile(Model& model) {
  auto& s = pool(model, 2, 4);
  s.give(s.try_take(2));
  model.thread([&s] { s.give(s.try_take(1)); });
  model.thread([&s] { s.give(s.try_take(3)); });
  model.thread([&s] { s.give(s.try_take(2)); });
}

// All free blocks are the trimmer's for a moment.
void trimmed(Model& model) {
  auto& s = pool(model, 2);
  s.give(s.try_take());
  s.give(s.try_take(2));
  model.thread([&s] { (void)s.store.trim(); });
  model.thread([&s] {
    const BlockChain chain = s.take();
    check(chain.count == 1, "it has one");
    s.give(chain);
  });
}

// --- the end of a pool

// The store is that of no pool any more: it is the next pool's, and only the next one's.
void over_at_end(Model& model, Pool& s) {
  model.at_end([&s] {
    Pool next(1);
    check(&next.store == &s.store, "the store has ended");
    Pool further(1);
    check(&further.store != &s.store, "it has ended once");
    further.store.abandon();
    next.store.abandon();
  });
}

// Each of `Threads` has a block, which it gives back; a further one lies on a shelf.
template <int Threads>
void abandoned(Model& model) {
  auto& s = model.make<Pool>(Threads + 1);
  over_at_end(model, s);
  std::array<BlockChain, Threads> held;
  for (BlockChain& chain : held) chain = s.try_take();
  s.give(s.try_take());
  for (const BlockChain& mine : held) {
    model.thread([&s, mine] { s.give(mine); });
  }
  model.thread([&s] { s.store.abandon(); });
}

// A buffer that becomes longer meanwhile, of a pool that was not extended to its end.
template <std::uint32_t Wanted>
void abandoned_beside_a_take(Model& model) {
  auto& s = model.make<Pool>(2, 4);
  over_at_end(model, s);
  const BlockChain mine = s.try_take();
  model.thread([&s, mine] {
    s.give(s.try_take(Wanted));
    s.give(mine);
  });
  model.thread([&s] { s.store.abandon(); });
}

// The thread that gives back is told that somebody waits, who leaves and is the last to use the
// pool.
void abandoned_after_a_wait(Model& model) {
  auto& s = model.make<Pool>(1);
  over_at_end(model, s);
  const BlockChain mine = s.try_take();
  model.thread([&s] {
    s.give(s.take_in_time());
    s.store.abandon();
  });
  model.thread([&s, mine] { s.give(mine); });
}

// The store is another pool's while the thread that has given its last block looks at the shelf.
void used_again(Model& model) {
  struct State {
    State() : next_held{Plain<int>(0), Plain<int>(0)} {}
    Pool first{1};
    std::array<Plain<int>, 2> next_held;
  };
  auto& s = model.make<State>();
  const BlockChain mine = s.first.try_take();
  model.thread([&s, mine] { s.first.give(mine); });
  model.thread([&s] {
    s.first.store.abandon();
    Pool next(1);
    const BlockChain chain = next.take();
    check(chain.count == 1, "it has one");
    next.give(chain);
    const BlockChain again = next.take();
    check(again.count == 1, "it has it again");
    next.give(again);
    next.store.abandon();
  });
  model.at_end([&s] {
    Pool one(1);
    Pool other(1);
    check(&one.store == &s.first.store || &other.store == &s.first.store, "the first has ended");
    check(&one.store != &other.store, "none has ended twice");
    one.store.abandon();
    other.store.abandon();
  });
}

constexpr Scenario scenarios[] = {
    {"tried", tried<2>},
    {"tried_by_three", tried<3>},
    {"tried_of_three", tried_of_three},
    {"one", one<2>},
    {"one_for_three", one<3>},
    {"both_or_one", both_or_one},
    {"given_back_by_two", given_back_by_two},
    {"nobody_passes", nobody_passes},
    {"block_or_timeout", block_or_timeout},
    {"block_or_stop", block_or_stop},
    {"on_another_shelf", on_another_shelf},
    {"extended_by_two", extended<2>},
    {"extended_by_three", extended<3>},
    {"extended_for_several", extended_for_several},
    {"extended_meanwhile", extended_meanwhile},
    {"trimmed", trimmed},
    {"abandoned", abandoned<1>},
    {"abandoned_by_two", abandoned<2>},
    {"abandoned_beside_a_take", abandoned_beside_a_take<1>},
    {"abandoned_beside_an_extension", abandoned_beside_a_take<3>},
    {"abandoned_beside_a_vain_take", abandoned_beside_a_take<4>},
    {"abandoned_after_a_wait", abandoned_after_a_wait},
    {"used_again", used_again},
};

}  // namespace

std::span<const Scenario> block_store_scenarios() { return scenarios; }

}  // namespace rouse::test::model
