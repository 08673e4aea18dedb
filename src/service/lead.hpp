#pragma once
// Lead: which of several waiting threads polls for all of them.
//
//   LeadMember me(lead, hint);
//   (void)hint.take();
//   if (me.take()) { ... block, also for what is everybody's, and tell whom it concerns ... }
//   me.resign();  // before anything else that may take long
//
// While nobody leads and some follow, the first of them has been hinted since: it takes the lead,
// or resigns, and then the next is hinted. So whoever blocks as a follower may rely on another, and
// on one that is not busy. Thread safety: distinct members: any thread. One member: the thread of
// its hint. Lifetime: the lead outlives its members. Design: docs/design/autowait.md.

#include "rouse/detail/lock.hpp"
#include "rouse/wait/wait_hint.hpp"

#include <cstdint>

namespace rouse::detail {

class LeadMember;

class Lead {
 public:
  /// Around a fork. In the child nobody leads or follows any more.
  void before_fork() noexcept { lock_.lock(); }
  void after_fork_in_parent() noexcept { lock_.unlock(); }
  void after_fork_in_child() noexcept;

 private:
  friend class LeadMember;

  Lock lock_;
  bool led_ = false;
  LeadMember* first_ = nullptr;  // who follow, in the order in which they began to
  LeadMember* last_ = nullptr;
  std::uint32_t forks_ = 0;
};

class LeadMember {
 public:
  /// `hint` is that of the calling thread.
  LeadMember(Lead& lead, WaitHint& hint) noexcept : lead_(lead), hint_(hint) {}
  ~LeadMember() { resign(); }

  LeadMember(const LeadMember&) = delete;
  LeadMember& operator=(const LeadMember&) = delete;

  /// After the hint was taken, before it blocks: leads, and returns true, or follows.
  bool take() noexcept;
  /// Neither leads nor follows any more. If nobody leads now, the first of those who follow is
  /// hinted.
  void resign() noexcept;

 private:
  enum class Role : std::uint8_t { none, follows, leads };

  void link() noexcept;
  void unlink() noexcept;

  Lead& lead_;
  WaitHint& hint_;
  LeadMember* prev_ = nullptr;
  LeadMember* next_ = nullptr;
  Role role_ = Role::none;
  std::uint32_t forks_ = 0;  // of the process, when it took its role
};

}  // namespace rouse::detail
