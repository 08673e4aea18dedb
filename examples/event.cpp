// An Event wakes a worker that waits for work, and a stop wakes it all the same.

#include <rouse/rouse.hpp>

#include <cstdio>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

using namespace std::chrono_literals;

class Mailbox {
 public:
  void put(std::string text) {
    const std::lock_guard lock(mutex_);
    texts_.push_back(std::move(text));
    filled_.set();
  }

  // Waits for the first text; takes all there are.
  std::deque<std::string> take_all() {
    if (filled_.wait() != rouse::WaitStatus::ready) return {};  // stopped
    const std::lock_guard lock(mutex_);
    filled_.clear();
    return std::exchange(texts_, {});
  }

 private:
  std::mutex mutex_;
  std::deque<std::string> texts_;
  rouse::Event filled_;
};

int main() {
  Mailbox mailbox;
  rouse::Event printed;
  rouse::StoppableThread reader([&] {
    for (auto texts = mailbox.take_all(); !texts.empty(); texts = mailbox.take_all()) {
      for (const std::string& text : texts) std::printf("got %s\n", text.c_str());
      printed.set();
    }
    std::puts("the reader was stopped in its wait");
  });
  reader.start();

  mailbox.put("one");
  mailbox.put("two");
  if (printed.wait_for(5s) != rouse::WaitStatus::ready) return 1;
  reader.request_stop();
  reader.join();
}
