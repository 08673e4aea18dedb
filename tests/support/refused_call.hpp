#pragma once
// refuse_call: a call of the system that fails from now on, as in a sandbox.
//
// It cannot be undone: for a forked child (in_child.hpp).

#include "support/fail.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace rouse::test {

/// The call `number` of this process fails with `error`; if `first` is given, only with that as its
/// first argument. Throws std::system_error.
inline void refuse_call(long number, int error, std::optional<std::uint32_t> first = std::nullopt) {
  constexpr auto low_half = static_cast<std::uint32_t>(offsetof(::seccomp_data, args));
  const auto fails = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
  std::array<::sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(::seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_half),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first.value_or(0), 0,
               static_cast<std::uint8_t>(first ? 1 : 0)),
      BPF_STMT(BPF_RET | BPF_K, fails),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const ::sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    fail("prctl");
  }
}

}  // namespace rouse::test
