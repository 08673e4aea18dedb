// No memory, at each allocation of each function of this layer: std::bad_alloc, nothing leaked, no
// memory and no descriptor, and the condition can be waited for as if nothing had happened.

#include "rouse/service/autowait.hpp"
#include "rouse/wait/event.hpp"

#include "support/faults/allocation_rows.hpp"
#include "support/faults/faults.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_socket.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <climits>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// What is waited for: some of it holds, some does not.
struct Surroundings {
  static constexpr ::pid_t nobody_has_it = INT_MAX;

  TemporaryDirectory folder;
  std::string file =
      folder.write("below/file with a long name.log", "a first line\nready at 5 s\n");
  std::string missing = folder / "below/another file with a long name";
  std::string directory = folder / "below";
  std::string program = "no program has a name as long as this";
  TestSocket listener;
  TestSocket bound{{.listens = false}};  // its port is taken, and nobody listens
  ProcessInfo ended;
  Event set{true};
  Event unset;

  Surroundings() { ended.pid = nobody_has_it; }
};

constexpr WaitTime soon = milliseconds(1);

constexpr auto is_this_process = [](const ProcessInfo& process) {
  return process.pid == ::getpid();
};
constexpr auto is_nobody = [](const ProcessInfo&) { return false; };

// A call that makes a condition and waits for it. Whatever failed, the next one does not.
template <class Wait>
auto waits(WaitStatus expected, Wait wait) {
  return [expected, wait] {
    auto all = std::make_shared<Surroundings>();
    return [all, expected, wait] {
      const auto check = [&] { EXPECT_EQ(static_cast<WaitStatus>(wait(*all)), expected); };
      strongly(check, check);
    };
  };
}

// The same of a condition that is there already, which ends its wait as it was.
template <class Make>
auto waits_for(WaitStatus expected, Make make) {
  return [expected, make] {
    auto all = std::make_shared<Surroundings>();
    const Condition condition = make(*all);
    return [all, condition, expected] {
      const auto check = [&] { EXPECT_EQ(wait_until(condition, {soon}), expected); };
      strongly(check, check);
    };
  };
}

// A call that makes a condition. It watches nothing yet, whatever it holds.
template <class Make>
auto makes(Make make) {
  return [make] {
    auto all = std::make_shared<Surroundings>();
    return [all, make] {
      const auto check = [&] { EXPECT_FALSE(make(*all).describe().empty()); };
      strongly(check, check);
    };
  };
}

template <class Make, class Look>
auto looks_at(Make make, Look look) {
  return [make, look] {
    auto all = std::make_shared<Surroundings>();
    const auto condition = make(*all);
    EXPECT_EQ(wait_until(condition), WaitStatus::ready);
    return [all, condition, look] { look(*all, condition); };
  };
}

AllocationRows rows() {
  using enum Promise;
  AllocationRows row;
  const long each = row.one_by_one;
  constexpr auto ready = WaitStatus::ready;
  constexpr auto timeout = WaitStatus::timeout;
  // Who blocks for a file may read the events of all: it remembers whom to wake if there is memory
  // for that, and else wakes at once.
  constexpr auto throws_unless_it_reads_events = throws_or_survives;
  using S = Surroundings;

  const auto existing_file = [](S& s) { return until::file_exists(s.directory, "file*.log"); };
  const auto existing_below = [](S& s) {
    return until::file_exists(s.folder.path(), "file*.log", {.recursive = true});
  };
  const auto no_file = [](S& s) { return until::file_exists(s.directory, "another*"); };
  const auto no_file_below = [](S& s) {
    return until::file_exists(s.folder.path(), "another*", {.recursive = true});
  };
  const auto written_line = [](S& s) { return until::line_matches(s.file, "at ([0-9]+)"); };
  const auto no_line = [](S& s) { return until::line_matches(s.file, "at ([0-9]+) min"); };
  const auto this_process = [](S&) { return until::process_exists(is_this_process); };
  const auto listens = [](S& s) {
    return until::process_uses_ports(::getpid(), {s.listener.port()});
  };

  row.header = "rouse/service/condition.hpp";
  row("WaitTime", allocates_nothing,
      [] { return [] { EXPECT_EQ(WaitTime(seconds(1)).nanoseconds(), seconds(1)); }; });
  row("nanoseconds", allocates_nothing,
      [] { return [] { EXPECT_EQ(WaitTime(hours::max()).nanoseconds(), nanoseconds::max()); }; });
  row("Condition", allocates_nothing, looks_at(existing_file, [](S&, const Condition& condition) {
        const Condition copy = condition;
      }));
  row("FileCondition", allocates_nothing, looks_at(existing_file, [](S& s, const auto& file) {
        const FileCondition copy = file;
        EXPECT_EQ(copy.path(), s.file);
      }));
  row("LineCondition", allocates_nothing, looks_at(written_line, [](S&, const auto& line) {
        const LineCondition copy = line;
        EXPECT_EQ(copy.line(), "ready at 5 s");
      }));
  row("ProcessCondition", allocates_nothing, looks_at(this_process, [](S&, const auto& process) {
        const ProcessCondition copy = process;
        EXPECT_EQ(copy.process().pid, ::getpid());
      }));
  row("describe", throws, makes(existing_file));
  row("path", allocates_nothing,
      looks_at(existing_file, [](S& s, const auto& file) { EXPECT_EQ(file.path(), s.file); }));
  row("line", allocates_nothing,
      looks_at(written_line, [](S&, const auto& line) { EXPECT_EQ(line.line(), "ready at 5 s"); }));
  row("groups", allocates_nothing,
      looks_at(written_line, [](S&, const auto& line) { EXPECT_EQ(line.groups().at(1), "5"); }));
  row("process", allocates_nothing, looks_at(this_process, [](S&, const auto& process) {
        EXPECT_EQ(process.process().pid, ::getpid());
      }));
  row("connector_in_use", allocates_nothing,
      [] { return [] { EXPECT_EQ(until::connector_in_use(), until::connector_in_use()); }; });

  row("file_exists", throws, makes(existing_file));
  row("file_exists", throws, waits_for(ready, existing_file));
  row("file_exists", throws, waits_for(ready, existing_below));
  row("file_exists", throws_unless_it_reads_events, waits_for(timeout, no_file));
  row("file_exists", throws_unless_it_reads_events, waits_for(timeout, no_file_below));
  const auto gone = [](S& s) { return until::file_gone(s.missing); };
  const auto not_gone = [](S& s) { return until::file_gone(s.file); };
  row("file_gone", throws, makes(gone));
  row("file_gone", throws, waits_for(ready, gone));
  row("file_gone", throws_unless_it_reads_events, waits_for(timeout, not_gone));
  const auto unchanged = [](S& s) { return until::file_changed(s.file); };
  const auto changed = [](S& s) {
    Condition condition = until::file_changed(s.file);
    std::ofstream(s.file, std::ios::app) << "more\n";
    return condition;
  };
  row("file_changed", throws, makes(unchanged));
  row("file_changed", throws, waits_for(ready, changed));
  row("file_changed", throws_unless_it_reads_events, waits_for(timeout, unchanged));
  const auto stable = [](S& s) { return until::file_stable(s.file, seconds(0)); };
  const auto not_stable = [](S& s) { return until::file_stable(s.file, hours(1)); };
  row("file_stable", throws, makes(stable));
  row("file_stable", throws, waits_for(ready, stable));
  row("file_stable", throws_unless_it_reads_events, waits_for(timeout, not_stable));
  row("line_matches", throws, makes(written_line));
  row("line_matches", throws, makes([](S& s) {
        return until::line_matches(s.file, "anything", {.from = LineStart::end});
      }));
  row("line_matches", throws, waits_for(ready, written_line));
  row("line_matches", throws_unless_it_reads_events, waits_for(timeout, no_line));

  // A search makes the same few for each process.
  constexpr long of_some_processes = 20;
  row.one_by_one = of_some_processes;
  const auto no_program = [](S& s) { return until::process_exists(s.program); };
  row("process_exists", throws, makes(this_process));
  row("process_exists", throws, makes(no_program));
  row("process_exists", throws, waits_for(ready, this_process));
  row("process_exists", throws, waits_for(timeout, no_program));
  row("process_exists", throws,
      waits_for(timeout, [](S&) { return until::process_exists(is_nobody); }));
  const auto ended = [](S& s) { return until::process_gone(s.ended); };
  const auto lives = [](S&) { return until::process_gone(::getpid()); };
  const auto no_program_left = [](S& s) { return until::process_gone(s.program); };
  row("process_gone", throws, makes(ended));
  row("process_gone", throws, makes(lives));
  row("process_gone", throws, makes(no_program_left));
  row("process_gone", throws, waits_for(ready, ended));
  row("process_gone", throws, waits_for(timeout, lives));
  row("process_gone", throws, waits_for(ready, no_program_left));
  row("process_gone", throws,
      waits_for(timeout, [](S&) { return until::process_gone("/proc/self/exe"); }));

  const auto used = [](S& s) { return until::port_used(s.listener.port()); };
  const auto not_used = [](S& s) { return until::port_used(s.bound.port()); };
  const auto free = [](S& s) { return until::port_free(s.bound.port()); };
  const auto not_free = [](S& s) { return until::port_free(s.listener.port()); };
  row("port_used", throws, makes(used));
  row("port_used", throws, waits_for(ready, used));
  row("port_used", throws, waits_for(timeout, not_used));
  row("port_free", throws, makes(free));
  row("port_free", throws, waits_for(ready, free));
  row("port_free", throws, waits_for(timeout, not_free));
  row("process_uses_ports", throws, makes(listens));
  row("process_uses_ports", throws, waits_for(ready, listens));
  row("process_uses_ports", throws, waits_for(ready, [](S& s) {
        return until::process_uses_ports("/proc/self/exe", {s.listener.port()});
      }));
  row("process_uses_ports", throws, waits_for(timeout, [](S& s) {
        return until::process_uses_ports(::getpid(), {s.listener.port(), s.bound.port()});
      }));
  row("process_uses_ports", throws, waits_for(timeout, [](S& s) {
        return until::process_uses_ports(s.program, {s.listener.port()});
      }));

  const auto holds = [](S&) { return until::holds([] { return true; }); };
  row("holds", throws, makes(holds));
  row("holds", throws, waits_for(ready, holds));
  row("holds", throws, waits_for(timeout, [](S&) { return until::holds([] { return false; }); }));
  const auto event_set = [](S& s) { return until::event_set(s.set); };
  const auto event_not_set = [](S& s) { return until::event_set(s.unset); };
  row("event_set", throws, makes(event_set));
  row("event_set", throws, waits_for(ready, event_set));
  row("event_set", throws, waits_for(timeout, event_not_set));

  row.header = "rouse/service/autowait.hpp";
  row.one_by_one = each;
  row("operator WaitStatus", allocates_nothing, [] {
    return [] {
      EXPECT_EQ(static_cast<WaitStatus>(FileFound{WaitStatus::ready, {}}), WaitStatus::ready);
    };
  });
  // Of conditions that have just been waited for one by one, each kind in one wait.
  const auto each_kind = [](S& s) {
    return std::array<Condition, 5>{
        until::event_set(s.unset), until::file_gone(s.file), until::process_gone(::getpid()),
        until::port_used(s.bound.port()), until::line_matches(s.file, "no such line")};
  };
  row("wait_until_any", throws_unless_it_reads_events,
      waits(timeout, [=](S& s) { return wait_until_any(each_kind(s), {soon}).status; }));
  row("wait_until_any", throws, waits(ready, [=](S& s) {
        const AnyReady first = wait_until_any({event_not_set(s), not_gone(s), used(s)});
        EXPECT_EQ(first.index, 2U);
        return first.status;
      }));
  row("wait_until_all", throws_unless_it_reads_events, waits(timeout, [=](S& s) {
        const AllReady all = wait_until_all(each_kind(s), {soon});
        EXPECT_EQ(all.missing.size(), 5U);
        return all.status;
      }));
  row("wait_until_all", throws, waits(ready, [=](S& s) {
        return wait_until_all({event_set(s), gone(s), used(s)}).status;
      }));
  row("wait_until", throws, waits(ready, [=](S& s) { return wait_until(event_set(s)); }));
  row("wait_until", throws,
      waits(timeout, [=](S& s) { return wait_until(event_not_set(s), {soon}); }));
  row("wait_until", throws, waits(ready, [](S&) { return wait_until([] { return true; }); }));
  row("wait_until", throws,
      waits(timeout, [](S&) { return wait_until([] { return false; }, {.timeout = soon}); }));

  row("wait_until_file_exists", throws, waits(ready, [](S& s) {
        const FileFound found = wait_until_file_exists(s.directory, "file*.log");
        EXPECT_EQ(found.path, s.file);
        return found;
      }));
  row("wait_until_file_exists", throws_unless_it_reads_events, waits(timeout, [](S& s) {
        return wait_until_file_exists(s.directory, "another*", {.timeout = soon});
      }));
  row("wait_until_file_gone", throws,
      waits(ready, [](S& s) { return wait_until_file_gone(s.missing); }));
  row("wait_until_file_gone", throws_unless_it_reads_events,
      waits(timeout, [](S& s) { return wait_until_file_gone(s.file, {.timeout = soon}); }));
  row("wait_until_file_changed", throws_unless_it_reads_events,
      waits(timeout, [](S& s) { return wait_until_file_changed(s.file, {.timeout = soon}); }));
  row("wait_until_file_stable", throws,
      waits(ready, [](S& s) { return wait_until_file_stable(s.file, seconds(0)); }));
  row("wait_until_file_stable", throws_unless_it_reads_events, waits(timeout, [](S& s) {
        return wait_until_file_stable(s.file, hours(1), {.timeout = soon});
      }));
  row("wait_until_line_matches", throws, waits(ready, [](S& s) {
        const LineFound found = wait_until_line_matches(s.file, "at ([0-9]+)");
        EXPECT_EQ(found.line, "ready at 5 s");
        EXPECT_EQ(found.groups.size(), 2U);
        return found;
      }));
  row("wait_until_line_matches", throws_unless_it_reads_events, waits(timeout, [](S& s) {
        return wait_until_line_matches(s.file, "minutes", {.timeout = soon});
      }));

  row.one_by_one = of_some_processes;
  row("wait_until_process_exists", throws, waits(ready, [](S&) {
        const ProcessFound found = wait_until_process_exists(is_this_process);
        EXPECT_EQ(found.process.pid, ::getpid());
        return found;
      }));
  row("wait_until_process_exists", throws,
      waits(timeout, [](S& s) { return wait_until_process_exists(s.program, {.timeout = soon}); }));
  row("wait_until_process_gone", throws,
      waits(ready, [](S& s) { return wait_until_process_gone(s.ended); }));
  row("wait_until_process_gone", throws,
      waits(ready, [](S& s) { return wait_until_process_gone(s.ended.pid); }));
  row("wait_until_process_gone", throws,
      waits(ready, [](S& s) { return wait_until_process_gone(s.program); }));
  row("wait_until_process_gone", throws,
      waits(timeout, [](S&) { return wait_until_process_gone(::getpid(), {.timeout = soon}); }));

  row("wait_until_port_used", throws,
      waits(ready, [](S& s) { return wait_until_port_used(s.listener.port()); }));
  row("wait_until_port_used", throws,
      waits(timeout, [](S& s) { return wait_until_port_used(s.bound.port(), {.timeout = soon}); }));
  row("wait_until_port_free", throws,
      waits(ready, [](S& s) { return wait_until_port_free(s.bound.port()); }));
  row("wait_until_port_free", throws, waits(timeout, [](S& s) {
        return wait_until_port_free(s.listener.port(), {.timeout = soon});
      }));
  row("wait_until_process_uses_ports", throws, waits(ready, [](S& s) {
        return wait_until_process_uses_ports(::getpid(), {s.listener.port()});
      }));
  row("wait_until_process_uses_ports", throws, waits(timeout, [](S& s) {
        return wait_until_process_uses_ports(s.program, {s.listener.port()}, {.timeout = soon});
      }));
  row("wait_until_process_killed", throws,
      waits(ready, [](S& s) { return wait_until_process_killed(s.ended.pid, {s.bound.port()}); }));
  row("wait_until_process_killed", throws,
      waits(ready, [](S& s) { return wait_until_process_killed(s.program, {s.bound.port()}); }));
  row("wait_until_process_killed", throws, waits(timeout, [](S& s) {
        return wait_until_process_killed(::getpid(), {s.bound.port()}, {.timeout = soon});
      }));
  return row;
}

TEST(AllocationFailure, AtEachAllocationOfEachFunctionKeepsItsPromise) {
  const SparedLibrary re2("/libre2.so");  // it loses what it has when there is no memory
  rows().expect_promises_kept();
}

TEST(AllocationFailure, IsTestedForEachFunctionOfEachHeader) { rows().expect_complete("service"); }

}  // namespace
}  // namespace rouse::test
