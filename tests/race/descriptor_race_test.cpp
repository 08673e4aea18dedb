// No descriptor left, while threads need one for their waits: they are told so, nobody else is
// concerned, and when there is room again everything works.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/rendezvous.hpp"
#include "support/scale.hpp"
#include "wait/control_block.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::WaitStatus;
using rouse::detail::ControlBlock;
using rouse::test::Rendezvous;
using rouse::test::rounds;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

// While it lives, no number is left for another descriptor; give() makes room for one.
class Exhaustion {
 public:
  Exhaustion() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    // Few, so that all below can be filled.
    ::rlimit limit = before_;
    limit.rlim_cur = 64;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    fill();
  }
  ~Exhaustion() {
    for (const int fd : taken_) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  Exhaustion(const Exhaustion&) = delete;
  Exhaustion& operator=(const Exhaustion&) = delete;

  void give() {
    if (taken_.empty()) return;
    ::close(taken_.back());
    taken_.pop_back();
  }
  void fill() {
    for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
  }

 private:
  ::rlimit before_{};
  std::vector<int> taken_;
};

// The calling thread's block may have been another's, and have an eventfd.
void forget_event_fd() {
  const int fd = ControlBlock::current().event_fd.exchange(-1);
  if (fd >= 0) ::close(fd);
}

// A wait that is long enough to block. What it throws is looked at later, when there are
// descriptors.
std::exception_ptr wait_a_moment(int fd, const std::stop_token& stop) {
  try {
    EXPECT_EQ(rouse::wait_readable_for(fd, 200us, stop), WaitStatus::timeout);
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

void expect_that_it_names_the_eventfd(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code().value(), EMFILE) << e.what();
    EXPECT_NE(std::string(e.what()).find("eventfd"), std::string::npos) << e.what();
  }
}

TEST(DescriptorRace, WaitsThatFindNoneSayWhichAndOthersGoOn) {
  // UndefinedBehaviorSanitizer needs descriptors to look at an object of a class it does not know.
  expect_that_it_names_the_eventfd(std::make_exception_ptr(
      std::system_error(EMFILE, std::generic_category(), "as if it were the eventfd")));
  const int quiet = ::eventfd(0, EFD_CLOEXEC);
  const int count = rounds(300);
  std::atomic<int> refused{0};
  std::atomic<int> served{0};
  for (int i = 0; i < count; ++i) {
    std::stop_source source;
    const std::stop_token stop = source.get_token();
    Event event;
    Rendezvous meet(4);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        std::optional<Bind> bind;
        if (t == 0) bind.emplace(stop);
        forget_event_fd();
        meet.arrive();  // the descriptors are filled up
        meet.arrive();
        const std::stop_token given = t == 0 ? std::stop_token{} : stop;
        std::exception_ptr errors[4];
        for (std::exception_ptr& error : errors) error = wait_a_moment(quiet, given);
        meet.arrive();
        meet.arrive();  // there is room
        for (const std::exception_ptr& error : errors) {
          ++(error == nullptr ? served : refused);
          if (error != nullptr) expect_that_it_names_the_eventfd(error);
        }
        EXPECT_EQ(wait_a_moment(quiet, given), nullptr);
        meet.arrive();  // it is stopped
        EXPECT_EQ(rouse::wait_readable(quiet, given), WaitStatus::stopped);
        forget_event_fd();
      });
    }
    // It needs none.
    threads.emplace_back([&] {
      meet.arrive();
      meet.arrive();
      Event never;
      EXPECT_EQ(event.wait(stop), WaitStatus::ready);
      EXPECT_EQ(never.wait_for(1us, stop), WaitStatus::timeout);
      EXPECT_EQ(rouse::sleep_for(1us, stop), WaitStatus::timeout);
      EXPECT_EQ(rouse::wait_any(never, event, stop).index, 1U);
      EXPECT_EQ(rouse::wait_readable_for(quiet, 1us), WaitStatus::timeout);
      EXPECT_EQ(rouse::wait_writable(quiet, stop), WaitStatus::ready);
      meet.arrive();
      meet.arrive();
      meet.arrive();
    });
    meet.arrive();
    {
      Exhaustion exhaustion;
      meet.arrive();
      event.set();
      // In some rounds there is room for one of the two, at a moment of chance.
      if (i % 2 == 0) {
        rouse::test::delay(static_cast<unsigned>(i) * 8);
        exhaustion.give();
      }
      meet.arrive();
    }
    meet.arrive();
    meet.arrive();
    source.request_stop();
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(served, 0);
  ::close(quiet);
}

}  // namespace
