#include "rouse/resource/random_id.hpp"

#include "rouse/detail/os.hpp"

#include "resource/chacha20.hpp"
#include "resource/thread_page.hpp"
#include "resource/uuid_layout.hpp"

#include <string.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace rouse {
namespace detail {
namespace {

void ask_kernel(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "rouse: getrandom for random ids");
    }
  }
}

using Random = ThreadPage::Random;

// While it lives a signal handler of this thread keeps away from its random bytes.
class Busy {
 public:
  explicit Busy(Random& random) noexcept : random_(random) {
    random_.busy.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~Busy() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    random_.busy.store(0, std::memory_order_relaxed);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

  /// A signal handler has forked, and this is the child: the page was emptied meanwhile.
  [[nodiscard]] bool disturbed() const noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return random_.busy.load(std::memory_order_relaxed) == 0;
  }

 private:
  Random& random_;
};

// With a key for each time, which nobody has afterwards. The kernel would make the bytes in the
// same way, at four times the price.
// Returns how many bytes there are.
[[gnu::noinline]] std::uint32_t refill(Random& random) {
  random.left.store(0, std::memory_order_relaxed);
  ChaCha20Key key;
  ask_kernel(std::as_writable_bytes(std::span(key)));
  chacha20_stream(key, random.bytes);
  ::explicit_bzero(&key, sizeof key);
  return Random::capacity;
}

// False: what was taken is nothing, and there is to be another try.
template <std::size_t size>
bool take(Random& random, std::span<std::byte, size> bytes) {
  const Busy busy(random);
  // Read once: in a child it may be 0 at any moment.
  std::uint32_t left = random.left.load(std::memory_order_relaxed);
  if (left < bytes.size()) [[unlikely]] {
    left = refill(random);
  }
  // Counted before they are read: however this ends, they are not read again.
  left -= static_cast<std::uint32_t>(bytes.size());
  random.left.store(left, std::memory_order_relaxed);
  std::byte* const from = random.bytes.data() + left;
  std::memcpy(bytes.data(), from, bytes.size());
  std::memset(from, 0, bytes.size());
  if (!busy.disturbed()) return true;
  random.left.store(0, std::memory_order_relaxed);
  return false;
}

// More than this at once is not worth the copy.
constexpr std::size_t most_from_page = 256;

// Of a size that is known beforehand, if so it is: ids are copied in an instruction.
template <std::size_t size>
void fill(std::span<std::byte, size> bytes) {
  if (bytes.size() <= most_from_page) {
    ThreadPage* const page = ThreadPage::current();
    if (page != nullptr && page->random.busy.load(std::memory_order_relaxed) == 0) {
      while (!take(page->random, bytes)) {
      }
      return;
    }
  }
  ask_kernel(bytes);
}

template <class T>
T random_value() {
  std::array<std::byte, sizeof(T)> bytes;
  fill(std::span(bytes));
  return std::bit_cast<T>(bytes);
}

// Of the latest uuid7.
constinit Atomic<std::uint64_t> last_uuid7_time{0};

// Greater than all that were returned before. Relaxed: who has heard of a time finds it here, or a
// later one; all that is promised is the order of the changes of this one word.
std::uint64_t next_uuid7_time() noexcept {
  const std::uint64_t now = uuid7_time(os::calendar_ns());
  std::uint64_t last = last_uuid7_time.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    next = std::max(now, last + 1);
  } while (!last_uuid7_time.compare_exchange_weak(last, next, std::memory_order_relaxed));
  return next;
}

void check_alphabet(std::string_view alphabet) {
  if (alphabet.size() < 2) {
    throw std::invalid_argument(
        "random_string: nothing is random with an alphabet of fewer than 2 characters");
  }
  constexpr std::size_t bytes = 256;
  std::array<std::uint16_t, bytes> position{};
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    std::uint16_t& first = position[static_cast<unsigned char>(alphabet[i])];
    if (first != 0) {
      throw std::invalid_argument("random_string: the alphabet has the same byte at positions " +
                                  std::to_string(first) + " and " + std::to_string(i + 1));
    }
    first = static_cast<std::uint16_t>(i + 1);
  }
}

}  // namespace
}  // namespace detail

Id128 uuid4() { return detail::uuid4_of(detail::random_value<Id128>()); }

Id128 uuid7() {
  // First what may fail: then no time is lost.
  const auto random = detail::random_value<std::uint64_t>();
  return detail::uuid7_of(detail::next_uuid7_time(), random);
}

std::string random_string(std::size_t n, std::string_view alphabet) {
  detail::check_alphabet(alphabet);
  // As few bits of a byte as an index needs; what lies behind the alphabet is rejected, since a
  // remainder would prefer its first characters.
  const std::size_t mask = std::bit_ceil(alphabet.size()) - 1;
  std::string text(n, '\0');
  for (std::size_t done = 0; done < n;) {
    const std::span rest(text.data() + done, n - done);
    detail::fill(std::as_writable_bytes(rest));
    for (const char c : rest) {
      const std::size_t index = static_cast<unsigned char>(c) & mask;
      if (index < alphabet.size()) text[done++] = alphabet[index];
    }
  }
  return text;
}

void random_bytes(std::span<std::byte> bytes) { detail::fill(bytes); }

}  // namespace rouse
