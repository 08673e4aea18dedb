#include "reload.hpp"

#include "rouse/service/autowait.hpp"
#include "rouse/thread/signal_stop.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include <chrono>
#include <csignal>
#include <exception>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace health {
namespace {

using namespace std::chrono_literals;

// An editor that writes a file piece by piece pauses for less.
constexpr auto quiet = 200ms;

std::optional<rouse::Condition> watch(const std::string& file, const Reload::OnTrouble& trouble) {
  try {
    return rouse::until::file_changed(file);
  } catch (const std::exception& error) {
    trouble(error.what());
    return std::nullopt;
  }
}

}  // namespace

void block_reload_signal() {
  sigset_t hup{};
  ::sigemptyset(&hup);
  ::sigaddset(&hup, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &hup, nullptr);
}

Reload::Reload(std::string file, ReloadOptions options, Action action, OnTrouble on_trouble)
    : file_(std::move(file)),
      options_(options),
      action_(std::move(action)),
      on_trouble_(std::move(on_trouble)),
      changed_(watch(file_, on_trouble_)),
      thread_([this] { run(); }, rouse::ThreadOptions{.name = "reload"}) {}

void Reload::run() {
  for (;;) {
    try {
      const char* const why = wait_for_a_reason();
      if (why == nullptr) return;
      action_(why);
    } catch (const std::exception& error) {
      // No descriptor or memory left, say: later there may be.
      on_trouble_(error.what());
      if (rouse::sleep_for(1s) == rouse::WaitStatus::stopped) return;
      if (!changed_) changed_ = watch(file_, on_trouble_);
    }
  }
}

const char* Reload::wait_for_a_reason() {
  rouse::Event asked;
  std::optional<rouse::SignalStop> signal;
  // A SIGHUP that comes while there is none is kept by the kernel until there is.
  if (options_.on_signal) {
    signal.emplace(std::initializer_list<int>{SIGHUP},
                   rouse::SignalStopOptions{.second = rouse::SecondSignal::ignore});
  }
  const std::stop_callback on_signal(signal ? signal->token() : std::stop_token(),
                                     [&asked] { asked.set(); });
  std::vector<rouse::Condition> conditions{rouse::until::event_set(asked)};
  if (changed_) conditions.push_back(*changed_);
  const rouse::AnyReady first =
      rouse::wait_until_any(conditions, {.timeout = std::chrono::hours::max()});
  if (first.status != rouse::WaitStatus::ready) return nullptr;
  if (first.index == 0) return "SIGHUP";
  if (rouse::wait_until_file_stable(file_, quiet) == rouse::WaitStatus::stopped) return nullptr;
  return "the file has changed";
}

}  // namespace health
