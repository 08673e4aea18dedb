#include "rouse/resource/name_generator.hpp"

#include "rouse/detail/os.hpp"

#include "resource/thread_page.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace rouse {
namespace detail {
namespace {

using NameText = ThreadPage::Name;

// The last digits of a number, which change from name to name. What is before them stands in the
// page of the thread.
constexpr std::size_t last_digits = 4;
constexpr std::uint64_t group_size = 10'000;

// A hyphen before each, the digits of an int (no id is negative), and those of a number.
constexpr std::size_t longest_text = 3 + 10 + 10 + 20 - last_digits;
static_assert(longest_text <= std::tuple_size_v<decltype(NameText::text)>);
static_assert(NameGenerator::max_prefix + std::tuple_size_v<decltype(NameText::text)> +
                  last_digits <=
              NameGenerator::max_size);

// Of all names of this process. 0: there is none yet.
constinit Atomic<std::uint64_t> next_number{0};

void begin_numbers() noexcept {
  const auto first = static_cast<std::uint64_t>(
      std::max(os::calendar_ns(), static_cast<std::int64_t>(group_size)));
  std::uint64_t none = 0;
  next_number.compare_exchange_strong(none, first, std::memory_order_relaxed);
}

// Later processes with the child's pid may descend from the same parent: the child's numbers must
// begin at a time of its own. Its thread's page is emptied here too, since handlers of the program
// may make names before that of ThreadPage is called.
[[gnu::constructor]] void begin_numbers_in_children() noexcept {
  ::pthread_atfork(nullptr, nullptr, [] {
    next_number.store(0, std::memory_order_relaxed);
    if (ThreadPage* const page = ThreadPage::current_or_null()) page->name.group = 0;
  });
}

void rewrite(NameText& name, std::uint64_t group) noexcept {
  char* const begin = name.text.data();
  char* const end = begin + name.text.size();
  char* to = begin;
  const auto append = [&](auto number) {
    *to++ = '-';
    to = std::to_chars(to, end, number).ptr;
  };
  append(::getpid());
  append(os::thread_id());
  append(group);
  name.size = static_cast<std::size_t>(to - begin);
  name.group = group;
}

// Relaxed: all that is promised is the order of the changes of this one word.
std::uint64_t take_number() noexcept { return next_number.fetch_add(1, std::memory_order_relaxed); }

constexpr std::array<char, 200> two_digits = [] {
  std::array<char, 200> table{};
  for (std::size_t i = 0; i < 100; ++i) {
    table[2 * i] = static_cast<char>('0' + i / 10);
    table[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return table;
}();

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, sizeof name) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "rouse: gethostname for a NameGenerator");
  }
  return name;
}

bool stands_for_itself(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

[[noreturn]] void throw_too_long(std::size_t size, const char* what) {
  throw std::length_error("NameGenerator: the prefix has " + std::to_string(size) + " bytes" +
                          what + ", more than " + std::to_string(NameGenerator::max_prefix));
}

std::string escaped(std::string_view prefix) {
  constexpr const char* digits = "0123456789ABCDEF";
  if (prefix.empty()) throw std::invalid_argument("NameGenerator: the prefix is empty");
  if (prefix.size() > NameGenerator::max_prefix) throw_too_long(prefix.size(), "");
  std::string text;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    const char c = prefix[i];
    const auto byte = static_cast<unsigned char>(c);
    const char hex[] = {digits[byte >> 4], digits[byte & 0xF]};
    if (byte < 0x20 || byte == 0x7F) {
      throw std::invalid_argument("NameGenerator: control byte 0x" + std::string(hex, sizeof hex) +
                                  " at position " + std::to_string(i + 1) + " of the prefix");
    }
    const bool plain = stands_for_itself(c) && (i != 0 || (c != '.' && c != '-'));
    if (plain) {
      text += c;
    } else {
      text += '%';
      text.append(hex, sizeof hex);
    }
  }
  if (text.size() > NameGenerator::max_prefix) throw_too_long(text.size(), " when escaped");
  return text;
}

}  // namespace
}  // namespace detail

NameGenerator::NameGenerator() : NameGenerator(detail::host_name()) {}

NameGenerator::NameGenerator(std::string_view prefix) : prefix_(detail::escaped(prefix)) {}

std::string NameGenerator::next() const {
  Buffer buffer;
  return std::string(next(buffer));
}

std::string_view NameGenerator::next(Buffer& buffer) const noexcept {
  detail::NameText unkept{};
  detail::ThreadPage* const page = detail::ThreadPage::current();
  detail::NameText& name = page != nullptr ? page->name : unkept;
  // Every thread comes by here before its first number, and so does a child.
  if (name.group == 0) [[unlikely]] {
    detail::begin_numbers();
  }
  const std::uint64_t number = detail::take_number();
  const std::uint64_t group = number / detail::group_size;
  if (group != name.group) [[unlikely]] {
    detail::rewrite(name, group);
  }
  char* to = buffer.data();
  std::memcpy(to, prefix_.data(), prefix_.size());
  to += prefix_.size();
  // All of it, since a copy of known size is a few instructions; the buffer has room.
  std::memcpy(to, name.text.data(), name.text.size());
  to += name.size;
  const auto last = static_cast<std::size_t>(number % detail::group_size);
  std::memcpy(to, &detail::two_digits[last / 100 * 2], 2);
  std::memcpy(to + 2, &detail::two_digits[last % 100 * 2], 2);
  to += detail::last_digits;
  return {buffer.data(), static_cast<std::size_t>(to - buffer.data())};
}

const NameGenerator& process_names() {
  // Not a static variable: a fork in the middle of its making would leave a child that waits for
  // it.
  static constinit detail::Atomic<const NameGenerator*> made{nullptr};
  // Acquire: partner is the exchange by who has made it.
  const NameGenerator* names = made.load(std::memory_order_acquire);
  if (names == nullptr) {
    auto mine = std::make_unique<const NameGenerator>();
    if (made.compare_exchange_strong(names, mine.get(), std::memory_order_acq_rel)) {
      names = mine.release();
    }
  }
  return *names;
}

}  // namespace rouse
