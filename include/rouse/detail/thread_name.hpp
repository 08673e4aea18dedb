#pragma once
// Names of threads: for the kernel (15 bytes) and for people (escaped).

#include <string>
#include <string_view>

namespace rouse::detail {

/// Names the calling thread; what does not fit in the kernel's 15 bytes is cut off.
void set_thread_name(std::string_view name) noexcept;

/// `text` with control bytes as \xNN, so that a name cannot forge lines of a log.
[[gnu::visibility("default")]] std::string printable(std::string_view text);

}  // namespace rouse::detail
