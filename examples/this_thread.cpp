// std::jthread and rouse: bind the thread's token once, and every wait below obeys it.

#include <rouse/rouse.hpp>

#include <cstdio>
#include <stop_token>
#include <thread>

using namespace std::chrono_literals;

namespace {

// Ten functions deep, and nobody has passed a token along.
void wait_for_reply(rouse::Event& reply) {
  if (reply.wait_for(1h) != rouse::WaitStatus::ready) throw rouse::Stopped("no reply");
}

// A loop that computes has no waits: it asks.
long count_until_stopped() {
  const std::stop_token stop = rouse::this_thread::stop_token();
  long count = 0;
  while (!stop.stop_requested()) ++count;
  return count;
}

}  // namespace

int main() {
  rouse::Event reply;
  rouse::Event replied;
  std::jthread worker([&](std::stop_token stop) {
    const rouse::this_thread::Bind bind(stop);
    wait_for_reply(reply);
    replied.set();
    std::printf("counted to %ld until the stop\n", count_until_stopped());
    try {
      reply.clear();
      wait_for_reply(reply);
    } catch (const rouse::Stopped& stopped) {
      std::printf("stopped: %s\n", stopped.what());
    }
  });

  reply.set();
  if (replied.wait_for(5s) != rouse::WaitStatus::ready) return 1;
  // ~jthread requests the stop and joins.
}
