#pragma once
// HttpHeader: a field of an answer, and how to find it.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace health {

struct HttpHeader {
  std::string name;  ///< In lower case.
  std::string value;
};

/// The field `name`, in lower case; where there are several, their values joined by ", ".
inline std::optional<std::string> find_header(std::span<const HttpHeader> headers,
                                              std::string_view name) {
  std::optional<std::string> found;
  for (const HttpHeader& header : headers) {
    if (header.name != name) continue;
    if (found) {
      *found += ", " + header.value;
    } else {
      found = header.value;
    }
  }
  return found;
}

}  // namespace health
