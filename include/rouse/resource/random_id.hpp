#pragma once
// uuid4, uuid7, random_string, random_bytes: what nobody can guess, and UUIDs that sort by time.
//
/// @code
///   const rouse::Id128 session = rouse::uuid4();
///   std::cout << session.to_uuid() << '\n';  // 2f1b4a5e-93c1-4f0e-8b5d-0c6a7e1d2f3b
///
///   const rouse::Id128 first = rouse::uuid7();
///   const rouse::Id128 second = rouse::uuid7();
///   std::cout << (first < second) << '\n';  // 1
///
///   const std::string password = rouse::random_string(22);
///   const std::string pin = rouse::random_string(6, "0123456789");
///
///   std::array<std::byte, 32> key;
///   rouse::random_bytes(key);
/// @endcode
//
// All come from the kernel (getrandom(2)), and there is no weaker source to fall back to: for each
// 3,840 bytes a thread takes a key of 256 bits, of which ChaCha20 makes them; the key is not kept.
//
// Guarantee:
//   uuid4: 122 random bits. Unique by chance: among 10^12 of them, wherever they are made, two are
//     the same with a probability of 10^-13. Unguessable: fit for a secret.
//   uuid7: the time to the nanosecond (68 bits), and 54 random bits. Two of one
//     process, without its forked children, are never the same. Of different processes only those
//     that have the same time to the nanosecond can be, one such pair in 10^16. Tells everybody
//     when it was made; who knows the time has 54 bits left to guess: no secret.
//   random_string: each character of the alphabet is as likely as the others. Of letters and digits
//     each has 5.95 bits: 22 make more than a uuid4 has, 43 make 256 bits. Unguessable.
//   A forked child never has bytes that its parent has, or other children, also where it was made
//     by clone(2). But a virtual machine that is resumed twice from one image has the bytes twice
//     that its threads then had in advance.
//
// Thread safety: all functions, any thread, also while it ends. A signal handler may call uuid4,
//   uuid7 and random_bytes, also if it interrupts them, once its thread has called one of them
//   before; both get bytes of their own.
// Ordering: of two calls of uuid7 in any threads of a process, if one happens before the other, it
//   returns the smaller id. Otherwise none.
// Cost: a page (4 KiB) for each thread, which holds random bytes in advance; used ones are wiped
//   out. Each 240 of uuid4 cost a system call. uuid7 adds a compare-and-swap on one word for all
//   threads. Design: docs/design/ids.md.

#include "rouse/resource/id128.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace rouse {

/// A random UUID: RFC 9562, version 4. Blocks only if the system has just booted and its generator
/// is not yet seeded; so do all functions here. Throws std::system_error if the kernel refuses
/// random bytes.
[[nodiscard, gnu::visibility("default")]] Id128 uuid4();

/// A UUID that begins with the time of the calendar: RFC 9562, version 7. Greater than all that
/// this process has made before: while the clock stands still, or after it was set back, ids go on
/// from the latest time that there was, by a 2^20th of a millisecond (0.95 ns) each. There is no
/// counter that could overflow. Times before 1970 count as 1970. Throws as uuid4() does.
[[nodiscard, gnu::visibility("default")]] Id128 uuid7();

inline constexpr std::string_view letters_and_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `n` characters, each taken from `alphabet` at random, without a preference for any. The alphabet
/// is one of bytes: 2 to 256, none of them twice. Otherwise, also with n = 0, throws
/// std::invalid_argument that says which byte is there twice. Throws std::system_error as uuid4()
/// does, std::bad_alloc, and std::length_error if no string is so long.
[[nodiscard, gnu::visibility("default")]] std::string random_string(
    std::size_t n, std::string_view alphabet = letters_and_digits);

/// Overwrites `bytes` with random ones. Throws as uuid4() does; then they are unspecified.
[[gnu::visibility("default")]] void random_bytes(std::span<std::byte> bytes);

}  // namespace rouse
