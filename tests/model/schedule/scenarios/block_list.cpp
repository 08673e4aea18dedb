// The list of free blocks: each goes to one thread, with what was written before it was pushed; one
// that was popped and has come back is not mistaken for one that has stayed.

#include "resource/block_list.hpp"

#include "model/schedule/scenarios/areas.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace rouse::test::model {
namespace {

using detail::BlockChain;
using detail::BlockLink;
using detail::BlockList;

struct List {
  /// Has blocks 1 to `count`, the first of which is the first to go.
  explicit List(std::uint32_t count) : all(count) {
    list.reset(links.data());
    for (std::uint32_t block = count; block > 0; --block) list.push({block, block, 1});
  }

  /// At most so many, as a chain that is the caller's.
  BlockChain pop(std::uint32_t most = 1) {
    const BlockChain chain = list.pop(most);
    check(chain.count <= most, "not more than asked for");
    change(chain, 0, 1);
    return chain;
  }
  void push(const BlockChain& chain) {
    if (chain.count == 0) return;
    change(chain, 1, 0);
    list.push(chain);
  }
  BlockChain chain_of_two(const BlockChain& first, const BlockChain& second) {
    links[first.last].next.store(second.first, std::memory_order_relaxed);
    return {first.first, second.last, 2};
  }

  const std::uint32_t all;
  std::array<BlockLink, 5> links;
  std::array<Plain<int>, 5> taken;  // by block, how often
  BlockList list;

 private:
  void change(const BlockChain& chain, int from, int to) {
    std::uint32_t block = chain.first;
    for (std::uint32_t left = chain.count; left > 0; --left) {
      check(taken[block].read() == from, "a block is taken once");
      taken[block].write(to);
      if (left > 1) block = links[block].next.load(std::memory_order_relaxed);
    }
    check(block == chain.last, "the chain ends with its last");
  }
};

// What nobody has kept is still there at the end.
List& list(Model& model, std::uint32_t count) {
  auto& s = model.make<List>(count);
  model.at_end([&s] {
    while (s.pop().count != 0) {
    }
    for (std::uint32_t block = 1; block <= s.all; ++block) {
      check(s.taken[block].read() == 1, "no block is lost");
    }
  });
  return s;
}

template <int Threads>
void popped_and_pushed(Model& model) {
  auto& s = list(model, 2);
  for (int i = 0; i < Threads; ++i) {
    model.thread([&s] { s.push(s.pop()); });
  }
}

// The first is the first again, and what comes after it is another's.
void comes_back(Model& model) {
  auto& s = list(model, 3);
  model.thread([&s] { s.pop(); });
  model.thread([&s] {
    const BlockChain first = s.pop();
    s.pop();
    s.push(first);
  });
}

// The same, with another thread that takes several at once.
void comes_back_beside_several(Model& model) {
  auto& s = list(model, 3);
  model.thread([&s] { s.pop(2); });
  model.thread([&s] {
    const BlockChain first = s.pop();
    const BlockChain second = s.pop();
    s.push(first);
    s.push(second);
  });
}

void several_pushed(Model& model) {
  auto& s = list(model, 3);
  const BlockChain chain = s.pop(2);
  model.thread([&s, chain] { s.push(chain); });
  model.thread([&s] { s.pop(3); });
  model.thread([&s] { s.push(s.pop()); });
}

// Those that have come first carry what they had, though another was pushed on top of them.
void pushed_by_two(Model& model) {
  auto& s = list(model, 2);
  for (const std::uint32_t block : {1U, 2U}) {
    const BlockChain mine = s.pop();
    check(mine.first == block, "the first is the first to go");
    model.thread([&s, mine] { s.push(mine); });
  }
  model.thread([&s] { s.pop(2); });
}

// In another order than before.
void order_changes(Model& model) {
  auto& s = list(model, 2);
  model.thread([&s] {
    const BlockChain first = s.pop();
    const BlockChain second = s.pop();
    if (first.count == 0 || second.count == 0) return;
    s.push(s.chain_of_two(second, first));
  });
  model.thread([&s] { s.push(s.pop(2)); });
}

constexpr Scenario scenarios[] = {
    {"popped_and_pushed", popped_and_pushed<2>},
    {"popped_and_pushed_by_three", popped_and_pushed<3>},
    {"comes_back", comes_back},
    {"comes_back_beside_several", comes_back_beside_several},
    {"several_pushed", several_pushed},
    {"pushed_by_two", pushed_by_two},
    {"order_changes", order_changes},
};

}  // namespace

std::span<const Scenario> block_list_scenarios() { return scenarios; }

}  // namespace rouse::test::model
