// Who leads, and who is told to lead next. The threads are left to tests/model: here each member is
// that of a hint of its own, which shows whether it was told.

#include "service/lead.hpp"

#include "support/in_child.hpp"

#include <optional>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using detail::Lead;
using detail::LeadMember;
using detail::WaitHint;

struct HintedMember {
  explicit HintedMember(Lead& lead) { member.emplace(lead, hint); }

  bool take() { return member->take(); }
  void resign() { member->resign(); }
  void leave() { member.reset(); }
  bool was_told() { return hint.take(); }

  WaitHint hint;
  std::optional<LeadMember> member;
};

class LeadOf : public testing::Test {
 protected:
  Lead lead_;
  HintedMember a_{lead_};
  HintedMember b_{lead_};
  HintedMember c_{lead_};
};

TEST_F(LeadOf, IsTheFirstWhoTakesIt) {
  EXPECT_TRUE(b_.take());
  EXPECT_FALSE(a_.take());
  EXPECT_TRUE(b_.take());
  EXPECT_FALSE(a_.take());
  for (HintedMember* each : {&a_, &b_, &c_}) EXPECT_FALSE(each->was_told());
}

TEST_F(LeadOf, GoesOnToTheFirstWhoFollows) {
  EXPECT_TRUE(a_.take());
  EXPECT_FALSE(c_.take());
  EXPECT_FALSE(b_.take());
  a_.resign();
  EXPECT_TRUE(c_.was_told());
  EXPECT_FALSE(b_.was_told());
  EXPECT_FALSE(a_.was_told());
  EXPECT_TRUE(c_.take());
  EXPECT_FALSE(a_.take());
}

TEST_F(LeadOf, GoesOnWhenTheLeaderLeaves) {
  EXPECT_TRUE(a_.take());
  EXPECT_FALSE(b_.take());
  a_.leave();
  EXPECT_TRUE(b_.was_told());
  EXPECT_TRUE(b_.take());
}

TEST_F(LeadOf, PassesWhoIsBusyInstead) {
  EXPECT_TRUE(a_.take());
  EXPECT_FALSE(b_.take());
  EXPECT_FALSE(c_.take());
  b_.resign();
  EXPECT_FALSE(c_.was_told());
  a_.resign();
  EXPECT_FALSE(b_.was_told());
  EXPECT_TRUE(c_.was_told());
}

TEST_F(LeadOf, GoesOnFromWhoWasToldAndDoesNotTakeIt) {
  EXPECT_TRUE(a_.take());
  EXPECT_FALSE(b_.take());
  EXPECT_FALSE(c_.take());
  a_.resign();
  EXPECT_TRUE(b_.was_told());
  b_.resign();
  EXPECT_TRUE(c_.was_told());
  c_.leave();
  EXPECT_FALSE(a_.was_told());
  EXPECT_FALSE(b_.was_told());
  EXPECT_TRUE(b_.take());
}

TEST_F(LeadOf, MayBeTakenByAnotherThanWhoWasTold) {
  EXPECT_TRUE(a_.take());
  EXPECT_FALSE(b_.take());
  a_.resign();
  EXPECT_TRUE(b_.was_told());
  EXPECT_TRUE(c_.take());
  EXPECT_FALSE(b_.take());
  c_.resign();
  EXPECT_TRUE(b_.was_told());
}

TEST_F(LeadOf, IsLeftAloneByWhoDoesNotHaveIt) {
  a_.resign();
  EXPECT_TRUE(a_.take());
  EXPECT_FALSE(b_.take());
  c_.resign();
  c_.leave();
  EXPECT_FALSE(b_.was_told());
  b_.leave();
  a_.resign();
  a_.resign();
  EXPECT_FALSE(a_.was_told());
  EXPECT_TRUE(a_.take());
}

TEST_F(LeadOf, GoesToThoseWhoFollowAgainLast) {
  EXPECT_TRUE(a_.take());
  EXPECT_FALSE(b_.take());
  EXPECT_FALSE(c_.take());
  b_.resign();
  EXPECT_FALSE(b_.take());
  a_.leave();
  EXPECT_TRUE(c_.was_told());
  c_.leave();
  EXPECT_TRUE(b_.was_told());
}

TEST_F(LeadOf, IsFreeInAForkedChild) {
  EXPECT_TRUE(a_.take());
  EXPECT_FALSE(b_.take());
  EXPECT_FALSE(c_.take());
  lead_.before_fork();
  EXPECT_EQ(in_child([&] {
              lead_.after_fork_in_child();
              a_.resign();  // what it led and who followed it is the parent's
              c_.leave();
              if (b_.was_told()) return 1;
              if (!b_.take() || a_.take()) return 2;
              b_.resign();
              return a_.was_told() && a_.take() ? 0 : 3;
            }),
            0);
  lead_.after_fork_in_parent();
  EXPECT_FALSE(b_.was_told());
  a_.resign();
  EXPECT_TRUE(b_.was_told());
}

}  // namespace
}  // namespace rouse::test
