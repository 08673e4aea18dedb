#pragma once
// FuzzCorpus: inputs for a fuzz target, made by damaging good ones, where no fuzzer runs.
//
/// @code
///   FuzzCorpus corpus(lines_of("corpus.txt"), 7);
///   EXPECT_EQ(feed(corpus.damaged(corpus.any(), {.bytes = "*-/"})), 0);
/// @endcode
//
// Thread safety: one thread. The same seed gives the same inputs.

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The target. Ends the program where something does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace rouse::test {

inline int feed(std::string_view input) {
  return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

inline std::vector<std::string> lines_of(const char* path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

struct Damage {
  std::string_view bytes;    ///< That mean something.
  std::size_t changes = 4;   ///< At most; at least one.
  std::size_t erased = 3;    ///< Bytes at a time, at most.
  std::size_t inserted = 4;  ///< Bytes of another input at a time, at most.
};

class FuzzCorpus {
 public:
  FuzzCorpus(std::vector<std::string> inputs, std::uint64_t seed)
      : inputs_(std::move(inputs)), random_(seed) {}

  [[nodiscard]] const std::vector<std::string>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::string& any() { return inputs_[below(inputs_.size())]; }
  [[nodiscard]] std::uint64_t number() { return random_(); }
  [[nodiscard]] std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  [[nodiscard]] std::string damaged(std::string text, const Damage& damage) {
    for (std::size_t changes = 1 + below(damage.changes); changes > 0; --changes) {
      const std::size_t at = below(text.size() + 1);
      const std::string& other = any();
      switch (below(5)) {
        case 0:
          text.insert(at, 1, damage.bytes[below(damage.bytes.size())]);
          break;
        case 1:
          if (at < text.size()) text[at] = damage.bytes[below(damage.bytes.size())];
          break;
        case 2:
          text.erase(at, 1 + below(damage.erased));
          break;
        case 3:
          text.insert(at, other.substr(below(other.size()), 1 + below(damage.inserted)));
          break;
        default:
          text = text.substr(0, at) + other.substr(below(other.size()));
      }
    }
    return text;
  }

 private:
  const std::vector<std::string> inputs_;
  std::mt19937_64 random_;
};

}  // namespace rouse::test
