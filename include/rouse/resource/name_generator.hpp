#pragma once
// NameGenerator: names that are unique on a host, for files, connections, jobs, lines of a log.
//
/// @code
///   const rouse::NameGenerator names("web");
///   std::cout << names.next() << '\n';  // web-4711-4714-1763823287123456789
///   std::cout << names.next() << '\n';  // web-4711-4714-1763823287123456790
///
///   rouse::NameGenerator::Buffer buffer;  // without an allocation
///   const std::string_view name = names.next(buffer);
///
///   std::cout << rouse::process_names().next() << '\n';  // begins with the name of the host
/// @endcode
//
// A name is `prefix-pid-thread-number`: the ids of process and thread as the kernel has them, and a
// number that goes up by one from name to name, for all generators of a process together. The first
// one is the time in nanoseconds since 1970, or 10,000 if the clock shows less.
// The prefix is what the generator was given, with each byte as %2F that is not a letter of ASCII,
// a digit, '.', '_' or '-', and with a '.' or '-' in front as well: a name is at most 255 bytes
// long, and safe in a shell, a log and as the name of a file, which is not hidden. Different
// prefixes stay different; they are told apart by case.
// Guarantee: on a host, or in a pid namespace of it, no name comes twice. Within a process its
//   number is unique, also after threads have ended whose ids others get. Processes that live at
//   the same time have different pids. A later process with the pid of an earlier one has greater
//   numbers, also after the host was started anew, as long as its first name comes at a later time
//   on the calendar than the earlier one's, by a nanosecond for each name that this one made: so if
//   nobody has set the clock back by all that lies between them.
//   A child of fork() has its own pid in its first name, and numbers from its own time on. A child
//   of vfork() must not make names; one of clone(2) without fork() has its own pid, but goes on
//   with its parent's numbers. Anybody can guess names: they are no secrets.
//
// Thread safety: all functions, any thread, also while it ends. Not in signal handlers.
// Ordering: of two names, if making one happens before making the other, its number is smaller.
// Lifetime: a value; copies go on with the same numbers, so their names differ.
// Cost: a std::string; a page (4 KiB) for each thread, which is that of random ids (random_id.hpp);
//   an atomic addition. Design: docs/design/ids.md.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace rouse {

class [[gnu::visibility("default")]] NameGenerator {
 public:
  /// In bytes: the longest prefix, escaped, and the longest name.
  static constexpr std::size_t max_prefix = 200;
  static constexpr std::size_t max_size = 255;

  using Buffer = std::array<char, max_size>;

  /// With the name of the host, as it is now. Throws as the other constructor does, and
  /// std::system_error if the system does not tell it.
  NameGenerator();

  /// Throws std::invalid_argument if `prefix` is empty or has control bytes (its message names the
  /// first), std::length_error if it is longer than `max_prefix`, and std::bad_alloc.
  explicit NameGenerator(std::string_view prefix);

  /// The next name. Never blocks. Throws std::bad_alloc.
  [[nodiscard]] std::string next() const;
  /// The same in `buffer`, without a zero at the end.
  [[nodiscard]] std::string_view next(Buffer & buffer) const noexcept;

  /// As it stands in the names: escaped.
  [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }

 private:
  std::string prefix_;
};

/// A generator with the name of the host, which is there from the first call on and never
/// destroyed. The first call throws as the constructor does.
[[nodiscard, gnu::visibility("default")]] const NameGenerator& process_names();

}  // namespace rouse
