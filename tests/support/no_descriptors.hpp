#pragma once
// NoDescriptors: while it lives, this process can open no file.

#include "support/fail.hpp"

#include <sys/resource.h>

namespace rouse::test {

class [[nodiscard]] NoDescriptors {
 public:
  NoDescriptors() {
    if (::getrlimit(RLIMIT_NOFILE, &before_) != 0) fail("getrlimit");
    const ::rlimit none{0, before_.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0) fail("setrlimit");
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  ::rlimit before_{};
};

}  // namespace rouse::test
