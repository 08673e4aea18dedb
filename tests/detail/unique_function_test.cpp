#include "rouse/detail/unique_function.hpp"

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace {

using rouse::detail::UniqueFunction;

TEST(UniqueFunction, CallsACallableThatCanOnlyBeMoved) {
  UniqueFunction<int(int)> f = [p = std::make_unique<int>(40)](int x) { return *p + x; };
  EXPECT_EQ(f(2), 42);
}

TEST(UniqueFunction, IsEmptyByDefaultAndAfterAMove) {
  UniqueFunction<void()> f;
  EXPECT_FALSE(f);
  UniqueFunction<void()> g = [] {};
  EXPECT_TRUE(g);
  f = std::move(g);
  EXPECT_TRUE(f);
  EXPECT_FALSE(g);  // NOLINT(bugprone-use-after-move): that is what is tested
}

template <std::size_t Size>
struct Payload {
  explicit Payload(std::shared_ptr<int> p) : owner(std::move(p)) {}
  std::shared_ptr<int> owner;
  std::array<char, Size> filler{};
  long operator()() const { return owner.use_count(); }
};

template <std::size_t Size>
void destroys_exactly_once() {
  const auto owner = std::make_shared<int>(1);
  {
    UniqueFunction<long()> f = Payload<Size>(owner);
    EXPECT_EQ(f(), 2);
    UniqueFunction<long()> g = std::move(f);
    EXPECT_EQ(g(), 2);
    f = Payload<Size>(owner);
    EXPECT_EQ(f(), 3);
    f = std::move(g);
    EXPECT_EQ(owner.use_count(), 2);
  }
  EXPECT_EQ(owner.use_count(), 1);
}

TEST(UniqueFunction, DestroysASmallCallableExactlyOnce) { destroys_exactly_once<8>(); }
TEST(UniqueFunction, DestroysALargeCallableExactlyOnce) { destroys_exactly_once<200>(); }

TEST(UniqueFunction, ForwardsReferencesAndMoves) {
  UniqueFunction<std::string(std::string&, std::unique_ptr<int>)> f = [](std::string& s,
                                                                         std::unique_ptr<int> p) {
    s += '!';
    return s + std::to_string(*p);
  };
  std::string text = "a";
  EXPECT_EQ(f(text, std::make_unique<int>(7)), "a!7");
  EXPECT_EQ(text, "a!");
}

TEST(UniqueFunction, PassesExceptionsOn) {
  UniqueFunction<void()> f = [] { throw std::runtime_error("out"); };
  EXPECT_THROW(f(), std::runtime_error);
}

TEST(UniqueFunction, DropsAResultThatIsNotWanted) {
  int calls = 0;
  UniqueFunction<void()> f = [&] { return ++calls; };
  f();
  EXPECT_EQ(calls, 1);
}

}  // namespace
