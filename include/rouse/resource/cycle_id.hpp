#pragma once
// CycleIdGenerator: ids of 128 bits that tell where they were made, and that come in order.
//
/// @code
///   rouse::CycleIdGenerator ids("192.0.2.7", 8080);
///   const rouse::Id128 id = ids.next();
///   std::cout << id << '\n';
///
///   const rouse::CycleId parts(id);
///   std::cout << parts.address_text() << ':' << parts.port() << '\n';  // 192.0.2.7:8080
/// @endcode
//
// The high half of an id is the address (32 bits), the port (16) and the boot number (16). The low
// half is a counter that starts at the time of construction, in nanoseconds since 1970, and goes on
// by one with each id; after 2^64 - 1 comes 0.
//
// Guarantee: two ids are equal only if their generators have the same address, port and boot number
//   and their counters meet. So, for one address and port:
//   - A generator repeats no id until it has made 2^64, also if the process forks: parent and
//     children go on with one counter.
//   - With a boot file, of 65,536 generators that are made one after the other no two have the same
//     boot number. When it has come round an id repeats only if the counter, too, is where it was.
//   - Without a boot file the number is 0, and there must be one generator at a time. One that
//     starts at S and makes n ids is repeated by a later one only if that starts before S + n: if
//     the clock was put back by more than the nanoseconds in which no id was made.
//   - reset_next() leaves all that to the caller.
//   Guessable: who knows one id knows the others. They are names, not secrets.
// Thread safety: all functions, any thread. next() takes no lock; signal handlers may use it.
// Ordering: the counters of one generator increase, until they wrap: of two calls of which one
//   happens before the other the later one has the larger counter. Calls order nothing else.
// Lifetime: a generator outlives its calls. One for the whole process, which may be used while the
//   program exits, is made with new and never deleted:
//     static auto& ids = *new rouse::CycleIdGenerator(ip, port);
// Cost: next() is one atomic addition. A generator has a page of memory (mmap), which forked
//   children share. Design: docs/design/ids.md.

#include "rouse/detail/os.hpp"
#include "rouse/resource/id128.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rouse {

struct CycleIdOptions {
  /// A file that holds the number of the last boot: decimal digits and a newline. The constructor
  /// adds one, modulo 65,536, replaces the file atomically and durably, and takes the new number;
  /// it makes a file that is not there, with 1. Beside it lies <boot_file>.lock, which stays, and
  /// for a moment <boot_file>.new. The directory is only written to by who may choose the numbers.
  /// Empty: the boot number is 0.
  std::string boot_file = {};
};

/// The parts of such an id. A value.
class CycleId {
 public:
  constexpr explicit CycleId(Id128 id) noexcept : id_(id) {}
  constexpr CycleId(std::uint32_t address, std::uint16_t port, std::uint16_t boot,
                    std::uint64_t counter) noexcept
      : id_{std::uint64_t{address} << 32 | std::uint64_t{port} << 16 | boot, counter} {}

  [[nodiscard]] constexpr Id128 id() const noexcept { return id_; }

  /// As a number: 192.0.2.7 is 0xC0000207. What an IPv6 address was shortened to, if it was one.
  [[nodiscard]] constexpr std::uint32_t address() const noexcept {
    return static_cast<std::uint32_t>(id_.high >> 32);
  }
  /// As four decimal numbers. Throws std::bad_alloc.
  [[nodiscard, gnu::visibility("default")]] std::string address_text() const;

  [[nodiscard]] constexpr std::uint16_t port() const noexcept {
    return static_cast<std::uint16_t>(id_.high >> 16);
  }
  /// 0 without a boot file.
  [[nodiscard]] constexpr std::uint16_t boot() const noexcept {
    return static_cast<std::uint16_t>(id_.high);
  }
  [[nodiscard]] constexpr std::uint64_t counter() const noexcept { return id_.low; }

  friend constexpr bool operator==(const CycleId&, const CycleId&) noexcept = default;

 private:
  Id128 id_;
};

class [[gnu::visibility("default")]] CycleIdGenerator {
 public:
  /// `ip` is an IPv4 address (192.0.2.7), or an IPv6 address (2001:db8::7), as a number, not a
  /// name. One that is mapped from IPv4 (::ffff:192.0.2.7) counts as that. Another one is shortened
  /// to the CRC-32 of its 16 bytes, as zlib and Ethernet have it: two of them, or one and an IPv4
  /// address, may collide, by a chance of 1 in 2^32 for each pair.
  ///
  /// Throws std::invalid_argument that says what is wrong with the address or the port (0 to
  /// 65535); std::system_error, which names the file, if the boot file cannot be read or replaced;
  /// std::runtime_error that quotes it if it holds anything else than a number; std::bad_alloc.
  ///
  /// With a boot file it blocks while it writes, and while other generators do, at most 10 s: then
  /// it throws std::system_error (timed_out). It looks every millisecond whether the lock is free,
  /// since flock(2) has no wait that ends; a stop ends that with Stopped.
  CycleIdGenerator(std::string_view ip, std::int64_t port, const CycleIdOptions& options = {});
  ~CycleIdGenerator();

  CycleIdGenerator(const CycleIdGenerator&) = delete;
  CycleIdGenerator& operator=(const CycleIdGenerator&) = delete;

  /// Never blocks, allocates nothing.
  [[nodiscard]] Id128 next() noexcept {
    return {high_, counter_->fetch_add(1, std::memory_order_relaxed)};
  }

  /// The next id has this counter, also in processes forked from this one, or from which it was.
  /// For those who keep the counter somewhere: ids may come that came before. A call of next() that
  /// is under way may count as before or after.
  void reset_next(std::uint64_t counter) noexcept {
    counter_->store(counter, std::memory_order_relaxed);
  }

  /// As in each of its ids.
  [[nodiscard]] std::uint32_t address() const noexcept { return CycleId({high_, 0}).address(); }
  [[nodiscard]] std::uint16_t port() const noexcept { return CycleId({high_, 0}).port(); }
  [[nodiscard]] std::uint16_t boot() const noexcept { return CycleId({high_, 0}).boot(); }

 private:
  using Counter = detail::Atomic<std::uint64_t>;

  const std::uint64_t high_;
  Counter* const counter_;  // in memory that forked children share
};

}  // namespace rouse
