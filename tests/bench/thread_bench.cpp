// What a thread pays for being one that can be ended.

#include "rouse/thread/interruptible_thread.hpp"

#include "bench/harness.hpp"

#include <cstddef>

#include <boost/thread/thread.hpp>

namespace {

using namespace rouse::bench;

// In a thread that both libraries know and that nothing is raised at.
template <void (*Point)()>
double ask_repeatedly(std::size_t operations) {
  double figure = 0;
  rouse::InterruptibleThread thread([&figure, operations] {
    pin_to(0);
    figure = time_per_operation(operations, Point);
  });
  thread.start();
  thread.join();
  return figure;
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  return {"thread",
          {{.targets = {{"interruption_point", "boost", 0.12}},
            .contestants = {{"rouse", &ask_repeatedly<&rouse::interruption_point>},
                            {"boost", &ask_repeatedly<&boost::this_thread::interruption_point>}},
            .operations = 10'000'000}}};
}
