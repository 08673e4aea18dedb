// How the blocking calls of service/ end.

#include "rouse/service/autowait.hpp"
#include "rouse/wait/event.hpp"

#include "support/idle_process.hpp"
#include "support/stopping/blocking_rows.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_socket.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::test::BlockingRows;
using rouse::test::Given;
using rouse::test::IdleProcess;
using rouse::test::on;
using rouse::test::Promises;
using rouse::test::TemporaryDirectory;
using rouse::test::TestSocket;
using rouse::test::waits_for_a_time;

struct Folder {
  TemporaryDirectory folder;
  const std::string file = folder.write("there", "a line\n");
  const std::string missing = folder / "missing";

  void make() { (void)folder.write("missing", "another line\n"); }
  void remove() { std::filesystem::remove(file); }
};

struct Ports {
  TestSocket used;
  TestSocket unused{{.listens = false}};
};

// This process, under another name.
class OtherName {
 public:
  OtherName() { ::prctl(PR_GET_NAME, own_.data()); }
  ~OtherName() { take_off(); }
  void put_on() { ::prctl(PR_SET_NAME, name); }
  void take_off() { ::prctl(PR_SET_NAME, own_.data()); }

  static constexpr const char* name = "as_nobody_else";

 private:
  std::array<char, 16> own_{};
};
struct OtherNameOn : OtherName {
  OtherNameOn() { put_on(); }
};

struct Flag {
  std::atomic<bool> is_set{false};
};

void add_conditions(BlockingRows& row) {
  const auto set = [](Event& event) { event.set(); };
  row("wait_until_any(conditions, options, stop)", waits_for_a_time,
      on<Event>(
          [](Event& event, const Given& given) {
            return rouse::wait_until_any({rouse::until::event_set(event)}, {given.time},
                                         given.stop);
          },
          set));
  row("wait_until_all(conditions, options, stop)", waits_for_a_time,
      on<Event>(
          [](Event& event, const Given& given) -> rouse::WaitStatus {
            return rouse::wait_until_all({rouse::until::event_set(event)}, {given.time},
                                         given.stop);
          },
          set));
  row("wait_until(condition, options, stop)", waits_for_a_time,
      on<Event>(
          [](Event& event, const Given& given) {
            return rouse::wait_until(rouse::until::event_set(event), {given.time}, given.stop);
          },
          set));
  row("wait_until(predicate, options, stop)", waits_for_a_time,
      on<Flag>(
          [](Flag& flag, const Given& given) {
            return rouse::wait_until([&flag] { return flag.is_set.load(); },
                                     {.timeout = given.time, .interval = 1ms}, given.stop);
          },
          [](Flag& flag) { flag.is_set = true; }));
}

void add_files(BlockingRows& row) {
  const auto make = [](Folder& folder) { folder.make(); };
  row("wait_until_file_exists(directory, glob, options, stop)", waits_for_a_time,
      on<Folder>(
          [](Folder& folder, const Given& given) -> rouse::WaitStatus {
            return rouse::wait_until_file_exists(folder.folder.path(), "miss*",
                                                 {.timeout = given.time}, given.stop);
          },
          make));
  row("wait_until_file_gone(path, options, stop)", waits_for_a_time,
      on<Folder>(
          [](Folder& folder, const Given& given) {
            return rouse::wait_until_file_gone(folder.file, {.timeout = given.time}, given.stop);
          },
          [](Folder& folder) { folder.remove(); }));
  row("wait_until_file_changed(path, options, stop)", waits_for_a_time,
      on<Folder>(
          [](Folder& folder, const Given& given) {
            return rouse::wait_until_file_changed(folder.file, {.timeout = given.time}, given.stop);
          },
          [](Folder& folder) { folder.remove(); }));
  row("wait_until_file_stable(path, quiet_time, options, stop)", waits_for_a_time,
      on<Folder>(
          [](Folder& folder, const Given& given) {
            return rouse::wait_until_file_stable(folder.missing, 1ms, {.timeout = given.time},
                                                 given.stop);
          },
          make));
  row("wait_until_line_matches(file, pattern, options, stop)", waits_for_a_time,
      on<Folder>(
          [](Folder& folder, const Given& given) -> rouse::WaitStatus {
            return rouse::wait_until_line_matches(folder.missing, "another",
                                                  {.timeout = given.time}, given.stop);
          },
          make));
}

void add_processes(BlockingRows& row) {
  row("wait_until_process_exists(path, options, stop)", waits_for_a_time,
      on<OtherName>(
          [](OtherName& other, const Given& given) -> rouse::WaitStatus {
            return rouse::wait_until_process_exists(
                other.name, {.timeout = given.time, .interval = 10ms}, given.stop);
          },
          [](OtherName& other) { other.put_on(); }));
  row("wait_until_process_exists(predicate, options, stop)", waits_for_a_time,
      on<Flag>(
          [](Flag& flag, const Given& given) -> rouse::WaitStatus {
            return rouse::wait_until_process_exists(
                [&flag](const rouse::ProcessInfo&) { return flag.is_set.load(); },
                {.timeout = given.time, .interval = 10ms}, given.stop);
          },
          [](Flag& flag) { flag.is_set = true; }));
  const auto kill = [](IdleProcess& process) { process.kill(); };
  row("wait_until_process_gone(pid, options, stop)", waits_for_a_time,
      on<IdleProcess>(
          [](IdleProcess& process, const Given& given) {
            return rouse::wait_until_process_gone(process.pid(), {.timeout = given.time},
                                                  given.stop);
          },
          kill));
  row("wait_until_process_gone(process, options, stop)", waits_for_a_time,
      on<IdleProcess>(
          [](IdleProcess& process, const Given& given) {
            const auto found = rouse::until::process_exists(
                [&](const rouse::ProcessInfo& info) { return info.pid == process.pid(); });
            EXPECT_EQ(rouse::wait_until(found, {0s}), rouse::WaitStatus::ready);
            return rouse::wait_until_process_gone(found.process(), {.timeout = given.time},
                                                  given.stop);
          },
          kill));
  row("wait_until_process_gone(path, options, stop)", waits_for_a_time,
      on<OtherNameOn>(
          [](OtherName& other, const Given& given) {
            return rouse::wait_until_process_gone(
                other.name, {.timeout = given.time, .interval = 10ms}, given.stop);
          },
          [](OtherName& other) { other.take_off(); }));
}

void add_ports(BlockingRows& row) {
  const auto listen = [](Ports& ports) { ports.unused.listen(); };
  const auto close = [](Ports& ports) { ports.used.close(); };
  row("wait_until_port_used(port, options, stop)", waits_for_a_time,
      on<Ports>(
          [](Ports& ports, const Given& given) {
            return rouse::wait_until_port_used(ports.unused.port(), {.timeout = given.time},
                                               given.stop);
          },
          listen));
  row("wait_until_port_free(port, options, stop)", waits_for_a_time,
      on<Ports>(
          [](Ports& ports, const Given& given) {
            return rouse::wait_until_port_free(ports.used.port(), {.timeout = given.time},
                                               given.stop);
          },
          close));
  row("wait_until_process_uses_ports(path, ports, options, stop)", waits_for_a_time,
      on<Ports>(
          [](Ports& ports, const Given& given) -> rouse::WaitStatus {
            return rouse::wait_until_process_uses_ports("/proc/self/exe", {ports.unused.port()},
                                                        {.timeout = given.time}, given.stop);
          },
          listen));
  row("wait_until_process_uses_ports(pid, ports, options, stop)", waits_for_a_time,
      on<Ports>(
          [](Ports& ports, const Given& given) -> rouse::WaitStatus {
            return rouse::wait_until_process_uses_ports(::getpid(), {ports.unused.port()},
                                                        {.timeout = given.time}, given.stop);
          },
          listen));
  row("wait_until_process_killed(path, ports, options, stop)", waits_for_a_time,
      on<Ports>(
          [](Ports& ports, const Given& given) {
            return rouse::wait_until_process_killed("no_such_program", {ports.used.port()},
                                                    {.timeout = given.time}, given.stop);
          },
          close));
  row("wait_until_process_killed(pid, ports, options, stop)", waits_for_a_time,
      on<IdleProcess>(
          [](IdleProcess& process, const Given& given) {
            return rouse::wait_until_process_killed(process.pid(), {}, {.timeout = given.time},
                                                    given.stop);
          },
          [](IdleProcess& process) { process.kill(); }));
}

BlockingRows rows_of_service() {
  BlockingRows row("service");
  row.header = "rouse/service/autowait.hpp";
  add_conditions(row);
  add_files(row);
  add_processes(row);
  add_ports(row);
  row.header = "rouse/service/condition.hpp";
  row.does_not_block("WaitTime::WaitTime(d)", "keeps the time");
  row.does_not_block("until::file_stable(path, quiet_time, options)", "waits for nothing yet");
  return row;
}

TEST(StoppingOfService, EachCallEndsAsItPromises) { rows_of_service().expect_promises_kept(); }
TEST(StoppingOfService, EachBlockingCallHasARow) { rows_of_service().expect_complete(); }
TEST(StoppingOfService, IsDocumented) { rows_of_service().expect_documented(); }

}  // namespace
