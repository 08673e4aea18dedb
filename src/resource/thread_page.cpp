#include "resource/thread_page.hpp"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include <utility>

namespace rouse::detail {
namespace {

// Whether fork() empties the page of its thread.
constinit bool emptied_by_fork = false;

[[gnu::constructor]] void empty_pages_in_children() noexcept {
  emptied_by_fork = ::pthread_atfork(nullptr, nullptr, [] {
                      ThreadPage* const page = ThreadPage::current_or_null();
                      if (page != nullptr) ::explicit_bzero(page, ThreadPage::size);
                    }) == 0;
}

}  // namespace

constinit thread_local ThreadPage* ThreadPage::page_ = nullptr;
constinit thread_local bool ThreadPage::ended_ = false;

struct ThreadPage::AtThreadExit {
  bool armed = false;

  ~AtThreadExit() {
    ended_ = true;
    if (page_ != nullptr) ::munmap(std::exchange(page_, nullptr), size);
  }
};
thread_local ThreadPage::AtThreadExit ThreadPage::at_thread_exit_;

ThreadPage* ThreadPage::make() noexcept {
  if (ended_) return nullptr;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (::madvise(memory, size, MADV_WIPEONFORK) != 0 && !emptied_by_fork) {
    ::munmap(memory, size);
    return nullptr;
  }
  // What will be handed out is nobody else's business; where the kernel cannot, it is in core
  // dumps.
  (void)::madvise(memory, size, MADV_DONTDUMP);
  at_thread_exit_.armed = true;
  // An empty page is one of zeros, as it comes from the kernel.
  page_ = static_cast<ThreadPage*>(memory);
  return page_;
}

}  // namespace rouse::detail
