#pragma once
// Display: what is shown to people, made safe and made to fit.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace health {

/// `text` with everything as \xNN that could forge lines, move a terminal's cursor or hide itself:
/// control characters, line separators, changes of writing direction, what takes no room, and bytes
/// that are not UTF-8.
/// Twice does no more than once.
std::string printable(std::string_view text);

/// How many characters `text` has. (East Asian wide characters count as one.)
std::size_t columns(std::string_view text) noexcept;

/// `text`, which is printable, cut to at most `width` characters; the last is '…' if it was cut.
std::string cut(std::string_view text, std::size_t width);

/// ASCII letters in lower case.
std::string lower(std::string_view text);

/// Exact, as it would be written in the configuration: "500ms", "90s", "5m", "1d".
std::string exact_text(std::chrono::milliseconds d);

}  // namespace health
