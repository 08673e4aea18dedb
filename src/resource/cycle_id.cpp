#include "rouse/resource/cycle_id.hpp"

#include "rouse/detail/thread_name.hpp"

#include "resource/boot_file.hpp"

#include <arpa/inet.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <span>
#include <stdexcept>
#include <system_error>

namespace rouse {
namespace {

// CRC-32 as zlib has it, bit by bit: for 16 bytes.
std::uint32_t crc32_of(std::span<const std::uint8_t> bytes) noexcept {
  constexpr std::uint32_t polynomial = 0xEDB88320;
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
  }
  return ~crc;
}

std::uint32_t big_endian(std::span<const std::uint8_t, 4> bytes) noexcept {
  std::uint32_t number = 0;
  for (const std::uint8_t byte : bytes) number = number << 8 | byte;
  return number;
}

std::uint32_t address_of(std::string_view ip) {
  constexpr std::array<std::uint8_t, 12> mapped_from_ipv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  const std::string text(ip);
  if (text.find('\0') == std::string::npos) {
    std::array<std::uint8_t, 4> v4{};
    if (::inet_pton(AF_INET, text.c_str(), v4.data()) == 1) return big_endian(v4);
    std::array<std::uint8_t, 16> v6{};
    if (::inet_pton(AF_INET6, text.c_str(), v6.data()) == 1) {
      const std::span all(v6);
      if (std::ranges::equal(all.first<12>(), mapped_from_ipv4)) return big_endian(all.last<4>());
      return crc32_of(all);
    }
  }
  throw std::invalid_argument("CycleIdGenerator: '" + detail::printable(text) +
                              "' is neither an IPv4 nor an IPv6 address");
}

std::uint16_t checked_port(std::int64_t port) {
  if (port < 0 || port > 65535) {
    throw std::invalid_argument("CycleIdGenerator: port " + std::to_string(port) +
                                (port < 0 ? " is negative" : " is above 65535"));
  }
  return static_cast<std::uint16_t>(port);
}

std::uint64_t high_half(std::string_view ip, std::int64_t port, const CycleIdOptions& options) {
  const std::uint32_t address = address_of(ip);
  const std::uint16_t checked = checked_port(port);
  // Last: a number is not taken for arguments that are refused.
  const std::uint16_t boot =
      options.boot_file.empty() ? std::uint16_t{0} : detail::take_boot_number(options.boot_file);
  return CycleId(address, checked, boot, 0).id().high;
}

void* shared_page(std::size_t size) {
  void* const page =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "CycleIdGenerator: mmap");
  }
  return page;
}

}  // namespace

std::string CycleId::address_text() const {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (!text.empty()) text += '.';
    text += std::to_string(address() >> shift & 0xFF);
  }
  return text;
}

CycleIdGenerator::CycleIdGenerator(std::string_view ip, std::int64_t port,
                                   const CycleIdOptions& options)
    : high_(high_half(ip, port, options)),
      counter_(::new (shared_page(sizeof(Counter)))
                   Counter(static_cast<std::uint64_t>(detail::os::calendar_ns()))) {
  static_assert(Counter::is_always_lock_free, "a lock would not be shared with other processes");
}

CycleIdGenerator::~CycleIdGenerator() { ::munmap(counter_, sizeof(Counter)); }

}  // namespace rouse
