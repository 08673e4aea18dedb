#pragma once
// The files of /proc: whole, small, and gone at any moment.

#include "service/unique_fd.hpp"

#include <cstddef>
#include <string>

namespace rouse::detail {

/// Reads the file `name` in `directory` (as of openat(2)) to its end, or until it has `at_least`
/// bytes of it. False, with errno set, if the file cannot be opened or read.
bool read_proc_file(int directory, const char* name, std::string& text, std::size_t at_least);

}  // namespace rouse::detail
