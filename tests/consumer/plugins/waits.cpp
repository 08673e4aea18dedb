#include "meeting.hpp"

WaitingThread::~WaitingThread() { stop_and_join(); }

void WaitingThread::run(std::stop_token) { ended_by = event_.wait(); }

rouse::WaitStatus wait_for(rouse::Event& event) { return event.wait_for(std::chrono::minutes(1)); }

void throw_stopped() { throw rouse::Stopped(); }
