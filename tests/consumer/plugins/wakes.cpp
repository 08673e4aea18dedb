#include "meeting.hpp"

extern "C" {

[[gnu::visibility("default")]] void wake(rouse::Event& event) { event.set(); }

[[gnu::visibility("default")]] void stop(rouse::StoppableThread& thread) { thread.request_stop(); }

[[gnu::visibility("default")]] rouse::WaitStatus wait_bound(rouse::StopScope& scope,
                                                            rouse::Event& event) {
  rouse::this_thread::Bind bind(scope);
  return wait_for(event);
}

[[gnu::visibility("default")]] bool catches_stopped() {
  try {
    throw_stopped();
  } catch (const rouse::Stopped&) {
    return true;
  } catch (...) {
  }
  return false;
}

}  // extern "C"
