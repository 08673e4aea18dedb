#include "support/faults/faults.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

using rouse::test::Call;

struct Site {
  std::atomic<long> calls{0};
  std::atomic<long> first{LONG_MAX};  // of the calls that fail
  std::atomic<long> end{LONG_MAX};
  std::atomic<int> error{0};
};

constinit Site sites[static_cast<int>(Call::write) + 1];
constinit std::atomic<long> made{0};
constinit std::atomic<long> live{0};
// Where the library is that is spared.
constinit std::atomic<std::uintptr_t> spared_begin{0};
constinit std::atomic<std::uintptr_t> spared_end{0};

Site& site_of(Call call) noexcept { return sites[static_cast<int>(call)]; }

// The error with which this call fails, or 0.
int fault_of(Call call) noexcept {
  Site& site = site_of(call);
  if (site.first.load() == LONG_MAX) return 0;
  const long number = site.calls.fetch_add(1);
  return number >= site.first.load() && number < site.end.load() ? site.error.load() : 0;
}

// The function that this program's definition hides. Without a guarded static variable: some are
// called before a sanitizer knows their thread.
template <class Function>
class Hidden {
 public:
  explicit constexpr Hidden(const char* name) noexcept : name_(name) {}

  Function* operator*() noexcept {
    if (function_ == nullptr) {
      function_ = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name_));
    }
    return function_;
  }

 private:
  const char* name_;
  std::atomic<Function*> function_{nullptr};
};

constinit Hidden<decltype(::pthread_create)> next_pthread_create("pthread_create");
constinit Hidden<decltype(::pthread_setspecific)> next_pthread_setspecific("pthread_setspecific");
constinit Hidden<decltype(::pthread_sigmask)> next_pthread_sigmask("pthread_sigmask");
constinit Hidden<decltype(::eventfd)> next_eventfd("eventfd");
constinit Hidden<decltype(::signalfd)> next_signalfd("signalfd");
constinit Hidden<decltype(::timerfd_create)> next_timerfd_create("timerfd_create");
constinit Hidden<decltype(::ppoll)> next_ppoll("ppoll");
constinit Hidden<decltype(::mmap)> next_mmap("mmap");
constinit Hidden<decltype(::madvise)> next_madvise("madvise");
constinit Hidden<decltype(::getrandom)> next_getrandom("getrandom");
constinit Hidden<decltype(::openat)> next_openat("openat");
constinit Hidden<decltype(::flock)> next_flock("flock");
constinit Hidden<decltype(::fsync)> next_fsync("fsync");
constinit Hidden<decltype(::renameat)> next_renameat("renameat");
constinit Hidden<decltype(::unlinkat)> next_unlinkat("unlinkat");
constinit Hidden<decltype(::read)> next_read("read");
constinit Hidden<decltype(::write)> next_write("write");
constinit Hidden<decltype(::syscall)> next_syscall("syscall");

// Whether it is called by the library that is spared, directly or not.
bool is_spared() noexcept {
  if (spared_end == 0) return false;
  bool found = false;
  const auto look = [](::_Unwind_Context* frame, void* result) {
    const std::uintptr_t address = ::_Unwind_GetIP(frame);
    if (address < spared_begin || address >= spared_end) return ::_URC_NO_REASON;
    *static_cast<bool*>(result) = true;
    return ::_URC_END_OF_STACK;
  };
  ::_Unwind_Backtrace(look, &found);
  return found;
}

void* allocate(std::size_t size, std::size_t alignment) {
  made.fetch_add(1, std::memory_order_relaxed);
  const bool watched = site_of(Call::allocation).first.load() != LONG_MAX;
  if (watched && !is_spared() && fault_of(Call::allocation) != 0) throw std::bad_alloc();
  void* memory = nullptr;
  if (::posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) != 0) {
    throw std::bad_alloc();
  }
  live.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void release(void* memory) noexcept {
  if (memory != nullptr) live.fetch_sub(1, std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

namespace rouse::test {

Fault::Fault(Call call, int error, long after, long times) noexcept : call_(call) {
  Site& site = site_of(call);
  site.calls = 0;
  site.error = error;
  site.end = after + times;
  site.first = after;
}

Fault::~Fault() { site_of(call_).first = LONG_MAX; }

long Fault::failed() const noexcept {
  const Site& site = site_of(call_);
  return std::max(0L, std::min(site.calls.load(), site.end.load()) - site.first.load());
}

long Fault::calls() const noexcept { return site_of(call_).calls; }

SparedLibrary::SparedLibrary(const char* name) noexcept {
  const auto look = [](::dl_phdr_info* library, std::size_t, void* part_of_name) {
    if (std::strstr(library->dlpi_name, static_cast<const char*>(part_of_name)) == nullptr) {
      return 0;
    }
    for (int i = 0; i < library->dlpi_phnum; ++i) {
      const auto& segment = library->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      spared_begin = library->dlpi_addr + segment.p_vaddr;
      spared_end = spared_begin + segment.p_memsz;
    }
    return 1;
  };
  ::dl_iterate_phdr(look, const_cast<char*>(name));
}
SparedLibrary::~SparedLibrary() { spared_end = 0; }

long allocations_made() noexcept { return made; }
long live_allocations() noexcept { return live; }

}  // namespace rouse::test

// Not inlined: gcc 12 would take the pairs of new and free that it then sees for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return allocate(size, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
// AddressSanitizer's own would not call the first.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return allocate(size, alignof(std::max_align_t));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}

extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  if (const int error = fault_of(Call::pthread_create)) return error;
  return (*next_pthread_create)(thread, attributes, start, argument);
}

int pthread_setspecific(pthread_key_t key, const void* value) noexcept {
  if (const int error = fault_of(Call::pthread_setspecific)) return error;
  return (*next_pthread_setspecific)(key, value);
}

int pthread_sigmask(int how, const sigset_t* set, sigset_t* before) noexcept {
  if (const int error = fault_of(Call::pthread_sigmask)) return error;
  return (*next_pthread_sigmask)(how, set, before);
}

int eventfd(unsigned count, int flags) noexcept {
  if (const int error = fault_of(Call::eventfd)) {
    errno = error;
    return -1;
  }
  return (*next_eventfd)(count, flags);
}

int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
  if (const int error = fault_of(Call::signalfd)) {
    errno = error;
    return -1;
  }
  return (*next_signalfd)(fd, mask, flags);
}

int timerfd_create(int clock, int flags) noexcept {
  if (const int error = fault_of(Call::timerfd_create)) {
    errno = error;
    return -1;
  }
  return (*next_timerfd_create)(clock, flags);
}

int ppoll(pollfd* fds, nfds_t count, const timespec* limit, const sigset_t* mask) {
  if (const int error = fault_of(Call::ppoll)) {
    errno = error;
    return -1;
  }
  return (*next_ppoll)(fds, count, limit, mask);
}

void* mmap(void* address, std::size_t size, int protection, int flags, int fd,
           off_t offset) noexcept {
  if (const int error = fault_of(Call::mmap)) {
    errno = error;
    return MAP_FAILED;
  }
  return (*next_mmap)(address, size, protection, flags, fd, offset);
}

int madvise(void* address, std::size_t size, int advice) noexcept {
  if (const int error = fault_of(Call::madvise)) {
    errno = error;
    return -1;
  }
  return (*next_madvise)(address, size, advice);
}

ssize_t getrandom(void* buffer, std::size_t size, unsigned flags) {
  if (const int error = fault_of(Call::getrandom)) {
    errno = error;
    return -1;
  }
  return (*next_getrandom)(buffer, size, flags);
}

// The mode is not looked at where there is none.
int openat(int directory, const char* name, int flags, ...) {
  std::va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  if (const int error = fault_of(Call::openat)) {
    errno = error;
    return -1;
  }
  return (*next_openat)(directory, name, flags, mode);
}

int flock(int fd, int operation) noexcept {
  if (const int error = fault_of(Call::flock)) {
    errno = error;
    return -1;
  }
  return (*next_flock)(fd, operation);
}

int fsync(int fd) {
  if (const int error = fault_of(Call::fsync)) {
    errno = error;
    return -1;
  }
  return (*next_fsync)(fd);
}

int renameat(int from, const char* old_name, int to, const char* new_name) noexcept {
  if (const int error = fault_of(Call::renameat)) {
    errno = error;
    return -1;
  }
  return (*next_renameat)(from, old_name, to, new_name);
}

int unlinkat(int directory, const char* name, int flags) noexcept {
  if (const int error = fault_of(Call::unlinkat)) {
    errno = error;
    return -1;
  }
  return (*next_unlinkat)(directory, name, flags);
}

ssize_t read(int fd, void* buffer, std::size_t size) {
  if (const int error = fault_of(Call::read)) {
    errno = error;
    return -1;
  }
  return (*next_read)(fd, buffer, size);
}

ssize_t write(int fd, const void* buffer, std::size_t size) {
  if (const int error = fault_of(Call::write)) {
    errno = error;
    return -1;
  }
  return (*next_write)(fd, buffer, size);
}

// Takes six arguments whatever the call: those that it was not given are not looked at.
long syscall(long number, ...) noexcept {
  std::va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex && (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET) {
    if (const int error = fault_of(Call::futex_wait)) {
      errno = error;
      return -1;
    }
  }
  return (*next_syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3],
                         arguments[4], arguments[5]);
}

}  // extern "C"
