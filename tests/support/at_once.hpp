#pragma once
// at_once: several things at the same instant, again and again.

#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace rouse::test {

/// Runs all of `actions` at the same instant on threads of their own, `count` times; `prepare`
/// comes before each time, `check` after it.
inline void at_once(int count, std::vector<std::function<void(int)>> actions,
                    const std::function<void()>& prepare, const std::function<void(int)>& check) {
  Rendezvous meet(static_cast<int>(actions.size()) + 1);
  std::vector<std::jthread> threads;
  for (std::size_t a = 0; a < actions.size(); ++a) {
    threads.emplace_back([&meet, &action = actions[a], a, count] {
      // The started threads inherit the CPU of the first.
      const OnCpu on_cpu(a);
      for (int i = 0; i < count; ++i) {
        meet.arrive();
        action(i);
        meet.arrive();
      }
    });
  }
  for (int i = 0; i < count; ++i) {
    prepare();
    meet.arrive();
    meet.arrive();
    check(i);
  }
}

}  // namespace rouse::test
