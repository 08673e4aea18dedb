// A tree of stops: a request has two seconds and a step of it 20 ms; the service can end both.

#include <rouse/rouse.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

// Knows neither tokens nor deadlines: its waits obey what the caller has bound to the thread.
bool query_backend() { return rouse::sleep_for(1h) == rouse::WaitStatus::timeout; }

const char* why(const rouse::StopScope& scope) {
  switch (scope.reason().kind) {
    case rouse::StopReason::none:
      return "not stopped";
    case rouse::StopReason::requested:
      return scope.reason().text;
    case rouse::StopReason::deadline:
      return "its deadline";
    case rouse::StopReason::signal:
      return "a signal";
  }
  return "?";
}

}  // namespace

int main() {
  rouse::StopScope service;
  rouse::StopScope request = rouse::StopScope::with_deadline(2s, service);
  const rouse::this_thread::Bind bind_request(request);
  {
    rouse::StopScope step = rouse::StopScope::with_deadline(20ms, request);
    const rouse::this_thread::Bind bind_step(step);
    if (!query_backend()) std::printf("step ended by: %s\n", why(step));
  }
  std::printf("request ended by: %s\n", why(request));  // a step's deadline is its own affair

  service.request_stop("the service shuts down");
  if (!query_backend()) std::printf("request ended by: %s\n", why(request));
}
