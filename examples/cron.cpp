// The next five times of a cron expression: cron ["0 20 * * MON-FRI" [Europe/Berlin]]

#include <rouse/rouse.hpp>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>

int main(int argc, char** argv) {
  const char* const expression = argc > 1 ? argv[1] : "0 20 * * MON-FRI";
  const char* const zone = argc > 2 ? argv[2] : "Europe/Berlin";
  std::optional<rouse::Cron> cron;
  try {
    cron.emplace(expression, zone);
  } catch (const rouse::CronError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  std::printf("'%s' in %s comes at\n", expression, zone);
  auto next = cron->next(std::chrono::system_clock::now());
  for (int i = 0; next && i < 5; ++i, next = cron->next(*next)) {
    const std::time_t time = std::chrono::system_clock::to_time_t(*next);
    std::tm utc{};
    char text[64];
    std::strftime(text, sizeof text, "%a %F %T UTC", ::gmtime_r(&time, &utc));
    std::puts(text);
  }
}
