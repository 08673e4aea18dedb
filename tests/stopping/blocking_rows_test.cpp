// Whether a blocking call without a row is noticed, in each of the ways in which one may be missed.

#include "support/stopping/blocking_rows.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"

#include "support/public_headers.hpp"
#include "support/stopping/provoked_call.hpp"

#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::Event;
using rouse::test::BlockingRows;
using rouse::test::EndBy;
using rouse::test::Ending;
using rouse::test::Ends;
using rouse::test::Given;
using rouse::test::on;
using rouse::test::Promises;
using rouse::test::PublicFunction;
using rouse::test::waits;
using rouse::test::waits_for_a_time;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<PublicFunction> declared_in(const std::string& text) {
  std::istringstream lines(text);
  return rouse::test::public_functions(lines, "a.hpp");
}

std::vector<std::string> complaints_about(const std::string& text) {
  return BlockingRows("wait").complaints(declared_in(text));
}

// For rows whose call is not made.
const auto no_call = on<Event>([](Event&, const Given&) {}, rouse::test::nothing_releases);

TEST(BlockingRows, NoticesACallWithoutARow) {
  for (const char* const declaration :
       {"WaitStatus wait();", "void run(std::stop_token stop = {});",
        "template <class R, class P>\nbool run(const std::chrono::duration<R, P>& d);",
        "bool run(std::chrono::time_point<Clock> t,\n         int n);", "AnyReady first_of();",
        "[[nodiscard]] StopReport stop();", "/// Blocks until it is over.\nvoid run();",
        "/// Changes nothing.\n/// Waits for the others.\nvoid run();",
        "/// Stops it and joins.\nvoid run();", "/// As post(), but later.\nvoid run();"}) {
    SCOPED_TRACE(declaration);
    EXPECT_THAT(complaints_about(std::string("namespace rouse {\n") + declaration + "\n}\n"),
                ElementsAre(HasSubstr("has no row")));
  }
  EXPECT_THAT(complaints_about("class A {\n public:\n  ~A();\n};\n"),
              ElementsAre("a.hpp:3: A::~A() looks as if it blocked, and has no row"));
}

TEST(BlockingRows, TakesADocumentedCallForThoseBelowIt) {
  EXPECT_THAT(complaints_about("/// Blocks until it is over.\nvoid run();\nvoid run(int n);\n"
                               "\nvoid another();\n"),
              ElementsAre(HasSubstr("a.hpp:2: run()"), HasSubstr("a.hpp:3: run(n)")));
}

TEST(BlockingRows, PassesOverWhatDoesNotBlock) {
  for (const char* const declaration :
       {"void run();", "/// Never blocks. A wait() sees it.\nvoid run();",
        "class A {\n private:\n  WaitStatus wait();\n};",
        "namespace detail {\nWaitStatus wait();\n}", "// Blocks until it is over.\nvoid run();",
        "class A {\n public:\n  ~A() = default;\n  /// Never blocks.\n  ~B();\n};"}) {
    SCOPED_TRACE(declaration);
    EXPECT_THAT(complaints_about(std::string(declaration) + "\n"), IsEmpty());
  }
}

TEST(BlockingRows, NoticesARowWithoutACall) {
  BlockingRows row("wait");
  row.header = "a.hpp";
  row("A::wait(stop)", waits, no_call);
  const std::string as_it_is =
      "class A {\n public:\n  WaitStatus wait(std::stop_token stop);\n};\n";
  EXPECT_THAT(row.complaints(declared_in(as_it_is)), IsEmpty());
  EXPECT_THAT(row.complaints({}), ElementsAre("a.hpp does not declare A::wait(stop)"));
  row.header = "b.hpp";
  row("A::wait(stop)", waits, no_call);
  EXPECT_THAT(row.complaints(declared_in(as_it_is)),
              ElementsAre("b.hpp does not declare A::wait(stop)"));
}

TEST(BlockingRows, NoticesAnExcuseThatNobodyNeeds) {
  BlockingRows row("wait");
  row.header = "a.hpp";
  row.does_not_block("run()", "says so");
  EXPECT_THAT(row.complaints(declared_in("WaitStatus run();\n")), IsEmpty());
  EXPECT_THAT(row.complaints(declared_in("void run();\n")),
              ElementsAre(HasSubstr("nothing that looks as if it blocked and is called run()")));
  EXPECT_THAT(row.complaints({}), ElementsAre(HasSubstr("nothing")));
}

TEST(BlockingRows, NoticesAParameterThatTheRowDoesNotKnow) {
  BlockingRows row("wait");
  row.header = "a.hpp";
  row("run(stop)", without_token(waits), no_call);
  row("run(n)", waits, no_call);
  row("run(d)", without_token(waits), no_call);
  row("run(s)", without_token(waits_for_a_time), no_call);
  EXPECT_THAT(row.complaints(declared_in("void run(std::stop_token stop);\nvoid run(int n);\n"
                                         "void run(std::chrono::duration<R> d);\n"
                                         "void run(std::string s);\n")),
              ElementsAre(HasSubstr("run(stop) takes a token"), HasSubstr("run(n) takes a token"),
                          HasSubstr("run(d) takes a time"), HasSubstr("run(s) takes a time")));
}

TEST(BlockingRows, NoticesAPromiseThatIsNotKept) {
  const auto set = [](Event& event) { event.set(); };
  const auto obeys = on<Event>(
      [](Event& event, const Given& given) { return event.wait_for(given.time, given.stop); }, set);
  const auto is_deaf = on<Event>(
      [](Event& event, const Given&) {
        const rouse::Shield shield;
        return event.wait();
      },
      set);
  for (const EndBy by : {EndBy::token, EndBy::ambient, EndBy::scope_deadline, EndBy::raise}) {
    SCOPED_TRACE(to_string(by));
    EXPECT_FALSE(provoke(obeys(), by, Ends::goes_on).went_on);
    const Ending ending = provoke(is_deaf(), by, Ends::goes_on);
    EXPECT_TRUE(ending.blocked);
    EXPECT_TRUE(ending.went_on);
    EXPECT_EQ(ending.how, Ends::ready);
  }
  EXPECT_EQ(provoke(obeys(), EndBy::own_deadline, Ends::timeout).how, Ends::timeout);
  const auto does_not_block =
      on<Event>([](Event&, const Given&) { return rouse::WaitStatus::stopped; }, set);
  EXPECT_FALSE(provoke(does_not_block(), EndBy::own_deadline, Ends::timeout).blocked);
}

TEST(BlockingRows, AreThereForEachLayer) {
  std::set<std::string> untested;
  for (const auto& entry : std::filesystem::directory_iterator(ROUSE_SOURCE_DIR "/include/rouse")) {
    const std::string layer = entry.path().filename();
    // What is in detail/ is the library's own.
    if (entry.is_directory() && layer != "detail" &&
        !std::filesystem::exists(ROUSE_SOURCE_DIR "/tests/stopping/" + layer + "_test.cpp")) {
      untested.insert(layer);
    }
  }
  EXPECT_THAT(untested, IsEmpty());
}

TEST(BlockingRows, AreNotNeededForTheHeadersInNoLayer) {
  BlockingRows row("");
  row.header = "rouse/asio.hpp";
  row.does_not_block("async_wait(event, stop, token)",
                     "returns at once; a handler is called later");
  row.expect_complete();
}

}  // namespace
