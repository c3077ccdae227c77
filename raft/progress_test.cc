#include "raft/progress.h"

#include <memory>

#include "base/transcript.h"
#include "gtest/gtest.h"

namespace strata::raft {
namespace {

// Plays the leader's side of one member.
class Player {
 public:
  std::string operator()(const TranscriptCommand& command) {
    const std::string& name = command.name;
    const LogIndex index(command.args.empty() ? 0
                                              : std::stoull(command.args[0]));
    std::string said;
    if (name == "new") {
      progress_ = Progress(index, command.Number("count", 3),
                           command.Number("bytes", 1000));
    } else if (name == "send") {
      if (progress_.Paused()) return "is paused";
      const uint64_t bytes = command.Number("bytes", 1);
      progress_.Sent(index, bytes, !command.args.empty());
    } else if (name == "accept") {
      said = progress_.Accepted(index) ? "" : "known: ";
    } else if (name == "reject") {
      const LogIndex hint(command.Number("hint"));
      said = progress_.Rejected(index, hint) ? "" : "old news: ";
    } else if (!Become(name, index)) {
      return "what is " + name + "?";
    }
    return said + ToString(progress_);
  }

 private:
  bool Become(const std::string& name, LogIndex index) {
    if (name == "probe") {
      progress_.BecomeProbe();
    } else if (name == "replicate") {
      progress_.BecomeReplicate();
    } else if (name == "snapshot") {
      progress_.BecomeSnapshot(index);
    } else if (name == "report") {
      progress_.SnapshotReported(index == LogIndex(1));
    } else if (name == "heartbeat") {
      progress_.HeartbeatAnswered();
    } else {
      return false;
    }
    return true;
  }

  Progress progress_{LogIndex(0), 3, 1000};
};

TEST(ProgressTest, Transcript) {
  EXPECT_EQ(RunTranscript("raft/testdata/progress.txt", Player()), "");
}

TEST(InflightsTest, TheRingGrowsAndTurns) {
  Inflights sent(20, 1 << 20);
  uint64_t next = 1;
  for (uint64_t freed = 0; freed < 1000; freed += 3) {
    while (!sent.Full()) sent.Add(LogIndex(next++), 10);
    EXPECT_EQ(sent.count(), 20U);
    sent.FreeTo(LogIndex(freed + 3));
    EXPECT_EQ(sent.count(), 17U);
    EXPECT_EQ(sent.bytes(), 170U);
  }
}

}  // namespace
}  // namespace strata::raft
