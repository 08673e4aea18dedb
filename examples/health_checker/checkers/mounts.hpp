#pragma once
// may_hang: whether a look at a path may block for ever, found without looking at it.

#include <string>

namespace health {

/// True unless every file system on the way to `path`, through its symbolic links, is one of the
/// local kinds. Network file systems, FUSE and automounts may hang; so may what is not known.
/// Never touches those itself: it reads the list of mounts, and links on local file systems.
bool may_hang(const std::string& path, const std::string& mountinfo = "/proc/self/mountinfo");

}  // namespace health
