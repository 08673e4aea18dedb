#pragma once
// find_program: where a program is that the tests need.

#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>

namespace rouse::test {

/// Throws std::runtime_error if it is not installed.
inline std::string find_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  // A user's PATH often lacks the folders of system programs.
  std::istringstream folders(std::string(path == nullptr ? "" : path) +
                             ":/usr/local/sbin:/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string program = folder + "/" + name;
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  throw std::runtime_error(name + " is not installed (cmake/packages.sh installs it)");
}

}  // namespace rouse::test
