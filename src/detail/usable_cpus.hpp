#pragma once
// usable_cpus: how many threads of this process can run at the same instant.
//
/// @code
///   const unsigned workers = rouse::detail::usable_cpus();
/// @endcode
//
// Thread safety: any thread, at any time. Both functions read what the kernel says at this moment,
// from a few small files of /proc and /sys. `root` goes before their paths: tests have files of
// their own.

#include <limits>
#include <string_view>

namespace rouse::detail {

/// The CPUs in the affinity mask of the process, no more than its cgroups' CPU quota allows, and at
/// least 1. The mask is that of the first thread: the calling one may be pinned to a CPU of its
/// own.
[[nodiscard]] unsigned usable_cpus(std::string_view root = "") noexcept;

/// What cpu_quota() returns where nothing limits the process.
inline constexpr unsigned no_cpu_quota = std::numeric_limits<unsigned>::max();

/// The lowest CPU quota of the process's cgroup and those above it, of version 1 or 2, rounded up
/// to whole CPUs. A file that cannot be read or understood limits nothing, and neither does one for
/// which there is no memory.
[[nodiscard]] unsigned cpu_quota(std::string_view root = "") noexcept;

}  // namespace rouse::detail
