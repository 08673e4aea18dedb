#include <rouse/version.hpp>
#include <rouse/wait/event.hpp>

#include <string_view>

static_assert(std::string_view(ROUSE_VERSION_STRING) == EXPECTED_VERSION,
              "the header and the package disagree about the version");

int main() {
  rouse::Event e;
  e.set();
  return e.wait() == rouse::WaitStatus::ready ? 0 : 1;
}
