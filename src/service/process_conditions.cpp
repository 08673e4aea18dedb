// Conditions of processes: one exists, one or all of them have ended.

#include "rouse/service/condition.hpp"

#include "service/backoff.hpp"
#include "service/process_end.hpp"
#include "service/process_events.hpp"
#include "service/process_search.hpp"
#include "service/process_state.hpp"

#include <poll.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rouse {
namespace {

using detail::ConditionState;
using detail::Deadline;
using detail::Look;
using detail::ProcessEntry;
using detail::ProcessEvents;
using detail::ProcessMatcher;
using detail::ProcessSearch;
using detail::Sources;

std::chrono::nanoseconds process_interval(const ProcessOptions& options) {
  return detail::checked_interval("process", options.interval.nanoseconds());
}

class ProcessExists final : public detail::ProcessState {
 public:
  ProcessExists(ProcessMatcher matcher, const ProcessOptions& options)
      : matcher_(std::move(matcher)), interval_(process_interval(options)), backoff_(interval_) {}

  void begin() override {
    ProcessState::begin();
    backoff_.reset();
    events_ = ProcessEvents::listen(matcher_.by_predicate() ? ProcessEvents::Forks::told
                                                            : ProcessEvents::Forks::ignored);
    next_search_ = Deadline::past();
  }

  Look look(Sources& sources) override {
    found_ = {};
    if (events_) {
      sources.poll(events_->fd(), POLLIN);
      Look told = Look::more;
      do {
        told = look_at_news();
      } while (told == Look::more && sources.is_last());
      if (told != Look::no) return told;
    }
    if (is_search_due() || sources.is_last()) {
      const Look searched = search_.look(
          matcher_, [this](const ProcessEntry&, const ProcessInfo& info) { return accept(info); },
          ProcessSearch::extent_of(sources));
      if (searched != Look::no) return searched;
      next_search_ = events_ ? Deadline::after(interval_) : backoff_.next();
    }
    sources.look_again(next_search_);
    return Look::no;
  }

  void end() noexcept override {
    search_.abandon();
    events_.reset();
  }

  std::string describe() const override { return "a " + matcher_.describe(); }
  const char* wait_name() const noexcept override { return "wait_until_process_exists"; }

 private:
  bool accept(const ProcessInfo& info) {
    found_ = info;
    next_search_ = Deadline::past();
    return true;
  }

  // News need no search.
  bool is_search_due() const noexcept {
    return !events_ || search_.under_way() || next_search_.expired();
  }

  // The processes that the kernel tells of. If it has lost some, and if something else than news is
  // why this is called, all are due.
  Look look_at_news() {
    constexpr std::size_t piece = 200;
    std::vector<::pid_t> pids;
    const ProcessEvents::Taken taken = events_->take(pids, piece);
    if (taken == ProcessEvents::Taken::lost) search_.abandon();  // it may have passed them by
    if (taken == ProcessEvents::Taken::lost || taken == ProcessEvents::Taken::nothing) {
      next_search_ = Deadline::past();
    }
    if (!pids.empty()) matcher_.refresh();
    for (const ::pid_t pid : pids) {
      const auto process = ProcessEntry::open(pid);
      const auto info = process ? matcher_.match(*process) : std::nullopt;
      if (info && accept(*info)) return Look::yes;
    }
    return taken == ProcessEvents::Taken::some ? Look::more : Look::no;
  }

  ProcessMatcher matcher_;
  const std::chrono::nanoseconds interval_;
  detail::Backoff backoff_;
  ProcessSearch search_;
  std::optional<ProcessEvents> events_;
  Deadline next_search_ = Deadline::past();
};

class ProcessGone final : public ConditionState {
 public:
  ProcessGone(::pid_t pid, const ProcessOptions& options)
      : pid_(detail::checked_pid(pid)), end_(pid, process_interval(options)) {}
  ProcessGone(const ProcessInfo& process, const ProcessOptions& options)
      : pid_(detail::checked_pid(process.pid)),
        end_(process.pid, process.start_time, process_interval(options)) {}

  Look look(Sources& sources) override {
    if (end_.reached()) return Look::yes;
    end_.subscribe(sources);
    return Look::no;
  }
  std::string describe() const override { return "the end of process " + std::to_string(pid_); }
  const char* wait_name() const noexcept override { return "wait_until_process_gone"; }

 private:
  const ::pid_t pid_;
  detail::ProcessEnd end_;
};

// One process that is meant is watched; when it ends, or is not meant any more, all are searched
// for another one.
class AllProcessesGone final : public ConditionState {
 public:
  AllProcessesGone(const std::string& path, const ProcessOptions& options)
      : matcher_(path), interval_(process_interval(options)) {}

  Look look(Sources& sources) override {
    if (watched_ && !is_still_meant()) watched_.reset();
    if (!watched_) {
      const Look found = search_.look(
          matcher_, [this](const ProcessEntry&, const ProcessInfo& info) { return watch(info); },
          ProcessSearch::extent_of(sources));
      if (found == Look::more) return Look::more;
      if (found == Look::no) return Look::yes;
    }
    watched_->end.subscribe(sources);
    // A process that executes another program does not end.
    sources.look_again(Deadline::after(interval_));
    return Look::no;
  }

  void end() noexcept override {
    search_.abandon();
    watched_.reset();
  }

  std::string describe() const override { return "the end of each " + matcher_.describe(); }
  const char* wait_name() const noexcept override { return "wait_until_process_gone"; }

 private:
  struct Watched {
    ProcessInfo process;
    detail::ProcessEnd end;
  };

  bool watch(const ProcessInfo& process) {
    Watched found{process, {process.pid, process.start_time, interval_}};
    if (found.end.reached()) return false;
    watched_ = std::move(found);
    return true;
  }

  bool is_still_meant() {
    if (watched_->end.reached()) return false;
    matcher_.refresh();
    const auto process = ProcessEntry::open(watched_->process.pid);
    return process && matcher_.match(*process).has_value();
  }

  ProcessMatcher matcher_;
  const std::chrono::nanoseconds interval_;
  ProcessSearch search_;
  std::optional<Watched> watched_;
};

}  // namespace

ProcessCondition::ProcessCondition(std::shared_ptr<detail::ProcessState> state) noexcept
    : Condition(state), process_(state.get()) {}

const ProcessInfo& ProcessCondition::process() const noexcept { return process_->found(); }

ProcessCondition until::process_exists(std::string path, ProcessOptions options) {
  return ProcessCondition(std::make_shared<ProcessExists>(ProcessMatcher(path), options));
}

ProcessCondition until::process_exists(ProcessPredicate predicate, ProcessOptions options) {
  return ProcessCondition(
      std::make_shared<ProcessExists>(ProcessMatcher(std::move(predicate)), options));
}

Condition until::process_gone(::pid_t pid, ProcessOptions options) {
  return Condition(std::make_shared<ProcessGone>(pid, options));
}

Condition until::process_gone(const ProcessInfo& process, ProcessOptions options) {
  return Condition(std::make_shared<ProcessGone>(process, options));
}

Condition until::process_gone(std::string path, ProcessOptions options) {
  return Condition(std::make_shared<AllProcessesGone>(path, options));
}

bool until::connector_in_use() {
  return ProcessEvents::listen(ProcessEvents::Forks::ignored).has_value();
}

}  // namespace rouse
