// How the blocking calls of wait/ end.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/pipe.hpp"
#include "support/stopping/blocking_rows.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include <gtest/gtest.h>

namespace {

using rouse::Event;
using rouse::test::BlockingRows;
using rouse::test::Given;
using rouse::test::on;
using rouse::test::Pipe;
using rouse::test::waits;
using rouse::test::waits_for_a_time;

struct FullPipe : Pipe {
  FullPipe() { fill(); }
  void drain() const {
    std::array<char, 4096> bytes;
    while (::read(read_end(), bytes.data(), bytes.size()) > 0) {
    }
  }
};

struct TwoEvents {
  std::array<Event, 2> events;
  std::array<Event*, 2> addresses{&events[0], &events[1]};
};

BlockingRows rows_of_wait() {
  BlockingRows row("wait");
  const auto set = [](Event& event) { event.set(); };
  row.header = "rouse/wait/event.hpp";
  row("Event::wait(stop)", waits,
      on<Event>([](Event& event, const Given& given) { return event.wait(given.stop); }, set));
  row("Event::wait_for(d, stop)", waits_for_a_time,
      on<Event>(
          [](Event& event, const Given& given) { return event.wait_for(given.time, given.stop); },
          set));
  row("Event::wait_until(t, stop)", waits_for_a_time,
      on<Event>([](Event& event,
                   const Given& given) { return event.wait_until(given.until(), given.stop); },
                set));

  row.header = "rouse/wait/fd.hpp";
  const auto readable = [&row](const char* signature, const auto& promises, auto call) {
    row(signature, promises, on<Pipe>(call, [](const Pipe& pipe) { pipe.put(); }));
  };
  readable("wait_readable(fd, stop)", waits, [](const Pipe& pipe, const Given& given) {
    return rouse::wait_readable(pipe.read_end(), given.stop);
  });
  readable("wait_readable_for(fd, d, stop)", waits_for_a_time,
           [](const Pipe& pipe, const Given& given) {
             return rouse::wait_readable_for(pipe.read_end(), given.time, given.stop);
           });
  readable("wait_readable_until(fd, t, stop)", waits_for_a_time,
           [](const Pipe& pipe, const Given& given) {
             return rouse::wait_readable_until(pipe.read_end(), given.until(), given.stop);
           });
  const auto writable = [&row](const char* signature, const auto& promises, auto call) {
    row(signature, promises, on<FullPipe>(call, [](const FullPipe& pipe) { pipe.drain(); }));
  };
  writable("wait_writable(fd, stop)", waits, [](const Pipe& pipe, const Given& given) {
    return rouse::wait_writable(pipe.write_end(), given.stop);
  });
  writable("wait_writable_for(fd, d, stop)", waits_for_a_time,
           [](const Pipe& pipe, const Given& given) {
             return rouse::wait_writable_for(pipe.write_end(), given.time, given.stop);
           });
  writable("wait_writable_until(fd, t, stop)", waits_for_a_time,
           [](const Pipe& pipe, const Given& given) {
             return rouse::wait_writable_until(pipe.write_end(), given.until(), given.stop);
           });
  const auto input = [](const Pipe& pipe) { return ::pollfd{pipe.read_end(), POLLIN, 0}; };
  readable("wait_fds(fds, stop)", waits, [input](const Pipe& pipe, const Given& given) {
    ::pollfd fd = input(pipe);
    return rouse::wait_fds({&fd, 1}, given.stop);
  });
  readable("wait_fds_for(fds, d, stop)", waits_for_a_time,
           [input](const Pipe& pipe, const Given& given) {
             ::pollfd fd = input(pipe);
             return rouse::wait_fds_for({&fd, 1}, given.time, given.stop);
           });
  readable("wait_fds_until(fds, t, stop)", waits_for_a_time,
           [input](const Pipe& pipe, const Given& given) {
             ::pollfd fd = input(pipe);
             return rouse::wait_fds_until({&fd, 1}, given.until(), given.stop);
           });

  row.header = "rouse/wait/sleep.hpp";
  struct Nothing {};
  const auto sleeps = without_release(waits_for_a_time);
  row("sleep_for(d, stop)", sleeps,
      on<Nothing>(
          [](Nothing&, const Given& given) { return rouse::sleep_for(given.time, given.stop); },
          rouse::test::nothing_releases));
  row("sleep_until(t, stop)", sleeps,
      on<Nothing>([](Nothing&,
                     const Given& given) { return rouse::sleep_until(given.until(), given.stop); },
                  rouse::test::nothing_releases));

  row.header = "rouse/wait/wait_any.hpp";
  const auto any = [&row](const char* signature, const auto& promises, auto call) {
    row(signature, promises, on<TwoEvents>(call, [](TwoEvents& two) { two.events[1].set(); }));
  };
  any("wait_any(events, stop)", waits, [](TwoEvents& two, const Given& given) {
    return rouse::wait_any(two.addresses, given.stop);
  });
  any("wait_any_for(events, d, stop)", waits_for_a_time, [](TwoEvents& two, const Given& given) {
    return rouse::wait_any_for(two.addresses, given.time, given.stop);
  });
  any("wait_any_until(events, t, stop)", waits_for_a_time, [](TwoEvents& two, const Given& given) {
    return rouse::wait_any_until(two.addresses, given.until(), given.stop);
  });
  any("wait_any(first, rest)", waits_for_a_time, [](TwoEvents& two, const Given& given) {
    return rouse::wait_any(two.events[0], two.events[1], given.until(), given.stop);
  });

  row.header = "rouse/wait/shield.hpp";
  row.does_not_block("Shield::~Shield()", "lets through what was held back");
  row.header = "rouse/wait/stop_scope.hpp";
  row.does_not_block("StopScope::StopScope(parent)", "hangs a callback on the token");
  row.does_not_block("StopScope::with_deadline(when, parent)", "keeps the time");
  row.header = "rouse/wait/this_thread.hpp";
  row.does_not_block("this_thread::Bind::Bind(token)", "keeps the token");
  return row;
}

TEST(StoppingOfWait, EachCallEndsAsItPromises) { rows_of_wait().expect_promises_kept(); }
TEST(StoppingOfWait, EachBlockingCallHasARow) { rows_of_wait().expect_complete(); }
TEST(StoppingOfWait, IsDocumented) { rows_of_wait().expect_documented(); }

}  // namespace
