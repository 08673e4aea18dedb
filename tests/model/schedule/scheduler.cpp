#include "model/schedule/scheduler.hpp"

#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

namespace rouse::test::model {
namespace {

constexpr unsigned steps_allowed = 50'000;
constexpr std::int64_t tick_ns = 1'000'000;
constexpr std::int64_t start_of_time = 1'000 * tick_ns;
constexpr std::uint32_t alive = 0x616C6976;
constexpr int first_fd = 1'000;
constexpr int nobody = -2;

thread_local int self_index = -1;

// A new thread is waited for until it hands itself over, which takes long where another process has
// its CPU. By then the system has spread the processes over the CPUs.
constexpr unsigned made_on_any_cpu = 1'000;

void stay_on_one_cpu() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<unsigned>(std::max(0, ::sched_getcpu())), &cpus);
  (void)::sched_setaffinity(0, sizeof cpus, &cpus);
}

bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}
bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

// "void rouse::detail::ControlBlock::park(rouse::detail::Deadline, bool)" -> "ControlBlock::park"
std::string short_name(std::string function) {
  const bool lambda = function.find("lambda") != std::string::npos;
  function.resize(std::min(function.size(), function.find('(')));
  if (const std::size_t space = function.rfind(' '); space != std::string::npos) {
    function.erase(0, space + 1);
  }
  for (const char* prefix : {"rouse::detail::", "rouse::"}) {
    if (function.starts_with(prefix)) function.erase(0, std::string_view(prefix).size());
  }
  return lambda ? function + "::lambda" : function;
}

// The last folder and the file.
std::string short_path(std::string path) {
  std::size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) slash = path.rfind('/', slash - 1);
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

const char* order_name(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      return "seq_cst";
  }
}

// --- the driver
// ------------------------------------------------------------------------------------

struct Scheduler::Worker {
  int index = 0;
  const Body* body = nullptr;
  Fiber fiber;
  std::thread thread;
};

Scheduler& Scheduler::instance() {
  // Never destroyed: workers live until the process ends.
  static auto* scheduler = new Scheduler;
  return *scheduler;
}

int Scheduler::self() noexcept { return self_index; }

void Scheduler::run(std::span<const Body> bodies, Strategy& strategy) {
  strategy_ = &strategy;
  ++schedule_;
  steps_ = ticks_ = 0;
  uses_time_ = false;
  now_ = start_of_time;
  location_count_ = 0;
  fds_.clear();
  trace_.clear();
  thread_count_ = static_cast<int>(bodies.size());
  for (int i = 0; i < thread_count_; ++i) {
    if (static_cast<std::size_t>(i) == workers_.size()) {
      workers_.push_back(std::make_unique<Worker>());
      Worker& worker = *workers_.back();
      worker.index = i;
      worker.thread = std::thread([this, &worker] { work(worker); });
      worker.fiber.await_hand_over();
    }
    workers_[static_cast<std::size_t>(i)]->body = &bodies[static_cast<std::size_t>(i)];
    Thread& thread = threads_[static_cast<std::size_t>(i)];
    thread.fiber = &workers_[static_cast<std::size_t>(i)]->fiber;
    thread.state = State::runs;
    thread.view = {};
    thread.view.clock[static_cast<std::size_t>(i)] = 1;
  }
  driver_.drive();
  driver_.switch_to(fiber_of(pick_next(nobody, false)));

  for (std::uint32_t i = 0; i < location_count_; ++i) {
    Location& location = locations_[i];
    if ((location.threads & (location.threads - 1)) == 0) continue;
    for (const std::uint32_t site : location.sites) {
      if (!sites_[site].shared) sites_[site].shared = new_shared_site_ = true;
    }
  }
}

void Scheduler::work(Worker& worker) {
  if (on_worker_start) on_worker_start();
  worker.fiber.hand_over();
  for (;;) {
    self_index = worker.index;
    (*worker.body)();
    self_index = -1;
    worker.fiber.switch_to(end(worker.index));
  }
}

bool Scheduler::take_new_shared_site() { return std::exchange(new_shared_site_, false); }

// --- who runs ----------------------------------------------------------------------------------

void Scheduler::point() {
  const int next = pick_next(self_index, false);
  if (next != self_index) switch_to(next);
}

int Scheduler::pick_next(int current, bool spins) {
  for (;;) {
    if (++steps_ > steps_allowed) fail("it goes on for ever");
    std::array<int, max_threads + 1> candidates;
    std::size_t count = 0;
    const bool runs =
        current >= 0 && threads_[static_cast<std::size_t>(current)].state == State::runs;
    if (runs && !spins) candidates[count++] = current;
    bool all_ended = true;
    for (int i = 0; i < thread_count_; ++i) {
      const int other = current < 0 ? i : (current + i) % thread_count_;
      const State state = threads_[static_cast<std::size_t>(other)].state;
      if (other != current && state == State::runs) candidates[count++] = other;
      if (state != State::ended) all_ended = false;
    }
    if (count == 0) {
      if (runs) return current;
      if (all_ended) return nobody;
      const std::int64_t earliest = earliest_deadline();
      if (earliest == INT64_MAX) fail("deadlock");
      advance_clock(earliest);
      continue;
    }
    if (!spins && uses_time_ && ticks_ < ticks_allowed) candidates[count++] = clock_thread;
    if (count == 1) return candidates[0];
    using Turn = Strategy::Turn;
    const Turn turn = !runs ? Turn::ended : spins ? Turn::spins : Turn::may_go_on;
    const int next = candidates[strategy_->pick({candidates.data(), count}, turn, steps_)];
    if (next != clock_thread) return next;
    ++ticks_;
    advance_clock(now_ + tick_ns);
  }
}

void Scheduler::point_at(std::uint32_t site) {
  if (switch_at_shared_only && !sites_[site].shared) {
    ++steps_;
  } else {
    point();
  }
}

unsigned Scheduler::choose(unsigned count) { return strategy_->choose(count, ++steps_); }

Fiber& Scheduler::fiber_of(int thread) {
  return thread == nobody ? driver_ : *threads_[static_cast<std::size_t>(thread)].fiber;
}

void Scheduler::switch_to(int next) { fiber_of(self_index).switch_to(fiber_of(next)); }

void Scheduler::block(Thread& me) {
  me.state = State::blocked;
  const int next = pick_next(self_index, false);
  if (next != self_index) switch_to(next);
  me.address = nullptr;
  me.fds = nullptr;
  me.joins = -1;
  me.deadline = INT64_MAX;
}

// Who goes on then.
Fiber& Scheduler::end(int index) {
  threads_[static_cast<std::size_t>(index)].state = State::ended;
  for (Thread& thread : threads_) {
    if (thread.state == State::blocked && thread.joins == index) thread.state = State::runs;
  }
  return fiber_of(pick_next(nobody, false));
}

void Scheduler::relax() {
  const int next = pick_next(self_index, true);
  if (next != self_index) switch_to(next);
}

int Scheduler::add_thread(Fiber& fiber) {
  point();
  if (thread_count_ == max_threads) fail("more threads than the scheduler has room for");
  if (++threads_made_ == made_on_any_cpu) stay_on_one_cpu();
  const int index = thread_count_++;
  Thread& thread = threads_[static_cast<std::size_t>(index)];
  thread.fiber = &fiber;
  thread.state = State::runs;
  View& maker = threads_[static_cast<std::size_t>(self_index)].view;
  thread.view = maker;
  thread.view.clock[static_cast<std::size_t>(index)] = 1;
  ++maker.clock[static_cast<std::size_t>(self_index)];
  return index;
}

void Scheduler::attach(int thread) {
  fiber_of(thread).hand_over();
  self_index = thread;
}

void Scheduler::detach() {
  const int me = std::exchange(self_index, -1);
  fiber_of(me).take_back(end(me));
}

void Scheduler::join(int index) {
  point();
  Thread& me = threads_[static_cast<std::size_t>(self_index)];
  const Thread& other = threads_[static_cast<std::size_t>(index)];
  if (other.state != State::ended) {
    trace("blocks: joins", no_site, static_cast<std::uint64_t>(index));
    me.joins = index;
    block(me);
  }
  me.view.join(other.view);
}

// --- time
// ------------------------------------------------------------------------------------------

void Scheduler::advance_clock(std::int64_t to) {
  now_ = to;
  trace_.push_back({clock_thread, "time is", no_site,
                    static_cast<std::uint64_t>((to - start_of_time) / tick_ns), false});
  for (Thread& thread : threads_) {
    if (thread.state == State::blocked && thread.deadline <= now_) thread.state = State::runs;
  }
}

std::int64_t Scheduler::earliest_deadline() const {
  std::int64_t earliest = INT64_MAX;
  for (const Thread& thread : threads_) {
    if (thread.state == State::blocked) earliest = std::min(earliest, thread.deadline);
  }
  return earliest;
}

std::int64_t Scheduler::now() {
  uses_time_ = true;
  point();
  return now_;
}

// --- addresses and descriptors -----------------------------------------------------------------

void Scheduler::wait_address(const void* address, std::uint32_t expected, std::int64_t deadline) {
  point();
  // The kernel compares the newest value, but orders nothing for the caller.
  if (*static_cast<const std::uint32_t*>(address) != expected) {
    trace("does not block: value", no_site, *static_cast<const std::uint32_t*>(address));
    return;
  }
  if (choose(2) == 1) {
    trace("wakes for no reason", no_site, 0);
    return;
  }
  Thread& me = threads_[static_cast<std::size_t>(self_index)];
  if (deadline <= now_) return;
  trace("blocks while", no_site, expected);
  me.address = address;
  me.deadline = deadline;
  block(me);
}

void Scheduler::wake_address(const void* address, int count) {
  point();
  int woken = 0;
  for (int i = 0; i < thread_count_ && woken < count; ++i) {
    Thread& thread = threads_[static_cast<std::size_t>(i)];
    if (thread.state != State::blocked || thread.address != address) continue;
    thread.state = State::runs;
    ++woken;
  }
  trace("wakes, threads", no_site, static_cast<std::uint64_t>(woken));
}

int Scheduler::event_fd_create() {
  fds_.push_back(0);
  return first_fd + static_cast<int>(fds_.size()) - 1;
}

int Scheduler::make_fd() { return event_fd_create(); }

void Scheduler::post(int fd) {
  point();
  trace("posts to descriptor", no_site, static_cast<std::uint64_t>(fd));
  const auto index = static_cast<std::size_t>(fd - first_fd);
  if (fd < first_fd || index >= fds_.size()) return;  // as write(2) with EBADF
  ++fds_[index];
  for (Thread& thread : threads_) {
    if (thread.state == State::blocked && thread.fds != nullptr &&
        ready_fds(thread.fds, thread.fd_count) > 0) {
      thread.state = State::runs;
    }
  }
}

void Scheduler::make_ready(int fd) { post(fd); }

void Scheduler::drain(int fd) {
  point();
  trace("drains descriptor", no_site, static_cast<std::uint64_t>(fd));
  fds_.at(static_cast<std::size_t>(fd - first_fd)) = 0;
}

void Scheduler::take_ready(int fd) { drain(fd); }

int Scheduler::ready_fds(::pollfd* fds, unsigned count) const {
  int ready = 0;
  for (unsigned i = 0; i < count; ++i) {
    const auto index = static_cast<std::size_t>(fds[i].fd - first_fd);
    fds[i].revents = index < fds_.size() && fds_[index] > 0 ? fds[i].events : short{0};
    if (fds[i].revents != 0) ++ready;
  }
  return ready;
}

int Scheduler::poll(::pollfd* fds, unsigned count, std::int64_t deadline) {
  point();
  int ready = ready_fds(fds, count);
  if (ready == 0 && deadline > now_ && choose(2) == 0) {
    trace("blocks in poll", no_site, count);
    Thread& me = threads_[static_cast<std::size_t>(self_index)];
    me.fds = fds;
    me.fd_count = count;
    me.deadline = deadline;
    block(me);
    ready = ready_fds(fds, count);
  }
  trace("polled, ready", no_site, static_cast<std::uint64_t>(ready));
  return ready;
}

// --- memory ------------------------------------------------------------------------------------

std::uint32_t& Scheduler::View::of(std::uint32_t location) {
  if (seen.size() <= location) seen.resize(location + 8, 0);
  return seen[location];
}

void Scheduler::View::join(const View& other) {
  for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other.clock[i]);
  if (seen.size() < other.seen.size()) seen.resize(other.seen.size(), 0);
  for (std::size_t i = 0; i < other.seen.size(); ++i) seen[i] = std::max(seen[i], other.seen[i]);
}

std::uint32_t Scheduler::site_of(const Where& where, const char* what, char kind,
                                 std::uint32_t part, std::memory_order& order) {
  const auto [entry, is_new] =
      site_index_.try_emplace({where.file_name(), where.line(), where.column(), part},
                              static_cast<std::uint32_t>(sites_.size()));
  if (is_new) {
    const std::string file = short_path(where.file_name());
    sites_.push_back(
        {file + ":" + std::to_string(where.line()) + ":" + std::to_string(where.column()) + ":" +
             std::to_string(part),
         file + " " + short_name(where.function_name()) + ": " + what + " " + order_name(order),
         order, kind});
    if (sites_.back().place == weak_.place) weak_site_ = entry->second;
  }
  if (entry->second == weak_site_) order = weak_.order;
  return entry->second;
}

Scheduler::Location& Scheduler::touch(const Cell& cell, std::uint32_t site) {
  if (cell.life_ != alive) {
    trace("touches what is gone", site, 0);
    fail("an atomic was touched after its end");
  }
  if (cell.schedule_ != schedule_) {
    cell.schedule_ = schedule_;
    cell.location_ = location_count_++;
    if (locations_.size() < location_count_) locations_.emplace_back();
    Location& location = locations_[cell.location_];
    location.history.clear();
    location.history.push_back({cell.value_, false, {}});
    location.agreed = 0;
    location.threads = 0;
    location.sites.clear();
  }
  Location& location = locations_[cell.location_];
  location.threads |= 1U << self_index;
  if (std::ranges::find(location.sites, site) == location.sites.end()) {
    location.sites.push_back(site);
  }
  return location;
}

std::size_t Scheduler::oldest_for(const Cell& cell, const Location& location,
                                  std::memory_order order) {
  const std::size_t known = threads_[static_cast<std::size_t>(self_index)].view.of(cell.location_);
  return order == std::memory_order_seq_cst ? std::max(known, location.agreed) : known;
}

void Scheduler::see(const Cell& cell, Location& location, std::size_t index,
                    std::memory_order order) {
  if (order == std::memory_order_seq_cst) location.agreed = std::max(location.agreed, index);
  View& view = threads_[static_cast<std::size_t>(self_index)].view;
  view.of(cell.location_) = static_cast<std::uint32_t>(index);
  const Message& message = location.history[index];
  if (acquires(order) && message.carries) view.join(message.view);
}

void Scheduler::append(const Cell& cell, Location& location, std::uint64_t value,
                       std::memory_order order, bool hands_on) {
  View& view = threads_[static_cast<std::size_t>(self_index)].view;
  const std::size_t index = location.history.size();
  view.of(cell.location_) = static_cast<std::uint32_t>(index);
  if (order == std::memory_order_seq_cst) location.agreed = index;
  Message message{value, false, {}};
  if (hands_on && location.history.back().carries) {
    message.carries = true;
    message.view = location.history.back().view;
  }
  if (releases(order)) {
    message.carries = true;
    message.view.join(view);
    ++view.clock[static_cast<std::size_t>(self_index)];
  }
  location.history.push_back(std::move(message));
}

std::uint64_t Scheduler::load(const Cell& cell, std::memory_order order, const Where& where) {
  const std::uint32_t site = site_of(where, "load", 'l', 0, order);
  point_at(site);
  Location& location = touch(cell, site);
  const std::size_t newest = location.history.size() - 1;
  const std::size_t oldest = oldest_for(cell, location, order);
  const std::size_t index =
      newest == oldest ? newest : newest - choose(static_cast<unsigned>(newest - oldest + 1));
  see(cell, location, index, order);
  const std::uint64_t value = location.history[index].value;
  trace("loads", site, value, index != newest);
  return value;
}

void Scheduler::store(Cell& cell, std::uint64_t value, std::memory_order order,
                      const Where& where) {
  const std::uint32_t site = site_of(where, "store", 's', 0, order);
  point_at(site);
  append(cell, touch(cell, site), value, order, false);
  cell.value_ = value;
  trace("stores", site, value);
}

std::uint64_t Scheduler::update(Cell& cell, const char* what, Cell::Change* change,
                                std::uint64_t operand, std::memory_order order,
                                const Where& where) {
  const std::uint32_t site = site_of(where, what, 'x', 0, order);
  point_at(site);
  Location& location = touch(cell, site);
  const std::uint64_t before = location.history.back().value;
  see(cell, location, location.history.size() - 1, order);
  cell.value_ = change(before, operand);
  append(cell, location, cell.value_, order, true);
  trace("exchanges", site, before);
  return before;
}

bool Scheduler::compare_exchange(Cell& cell, std::uint64_t& expected, std::uint64_t desired,
                                 std::memory_order success, std::memory_order failure, bool weak,
                                 const Where& where) {
  const std::uint32_t site = site_of(where, "compare_exchange", 'x', 0, success);
  const std::uint32_t failure_site = site_of(where, "compare_exchange, failing,", 'l', 1, failure);
  point_at(site);
  Location& location = touch(cell, site);
  const std::size_t newest = location.history.size() - 1;
  const std::size_t oldest = oldest_for(cell, location, failure);
  const bool matches = location.history[newest].value == expected;

  // A failure is a load, which may give an older value; a weak one may also fail for no reason.
  std::array<std::size_t, 8> failures;
  std::size_t count = 0;
  if (matches && weak) failures[count++] = newest;
  for (std::size_t i = newest; i-- > oldest && count < failures.size();) {
    if (location.history[i].value != expected) failures[count++] = i;
  }
  const unsigned choice = count == 0 ? 0 : choose(static_cast<unsigned>(count) + 1);
  if (choice == 0 && matches) {
    see(cell, location, newest, success);
    cell.value_ = desired;
    append(cell, location, desired, success, true);
    trace("exchanges", site, expected);
    return true;
  }
  const std::size_t index = choice == 0 ? newest : failures[choice - 1];
  see(cell, location, index, failure);
  expected = location.history[index].value;
  trace("does not exchange, finds", failure_site, expected, index != newest);
  return false;
}

void Scheduler::access(Access& data, bool write, const char* what) {
  if (self_index < 0) return;
  const auto me = static_cast<std::size_t>(self_index);
  const auto& clock = threads_[me].view.clock;
  for (std::size_t i = 0; i < max_threads; ++i) {
    if (i == me) continue;
    if (data.writes[i] > clock[i] || (write && data.reads[i] > clock[i])) {
      fail(std::string("data race on ") + what + ", with thread " + std::to_string(i));
    }
  }
  (write ? data.writes : data.reads)[me] = clock[me];
}

// --- failures
// --------------------------------------------------------------------------------------

void Scheduler::trace(const char* what, std::uint32_t site, std::uint64_t value, bool old) {
  trace_.push_back({self_index, what, site, value, old});
}

std::string Scheduler::report(const std::string& reason) const {
  std::string text = reason + "\nreplay: ROUSE_MODEL_REPLAY=" + strategy_->replay() + "\n";
  char line[64];
  constexpr std::size_t shown = 300;
  const std::size_t first = trace_.size() > shown ? trace_.size() - shown : 0;
  for (std::size_t i = first; i < trace_.size(); ++i) {
    const TraceEvent& event = trace_[i];
    std::snprintf(line, sizeof line, "%4zu  ", i);
    text += line;
    text += event.thread == clock_thread ? "clock" : "T" + std::to_string(event.thread);
    text += std::string("  ") + event.what;
    std::snprintf(line, sizeof line, event.value < 100'000 ? " %llu" : " %#llx",
                  static_cast<unsigned long long>(event.value));
    text += line;
    if (event.old) text += " (old)";
    if (event.site != no_site) {
      text += "   " + sites_[event.site].name + "  " + sites_[event.site].place;
    }
    text += '\n';
  }
  for (int i = 0; i < thread_count_; ++i) {
    const Thread& thread = threads_[static_cast<std::size_t>(i)];
    text += "T" + std::to_string(i) +
            (thread.state == State::ended     ? " has ended\n"
             : thread.state == State::blocked ? " is blocked\n"
                                              : " runs\n");
  }
  return text;
}

void Scheduler::fail(const std::string& reason) {
  on_failure(report(reason));
  std::abort();
}

// --- the seam
// --------------------------------------------------------------------------------------

std::uint64_t Cell::load(std::memory_order order, const Where& where) const noexcept {
  return self_index < 0 ? value_ : Scheduler::instance().load(*this, order, where);
}

void Cell::store(std::uint64_t value, std::memory_order order, const Where& where) noexcept {
  if (self_index < 0) {
    value_ = value;
  } else {
    Scheduler::instance().store(*this, value, order, where);
  }
}

std::uint64_t Cell::update(const char* what, Change* change, std::uint64_t operand,
                           std::memory_order order, const Where& where) noexcept {
  if (self_index < 0) return std::exchange(value_, change(value_, operand));
  return Scheduler::instance().update(*this, what, change, operand, order, where);
}

bool Cell::compare_exchange(std::uint64_t& expected, std::uint64_t desired,
                            std::memory_order success, std::memory_order failure,
                            bool may_fail_for_no_reason, const Where& where) noexcept {
  if (self_index >= 0) {
    return Scheduler::instance().compare_exchange(*this, expected, desired, success, failure,
                                                  may_fail_for_no_reason, where);
  }
  if (value_ != expected) {
    expected = value_;
    return false;
  }
  value_ = desired;
  return true;
}

void point() noexcept {
  if (self_index >= 0) Scheduler::instance().point();
}

bool mutant(const char* name) noexcept {
  const std::string& chosen = Scheduler::instance().mutant();
  return !chosen.empty() && chosen == name;
}

void Cell::retire() noexcept {
  if (life_ != alive) Scheduler::instance().fail("an atomic was destroyed twice");
  life_ = 0;
}

}  // namespace rouse::test::model

namespace rouse::detail::os {

using test::model::Scheduler;

std::int64_t now_ns() noexcept {
  Scheduler& scheduler = Scheduler::instance();
  return Scheduler::self() < 0 ? scheduler.coarse_now() : scheduler.now();
}

std::int64_t coarse_now_ns() noexcept { return Scheduler::instance().coarse_now(); }

void futex_wait(Atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t deadline_ns) noexcept {
  if (Scheduler::self() >= 0) Scheduler::instance().wait_address(&word, expected, deadline_ns);
}

void futex_wake_one(Atomic<std::uint32_t>& word) noexcept {
  if (Scheduler::self() >= 0) Scheduler::instance().wake_address(&word, 1);
}

int cpu() noexcept { return Scheduler::instance().cpus_differ ? Scheduler::self() + 1 : 0; }

void cpu_relax() noexcept {
  if (Scheduler::self() >= 0) Scheduler::instance().relax();
}

void yield() noexcept { cpu_relax(); }

int event_fd_create() noexcept { return Scheduler::instance().event_fd_create(); }
void event_fd_post(int fd) noexcept { Scheduler::instance().post(fd); }
void event_fd_drain(int fd) noexcept { Scheduler::instance().drain(fd); }
void close_fd(int) noexcept {}

int poll_until(::pollfd* fds, unsigned count, std::int64_t deadline_ns) noexcept {
  return Scheduler::instance().poll(fds, count, deadline_ns);
}

int thread_id() noexcept { return Scheduler::self() + 1; }

}  // namespace rouse::detail::os
