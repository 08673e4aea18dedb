#include "service/proc_file.hpp"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

namespace rouse::detail {

bool read_proc_file(int directory, const char* name, std::string& text, std::size_t at_least) {
  text.clear();
  const UniqueFd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  // Nearly all of them are smaller.
  constexpr std::size_t piece = 4096;
  std::size_t size = 0;
  while (size < at_least) {
    text.resize(size + (size < piece ? piece : size));
    const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      text.resize(size);
      return count == 0;
    }
    size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  return true;
}

}  // namespace rouse::detail
