// A receiver that never has more than four blocks of memory in use, whatever its peer sends. While
// none is free it waits, so does the peer, and a stop ends that wait as well.

#include <rouse/rouse.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdio>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

// The next message, as long as it fits.
bool read_message(int fd, rouse::Buffer& buffer) {
  std::vector<::iovec> pieces;
  for (auto piece : buffer.blocks()) pieces.push_back({piece.data(), piece.size()});
  const ssize_t size = ::readv(fd, pieces.data(), static_cast<int>(pieces.size()));
  if (size > 0) buffer.resize(static_cast<std::size_t>(size));
  return size > 0;
}

}  // namespace

int main() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return 1;
  rouse::BufferPool pool({.block_size = rouse::small_block, .blocks = 4});
  std::mutex mutex;
  std::deque<rouse::Buffer> inbox;
  rouse::Event full;
  rouse::StoppableThread receiver([&] {
    while (rouse::wait_readable(ends[0]) == rouse::WaitStatus::ready) {
      if (pool.free_blocks() < 2) full.set();
      rouse::Buffer buffer = pool.allocate(2);  // may throw Stopped, which ends the thread
      if (!read_message(ends[0], buffer)) return;
      const std::lock_guard guard(mutex);
      inbox.push_back(std::move(buffer));
    }
  });
  receiver.start();
  for (const std::size_t size : {5000U, 6000U, 7000U, 8000U}) {
    if (::write(ends[1], std::string(size, 'x').data(), size) < 0) return 1;
  }
  if (full.wait_for(std::chrono::seconds(5)) != rouse::WaitStatus::ready) return 1;
  {
    const std::lock_guard guard(mutex);
    std::printf("%zu of %zu blocks are used\n", pool.used_blocks(), pool.capacity_blocks());
    inbox.pop_front();  // which makes room for the next message, not for the one behind it
  }
  receiver.request_stop();
  receiver.join();
  inbox.clear();
  std::printf("stopped; %zu blocks are used\n", pool.used_blocks());
  return pool.used_blocks() == 0 ? 0 : 1;
}
