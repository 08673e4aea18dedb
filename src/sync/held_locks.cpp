#include "sync/held_locks.hpp"

#include "detail/complain.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <string_view>

namespace rouse::detail {
namespace {

struct Held {
  const RWLock* lock = nullptr;
  std::uint32_t shared = 0;
  bool exclusive = false;
};

// Of a fixed size: an unlock may not allocate. A thread that has more locks at once is not checked
// any more.
struct Ledger {
  std::array<Held, 64> entries;
  bool overflowed = false;

  Held* find(const RWLock* lock) noexcept {
    Held* const found = std::ranges::find(entries, lock, &Held::lock);
    return found == entries.end() ? nullptr : found;
  }
};
constinit thread_local Ledger ledger;

[[noreturn]] void misuse(const RWLock& lock, std::string_view what, std::string_view why) noexcept {
  char address[2 * sizeof(void*)] = {};
  char* const end = std::to_chars(std::begin(address), std::end(address),
                                  reinterpret_cast<std::uintptr_t>(&lock), 16)
                        .ptr;
  complain({"RWLock 0x", std::string_view(address, end), ": ", what, why});
  std::terminate();
}

}  // namespace

void HeldLocks::check_free(const RWLock& lock, const char* call) noexcept {
  if (ledger.find(&lock) != nullptr) {
    misuse(lock, call, " by a thread that has it already: it could wait for itself for ever");
  }
}

void HeldLocks::check_held(const RWLock& lock, Mode mode, const char* call) noexcept {
  const Held* const held = ledger.find(&lock);
  const bool exclusive = held != nullptr && held->exclusive;
  const bool shared = held != nullptr && held->shared != 0;
  if (mode == Mode::exclusive ? exclusive : shared) return;
  if (ledger.overflowed && held == nullptr) return;
  if (exclusive) misuse(lock, call, " by a thread that has it exclusively");
  if (shared) misuse(lock, call, " by a thread that only shares it");
  misuse(lock, call, " by a thread that does not have it");
}

void HeldLocks::record(const RWLock& lock, Mode mode) noexcept {
  Held* held = ledger.find(&lock);
  if (held == nullptr) held = ledger.find(nullptr);
  if (held == nullptr) {
    ledger.overflowed = true;
    return;
  }
  held->lock = &lock;
  if (mode == Mode::exclusive) {
    held->exclusive = true;
  } else {
    ++held->shared;
  }
}

void HeldLocks::erase(const RWLock& lock, Mode mode) noexcept {
  Held* const held = ledger.find(&lock);
  if (held == nullptr) return;
  if (mode == Mode::exclusive) {
    held->exclusive = false;
  } else {
    --held->shared;
  }
  if (!held->exclusive && held->shared == 0) held->lock = nullptr;
}

void HeldLocks::destroyed_while_held(const RWLock& lock) noexcept {
  misuse(lock, "destroyed", " while a thread has it or waits for it");
}

}  // namespace rouse::detail
