#pragma once
// Mounts that nobody else sees, for a forked child (in_child.hpp).

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <string>

namespace rouse::test {

/// Gives this process mounts of its own; false where that is not permitted. It must be the only
/// thread.
inline bool enter_mount_namespace() noexcept {
  return (::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// An empty file system over the directory.
inline bool mount_over(const std::string& directory) noexcept {
  return ::mount("none", directory.c_str(), "tmpfs", 0, nullptr) == 0;
}

}  // namespace rouse::test
