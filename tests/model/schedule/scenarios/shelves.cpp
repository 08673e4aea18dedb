// The shelves without restartable sequences, two of them with two places each: each block goes to
// one thread, with what was written before it was put; who has closed them finds all that is there,
// and nothing comes later.

#include "resource/shelves.hpp"

#include "model/schedule/scenarios/areas.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace rouse::test::model {
namespace {

using detail::Shelves;

struct Blocks {
  Blocks() { shelves.open(); }

  /// One of this CPU's, which is the caller's then, or 0.
  std::uint32_t take() {
    const std::uint32_t block = shelves.take();
    if (block != 0) taken(block);
    return block;
  }
  /// What is not put is the caller's.
  bool put(std::uint32_t block) {
    held[block].write(0);
    const bool is_put = shelves.put(block);
    if (!is_put) held[block].write(1);
    return is_put;
  }
  void close_and_clear() {
    shelves.close();
    shelves.clear([this](std::uint32_t block) { taken(block); });
  }

  void taken(std::uint32_t block) {
    check(held[block].read() == 0, "a block is taken once");
    held[block].write(1);
  }

  Shelves shelves;
  std::array<Plain<int>, 4> held;  // by block: whether somebody has it
};

// Those that nobody has at the end are on the shelves. If somebody waits for all, none is there.
Blocks& blocks(Model& model, bool awaited = false) {
  auto& s = model.make<Blocks>();
  for (const std::uint32_t block : {1U, 2U, 3U}) s.held[block].write(1);
  model.at_end([&s, awaited] {
    check(s.shelves.closers() == (awaited ? 1 : 0), "as often open as closed");
    if (awaited) {
      check(s.shelves.count() == 0, "nothing is out of reach of who has closed them");
      check(s.take() == 0, "they give nothing");
    }
    s.close_and_clear();
    for (const std::uint32_t block : {1U, 2U, 3U}) {
      check(s.held[block].read() == 1, "no block is lost");
    }
  });
  return s;
}

void put_and_taken(Model& model) {
  auto& s = blocks(model);
  s.put(1);
  for (const std::uint32_t block : {2U, 3U}) {
    model.thread([&s, block] {
      s.put(block);
      s.take();
    });
  }
}

void taken_by_two(Model& model) {
  auto& s = blocks(model);
  s.put(1);
  s.put(2);
  model.thread([&s] {
    if (const std::uint32_t block = s.take()) s.put(block);
  });
  model.thread([&s] {
    s.take();
    s.take();
  });
}

// Each on its own, which two of the three share.
void on_different_cpus(Model& model) {
  auto& s = blocks(model);
  model.on_different_cpus();
  for (const std::uint32_t block : {1U, 2U, 3U}) {
    model.thread([&s, block] {
      s.put(block);
      s.take();
    });
  }
}

// More blocks than places.
void full(Model& model) {
  auto& s = blocks(model);
  s.put(1);
  for (const std::uint32_t block : {2U, 3U}) {
    model.thread([&s, block] { s.put(block); });
  }
}

template <int Closers>
void put_beside_a_close(Model& model) {
  auto& s = blocks(model, true);
  model.thread([&s] { s.put(1); });
  for (int i = 0; i < Closers; ++i) {
    model.thread([&s, i] {
      s.close_and_clear();
      if (i > 0) s.shelves.open();
    });
  }
}

// Closed, open again, and closed by another, while one puts.
void put_beside_closes(Model& model) {
  auto& s = blocks(model);
  model.thread([&s] { s.put(1); });
  model.thread([&s] {
    s.close_and_clear();
    s.shelves.open();
    s.put(2);
  });
}

// Who takes it back may have lost it to one who takes, or puts it again.
void put_and_taken_beside_a_close(Model& model) {
  auto& s = blocks(model, true);
  model.thread([&s] { s.put(1); });
  model.thread([&s] {
    if (const std::uint32_t block = s.take()) s.put(block);
  });
  model.thread([&s] { s.close_and_clear(); });
}

// What was there before is found by one who closes, or by one who takes.
void taken_beside_a_close(Model& model) {
  auto& s = blocks(model, true);
  s.put(1);
  s.put(2);
  model.thread([&s] { s.take(); });
  model.thread([&s] { s.close_and_clear(); });
  model.thread([&s] {
    s.close_and_clear();
    s.shelves.open();
  });
}

constexpr Scenario scenarios[] = {
    {"put_and_taken", put_and_taken},
    {"taken_by_two", taken_by_two},
    {"on_different_cpus", on_different_cpus},
    {"full", full},
    {"put_beside_a_close", put_beside_a_close<1>},
    {"put_beside_two_who_close", put_beside_a_close<2>},
    {"put_beside_closes", put_beside_closes},
    {"put_and_taken_beside_a_close", put_and_taken_beside_a_close},
    {"taken_beside_a_close", taken_beside_a_close},
};

}  // namespace

std::span<const Scenario> shelves_scenarios() { return scenarios; }

}  // namespace rouse::test::model
