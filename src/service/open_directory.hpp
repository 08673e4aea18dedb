#pragma once
// OpenDirectory: a directory that is being read, with an owner.

#include <dirent.h>

#include <memory>

namespace rouse::detail {

struct CloseDirectory {
  void operator()(::DIR* directory) const noexcept { ::closedir(directory); }
};
using OpenDirectory = std::unique_ptr<::DIR, CloseDirectory>;

}  // namespace rouse::detail
