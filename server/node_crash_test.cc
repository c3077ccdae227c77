// A whole node loses power at every disk operation of its life: the making of
// the directory, puts, backend commits, rotations, raft snapshots, restarts.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "base/fake_env.h"
#include "server/sim_node.h"

namespace strata {
namespace {

constexpr uint64_t kPoints = 100000;    // more than there are
constexpr size_t kMaskedThings = 3;     // every subset of these
constexpr uint64_t kRandomSubsets = 4;  // of all

std::string KeyOf(int64_t i) { return "key" + std::to_string(i % 7); }
std::string ValueOf(int64_t i) {
  return "value " + std::to_string(i) + std::string(i % 5 * 300, '.');
}
// The i-th put, from 0, of this test has this revision.
Revision RevisionOf(int64_t i) { return Revision(i + 2); }

void Configure(SimNode* node) {
  NodeOptions& options = node->options();
  options.snapshot_count = 12;
  options.snapshot_catch_up_entries = 3;
  options.max_wals = 1;
  options.max_snapshots = 1;
  options.wal_segment_bytes = 8 << 10;
  options.batch_changes = 9;
}

// Puts until something fails; how many were acknowledged in all.
int64_t Work(SimNode* node, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const StatusOr<Revision> put = node->Put(KeyOf(i), ValueOf(i));
    if (!put.ok()) return i;
    EXPECT_EQ(*put, RevisionOf(i));
    if (i % 6 == 5) node->RunFor(std::chrono::milliseconds(150));
  }
  return end;
}

// The life that is cut short: opened, worked, killed, opened and worked again.
int64_t Live(FakeEnv* env) {
  SimNode node(env);
  Configure(&node);
  if (!node.Open().ok()) return 0;
  const int64_t first = Work(&node, 0, 30);
  if (first < 30 || !node.Open().ok()) return first;
  return Work(&node, 30, 40);
}

// All that was acknowledged is there, whole, and nothing else but puts that
// were under way.
void Check(FakeEnv* env, int64_t acknowledged) {
  SimNode node(env);
  Configure(&node);
  const Status opened = node.Open();
  ASSERT_TRUE(opened.ok()) << opened;
  const int64_t there = node->store()->revision() - RevisionOf(0) + 1;
  ASSERT_GE(there, acknowledged);
  ASSERT_LE(there, acknowledged + 1);
  for (int64_t i = 0; i < there; ++i) {
    ASSERT_EQ(node.Get(KeyOf(i), RevisionOf(i)), ValueOf(i)) << "put " << i;
  }
  ASSERT_EQ(Work(&node, there, there + 2), there + 2);
  ASSERT_TRUE(node.Open().ok());
  ASSERT_EQ(node.Get(KeyOf(there + 1)), ValueOf(there + 1));
  ASSERT_EQ(node->membership().members.size(), 1u);
}

TEST(NodeCrash, NothingAcknowledgedIsLostAtAnyDiskOperation) {
  uint64_t point = 1;
  for (; point < kPoints; ++point) {
    FakeEnv env;
    env.PowerOffAt(point);
    const int64_t acknowledged = Live(&env);
    if (!env.powered_off()) break;
    SCOPED_TRACE("power off at operation " + std::to_string(point) + ", " +
                 std::to_string(acknowledged) + " puts acknowledged");
    const size_t things = std::min(env.UnsyncedThings(), kMaskedThings);
    for (uint64_t mask = 0; mask < (uint64_t{1} << things); ++mask) {
      SCOPED_TRACE("mask " + std::to_string(mask));
      Check(env.AfterPowerLoss(PowerLoss::Mask(mask)).get(), acknowledged);
      if (HasFatalFailure()) return;
    }
    for (uint64_t seed = 0; seed < kRandomSubsets; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      Check(env.AfterPowerLoss(PowerLoss::Random(seed)).get(), acknowledged);
      if (HasFatalFailure()) return;
    }
  }
  RecordProperty("crash_points", static_cast<int>(point));
  EXPECT_GT(point, 100u);  // it did cross commits, rotations and snapshots
}

}  // namespace
}  // namespace strata
