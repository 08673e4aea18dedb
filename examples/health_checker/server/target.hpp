#pragma once
// Target: what a request asks for, "/api/v1/check?name=web", taken apart.
//
// There are no files behind these paths, so nothing is normalised: what is not written plainly
// ("//", "/../", "%2e", a whole URL) is refused.

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace health {

/// A request that is not served: the status that says so, and why.
class Refusal : public std::runtime_error {
 public:
  Refusal(int status, const std::string& why) : std::runtime_error(why), status_(status) {}
  [[nodiscard]] int status() const noexcept { return status_; }

 private:
  int status_;
};

struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< Decoded, in their order.

  /// The values of all parameters of this name.
  [[nodiscard]] std::vector<std::string> values(std::string_view name) const;
};

inline constexpr std::size_t longest_target = 4096;

/// Throws Refusal (400, 414).
Target parse_target(std::string_view text);

}  // namespace health
