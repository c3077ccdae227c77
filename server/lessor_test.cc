#include "server/lessor.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/sim_loop.h"

namespace strata {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LessorTest : public ::testing::Test {
 protected:
  LessorTest() { lessor_.Promote({}, Duration::zero()); }

  void Grant(int64_t id, int64_t ttl) {
    lessor_.Granted({.id = LeaseId(id), .ttl_seconds = ttl});
  }
  // The lease's time in seconds, or -1 if it is not there; -2: no answer yet.
  int64_t Renew(int64_t id) {
    auto answer = std::make_shared<int64_t>(-2);
    lessor_.Renew(LeaseId(id), [answer](StatusOr<int64_t> ttl) {
      *answer = ttl.ok() ? *ttl : -1;
    });
    return *answer;
  }
  double Remaining(int64_t id) {
    const auto left = lessor_.Remaining(LeaseId(id));
    return left ? std::chrono::duration<double>(*left).count() : -1;
  }

  // When each was revoked, in seconds.
  std::map<int64_t, double> revoked_;
  std::set<int64_t> asked_;  // to be revoked
  int under_way_ = 0;
  int most_under_way_ = 0;
  Status outcome_;       // of revocations
  Duration delay_ = {};  // until it is there
  SimWorld world_;
  std::unique_ptr<SimLoop> loop_ = world_.NewLoop("node");
  Lessor lessor_{loop_.get(), [this](LeaseId id, auto done) {
                   asked_.insert(id.value());
                   most_under_way_ = std::max(most_under_way_, ++under_way_);
                   loop_->After(delay_, [this, id, done = std::move(done)] {
                     --under_way_;
                     if (outcome_.ok()) {
                       revoked_[id.value()] =
                           std::chrono::duration<double>(loop_->Now()).count();
                       lessor_.Revoked(id);
                     }
                     done(outcome_);
                   });
                 }};
};

TEST_F(LessorTest, ALeaseEndsAfterItsTimeAndNotBefore) {
  Grant(1, 5);
  Grant(2, 3);
  EXPECT_EQ(lessor_.List(), (std::vector{LeaseId(2), LeaseId(1)}));
  world_.RunFor(milliseconds(2900));
  EXPECT_TRUE(revoked_.empty());
  EXPECT_NEAR(Remaining(1), 2.1, 1e-9);
  world_.RunFor(seconds(10));
  EXPECT_NEAR(revoked_.at(2), 3, 0.1);
  EXPECT_NEAR(revoked_.at(1), 5, 0.1);
  EXPECT_GE(revoked_.at(1), 5);
  EXPECT_EQ(Remaining(1), -1);
  EXPECT_EQ(Renew(1), -1);
}

TEST_F(LessorTest, ARenewedLeaseHasItsFullTimeAgain) {
  Grant(1, 5);
  for (int i = 0; i < 10; ++i) {
    world_.RunFor(seconds(4));
    EXPECT_EQ(Renew(1), 5);
  }
  EXPECT_TRUE(revoked_.empty());
  world_.RunFor(seconds(6));
  EXPECT_NEAR(revoked_.at(1), 45, 0.1);
}

// Who is told that a lease is gone finds its keys gone.
TEST_F(LessorTest, ARenewalOfAnEndedLeaseWaitsForItsRevocation) {
  delay_ = seconds(2);
  Grant(1, 5);
  world_.RunFor(seconds(6));
  auto answer = std::make_shared<Status>();
  lessor_.Renew(LeaseId(1),
                [answer](StatusOr<int64_t> ttl) { *answer = ttl.status(); });
  EXPECT_TRUE(answer->ok());
  world_.RunFor(seconds(2));
  EXPECT_EQ(answer->code(), Code::kNotFound);
  EXPECT_EQ(revoked_.size(), 1u);
}

// Whether it ends, the next leader knows.
TEST_F(LessorTest, ARenewalThatWaitsIsToldOfALostLeader) {
  delay_ = seconds(2);
  Grant(1, 5);
  world_.RunFor(seconds(6));
  auto answer = std::make_shared<Status>();
  lessor_.Renew(LeaseId(1),
                [answer](StatusOr<int64_t> ttl) { *answer = ttl.status(); });
  lessor_.Demote();
  EXPECT_EQ(answer->code(), Code::kUnavailable);
  EXPECT_EQ(answer->message(), "etcdserver: leader changed");
}

TEST_F(LessorTest, ARefusedRevocationIsTriedAgain) {
  outcome_ = ResourceExhaustedError("etcdserver: too many requests");
  Grant(1, 5);
  world_.RunFor(seconds(9));
  EXPECT_TRUE(revoked_.empty());
  EXPECT_EQ(Remaining(1), -1);  // its time has passed all the same
  outcome_ = Status::Ok();
  world_.RunFor(seconds(2));
  EXPECT_EQ(revoked_.size(), 1u);
}

// More end than can be revoked at once; one that waits for its turn is revoked
// by its client meanwhile, and granted again under its id.
TEST_F(LessorTest, ALeaseGrantedAnewDoesNotEndWithTheOldOne) {
  delay_ = milliseconds(500);
  for (int id = 1; id <= 1001; ++id) Grant(id, 5);
  world_.RunFor(milliseconds(5200));
  EXPECT_EQ(under_way_, 1000);
  int64_t waiting = 0;
  for (int id = 1; id <= 1001; ++id) {
    if (!asked_.contains(id)) waiting = id;
  }
  ASSERT_NE(waiting, 0);
  lessor_.Revoked(LeaseId(waiting));
  Grant(waiting, 100);
  world_.RunFor(seconds(50));
  EXPECT_EQ(revoked_.size(), 1000u);
  EXPECT_FALSE(revoked_.contains(waiting));
  EXPECT_GT(Remaining(waiting), 49);
}

TEST_F(LessorTest, NothingIsRevokedOnceStopped) {
  Grant(1, 5);
  lessor_.Stop();
  world_.RunFor(seconds(30));
  EXPECT_TRUE(revoked_.empty());
}

TEST_F(LessorTest, ManyEndTogetherABoundedNumberAtATime) {
  delay_ = milliseconds(10);
  for (int id = 1; id <= 10'000; ++id) Grant(id, 5);
  world_.RunFor(seconds(6));
  EXPECT_EQ(revoked_.size(), 10'000u);
  EXPECT_LE(most_under_way_, 1000);
  for (const auto& [id, when] : revoked_) EXPECT_LE(when, 6.0);
}

TEST_F(LessorTest, AFollowerEndsNothingAndANewLeaderBeginsAnew) {
  Grant(1, 5);
  Grant(2, 20);
  lessor_.Demote();
  world_.RunFor(seconds(30));
  EXPECT_TRUE(revoked_.empty());
  EXPECT_FALSE(lessor_.Remaining(LeaseId(1)).has_value());
  lessor_.Promote(
      {{.id = LeaseId(1), .ttl_seconds = 5},
       {.id = LeaseId(2), .ttl_seconds = 20, .remaining_seconds = 8}},
      seconds(1));
  EXPECT_NEAR(Remaining(1), 6, 0.1);
  EXPECT_NEAR(Remaining(2), 9, 0.1);
  EXPECT_EQ(Renew(2), 20);  // what was left counts no more
  EXPECT_NEAR(Remaining(2), 20, 0.1);
}

class LessorCheckpointTest : public ::testing::Test {
 protected:
  LessorCheckpointTest() { Promote({}); }

  void Promote(const std::vector<LeaseRecord>& leases) {
    lessor_.Promote(leases, Duration::zero());
  }
  void Grant(int64_t id, int64_t ttl) {
    lessor_.Granted({.id = LeaseId(id), .ttl_seconds = ttl});
  }
  int64_t Renew(int64_t id) {
    auto answer = std::make_shared<int64_t>(-2);
    lessor_.Renew(LeaseId(id), [answer](StatusOr<int64_t> ttl) {
      *answer = ttl.ok() ? *ttl : -1;
    });
    world_.RunFor(delay_ + milliseconds(1));
    return *answer;
  }

  std::map<int64_t, int64_t> left_;  // as the log has it
  size_t entries_ = 0;
  size_t largest_ = 0;
  Status outcome_;
  Duration delay_ = {};  // until an entry is applied
  SimWorld world_;
  std::unique_ptr<SimLoop> loop_ = world_.NewLoop("node");
  Lessor lessor_{loop_.get(),
                 [this](LeaseId id, auto done) {
                   lessor_.Revoked(id);
                   done(Status::Ok());
                 },
                 [this](const Lessor::LeftOf& leases, auto done) {
                   ++entries_;
                   largest_ = std::max(largest_, leases.size());
                   loop_->After(delay_, [this, leases, done] {
                     for (const auto& [id, left] : leases) {
                       if (!outcome_.ok()) break;
                       left_[id.value()] = left;
                       lessor_.Checkpointed(id, left);
                     }
                     done(outcome_);
                   });
                 }};
};

TEST_F(LessorCheckpointTest, TheLogIsToldWhatIsLeftOfLongLeases) {
  Grant(1, 1000);
  Grant(2, 299);
  world_.RunFor(seconds(290));
  EXPECT_TRUE(left_.empty());
  world_.RunFor(seconds(20));
  EXPECT_EQ(left_, (std::map<int64_t, int64_t>{{1, 700}}));
  world_.RunFor(seconds(300));
  EXPECT_EQ(left_.at(1), 400);
  world_.RunFor(seconds(300));
  EXPECT_EQ(left_.at(1), 100);
  world_.RunFor(seconds(200));
  EXPECT_EQ(entries_, 3u);
  EXPECT_TRUE(lessor_.List().empty());
}

// Else the next leader would end a lease too early.
TEST_F(LessorCheckpointTest, ARenewalTakesItBackFirst) {
  Grant(1, 1000);
  world_.RunFor(seconds(301));
  outcome_ = ResourceExhaustedError("etcdserver: too many requests");
  EXPECT_EQ(Renew(1), -1);
  EXPECT_NEAR(
      std::chrono::duration<double>(*lessor_.Remaining(LeaseId(1))).count(),
      699, 0.1);
  outcome_ = Status::Ok();
  EXPECT_EQ(Renew(1), 1000);
  EXPECT_EQ(left_.at(1), 0);
  EXPECT_EQ(entries_, 3u);
  // One that is renewed again and again costs no entries.
  for (int i = 0; i < 100; ++i) {
    world_.RunFor(seconds(100));
    EXPECT_EQ(Renew(1), 1000);
  }
  EXPECT_EQ(entries_, 3u);
}

// Of the checkpoint that is under way the renewed lease must know too.
TEST_F(LessorCheckpointTest, ARenewalMeetsACheckpointUnderWay) {
  delay_ = seconds(2);
  Grant(1, 1000);
  world_.RunFor(seconds(301));
  EXPECT_EQ(entries_, 1u);
  EXPECT_TRUE(left_.empty());
  EXPECT_EQ(Renew(1), 1000);
  EXPECT_EQ(left_.at(1), 0);
  EXPECT_EQ(entries_, 2u);
}

TEST_F(LessorCheckpointTest, WhatIsRefusedIsTriedAgain) {
  Grant(1, 1000);
  outcome_ = ResourceExhaustedError("etcdserver: too many requests");
  world_.RunFor(seconds(302));
  EXPECT_TRUE(left_.empty());
  EXPECT_LE(entries_, 3u);
  outcome_ = Status::Ok();
  world_.RunFor(seconds(2));
  EXPECT_NEAR(static_cast<double>(left_.at(1)), 697, 2);
}

TEST_F(LessorCheckpointTest, ManyInEntriesOfABoundedSize) {
  for (int id = 1; id <= 2500; ++id) Grant(id, 1000);
  world_.RunFor(seconds(301));
  EXPECT_EQ(left_.size(), 2500u);
  EXPECT_EQ(entries_, 3u);
  EXPECT_EQ(largest_, 1000u);
}

TEST_F(LessorCheckpointTest, OfTheLeaderAlone) {
  Grant(1, 1000);
  lessor_.Demote();
  world_.RunFor(seconds(301));
  EXPECT_EQ(entries_, 0u);
  Promote({{.id = LeaseId(1), .ttl_seconds = 1000, .remaining_seconds = 400}});
  world_.RunFor(seconds(301));
  EXPECT_EQ(left_.at(1), 100);
}

TEST_F(LessorTest, TheLongestLeaseDoesNotOverflow) {
  Grant(1, 9'000'000'000);
  Grant(2, INT64_MAX);
  world_.RunFor(seconds(1000));
  EXPECT_GT(Remaining(1), 8.9e9);
  EXPECT_GT(Remaining(2), 8.9e9);
  EXPECT_TRUE(revoked_.empty());
}

}  // namespace
}  // namespace strata
