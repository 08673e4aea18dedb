#pragma once
// ThreadPage: what the generators of ids keep for a thread, on a page that is empty in a forked
// child.
//
// The kernel empties it (MADV_WIPEONFORK), also where a child is made without the C library, and in
// the child also the pages of threads that are not there any more. fork() empties the page of its
// thread once more, by pthread_atfork, for kernels that cannot. So a child finds nothing that its
// parent may use as well, and nobody compares process ids on the way.
//
// Thread safety: a page is touched by its thread only. Design: docs/design/ids.md.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rouse::detail {

struct ThreadPage {
  static constexpr std::size_t size = 4096;

  /// For random_id.cpp. Empty: left == 0.
  struct Random {
    static constexpr std::size_t capacity = 3'840;

    // The thread is in here. A signal handler that finds it set stays out.
    std::atomic<std::uint32_t> busy;
    std::atomic<std::uint32_t> left;  // the first so many of `bytes` are not yet used
    std::array<std::byte, capacity> bytes;
  };

  /// For name_generator.cpp: the middle of names whose numbers differ in their last digits only.
  /// Empty: group == 0.
  struct Name {
    std::uint64_t group;
    std::size_t size;
    std::array<char, 48> text;
  };

  Name name;
  Random random;

  /// The calling thread's. Null while it ends, and if the system refuses the page.
  static ThreadPage* current() noexcept { return page_ != nullptr ? page_ : make(); }
  /// The same, or null if it has none yet.
  static ThreadPage* current_or_null() noexcept { return page_; }

 private:
  struct AtThreadExit;

  static ThreadPage* make() noexcept;

  [[gnu::tls_model("initial-exec")]] static constinit thread_local ThreadPage* page_;
  static constinit thread_local bool ended_;
  static thread_local AtThreadExit at_thread_exit_;
};

static_assert(sizeof(ThreadPage) <= ThreadPage::size);

}  // namespace rouse::detail
