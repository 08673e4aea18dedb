// One id of each kind, and what they tell: ids [ADDRESS PORT [BOOT_FILE]]

#include <rouse/rouse.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace {

void show(const char* what, const std::string& id) { std::printf("%-16s %s\n", what, id.c_str()); }

// What one thread asks for often, and others do, too: the order does not matter.
std::int64_t largest_of_four_threads() {
  rouse::LeasedNumberGenerator nodes;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&nodes] {
      for (int n = 0; n < 10'000; ++n) (void)nodes.next();
    });
  }
  threads.clear();
  return nodes.next();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    show("number", std::to_string(rouse::process_numbers().next()));
    show("leased number", std::to_string(largest_of_four_threads()));
    show("name", rouse::process_names().next());

    const rouse::CycleIdOptions options{.boot_file = argc > 3 ? argv[3] : ""};
    rouse::CycleIdGenerator messages(argc > 1 ? argv[1] : "192.0.2.7",
                                     argc > 2 ? std::atoi(argv[2]) : 8080, options);
    const rouse::Id128 message = messages.next();
    show("cycle id", message.to_hex());

    const rouse::CycleId parts(rouse::Id128::from_hex(message.to_hex()));
    std::printf("%-16s address %s, port %u, boot %u, counter %llu\n", "",
                parts.address_text().c_str(), unsigned{parts.port()}, unsigned{parts.boot()},
                static_cast<unsigned long long>(parts.counter()));

    show("uuid4", rouse::uuid4().to_uuid());
    const rouse::Id128 first = rouse::uuid7();
    const rouse::Id128 second = rouse::uuid7();
    show("uuid7", first.to_uuid());
    show(first < second ? "and then" : "NOT IN ORDER", second.to_uuid());
    show("random_string", rouse::random_string(22));
    return first < second ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ids: %s\n", error.what());
    return 2;
  }
}
