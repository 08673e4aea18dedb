// A price list that many threads read and few change. A reader waits for a change as long as it
// likes, and not longer, and a stop ends its wait.

#include <rouse/rouse.hpp>

#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

class PriceList {
 public:
  // Throws std::out_of_range, and rouse::Stopped if the thread is stopped while it waits.
  int find(const std::string& name) const {
    const rouse::ReadGuard guard(lock_);
    return prices_.at(name);
  }

  // As find(), and throws std::system_error if a change takes longer than `wait_time`.
  int find_within(std::chrono::milliseconds wait_time, const std::string& name) const {
    const rouse::ReadGuard guard(lock_, wait_time);
    return prices_.at(name);
  }

  // Calls `change` with the prices, which nobody else sees until it returns.
  template <class Change>
  void update(Change&& change) {
    const rouse::WriteGuard guard(lock_);
    change(prices_);
  }

 private:
  mutable rouse::RWLock lock_;
  std::map<std::string, int> prices_;
};

int main() {
  PriceList list;
  list.update([](auto& prices) { prices["tea"] = 3; });

  // Readers do not disturb each other.
  std::deque<rouse::StoppableThread> shoppers;
  for (int i = 0; i < 4; ++i) {
    shoppers.emplace_back([&list] {
      int sum = 0;
      for (int bought = 0; bought < 1000; ++bought) sum += list.find("tea");
      if (sum != 3000) std::puts("a shopper: that was not the price");
    });
    shoppers.back().start();
  }
  for (rouse::StoppableThread& shopper : shoppers) shopper.join();
  std::puts("the shoppers: 1000 cups each");

  // A change that takes long: nobody has to wait for its end.
  rouse::Event gave_up;
  rouse::StoppableThread reader([&] {
    try {
      (void)list.find_within(20ms, "tea");
    } catch (const std::system_error& error) {
      std::printf("the reader: %s\n", error.code().message().c_str());
      gave_up.set();
    }
    try {
      (void)list.find("tea");
    } catch (const rouse::Stopped& stopped) {
      std::printf("the reader: %s\n", stopped.what());
    }
  });
  bool in_time = false;
  list.update([&](auto& prices) {
    reader.start();
    in_time = gave_up.wait_for(5s) == rouse::WaitStatus::ready;
    reader.request_stop();
    reader.join();
    prices["tea"] = 4;
  });
  std::printf("tea costs %d now\n", list.find("tea"));
  return in_time ? 0 : 1;
}
