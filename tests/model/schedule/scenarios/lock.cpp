// The core's own lock.

#include "rouse/detail/lock.hpp"

#include "model/schedule/scenarios/areas.hpp"

namespace rouse::test::model {
namespace {

using detail::Lock;
using detail::LockGuard;

struct Counter {
  Lock lock;
  Plain<int> count;

  void add() {
    const LockGuard guard(lock);
    count.write(count.read() + 1);
  }
};

void excludes(Model& model, int threads, int times) {
  auto& s = model.make<Counter>();
  for (int i = 0; i < threads; ++i) {
    model.thread([&s, times] {
      for (int n = 0; n < times; ++n) s.add();
    });
  }
  model.at_end(
      [&s, threads, times] { check(s.count.read() == threads * times, "no add is lost"); });
}

constexpr Scenario scenarios[] = {
    {"two_threads", [](Model& model) { excludes(model, 2, 2); }},
    {"three_threads", [](Model& model) { excludes(model, 3, 1); }},
};

}  // namespace

std::span<const Scenario> lock_scenarios() { return scenarios; }

}  // namespace rouse::test::model
