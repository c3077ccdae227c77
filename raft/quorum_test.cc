#include "raft/quorum.h"

#include <map>
#include <sstream>

#include "base/random.h"
#include "base/transcript.h"
#include "gtest/gtest.h"

namespace strata::raft {
namespace {

// The words after a '|' are the outgoing half; "3=7" says that 3 reached 7.
struct Question {
  JointVoters voters;
  std::map<MemberId, std::string> said;
};

Question Parse(const TranscriptCommand& command) {
  Question question;
  MemberSet* half = &question.voters.incoming;
  std::istringstream words(command.line);
  std::string word;
  words >> word;
  while (words >> word) {
    if (word == "|") {
      half = &question.voters.outgoing;
      continue;
    }
    const size_t equals = word.find('=');
    const MemberId member(std::stoull(word.substr(0, equals)));
    half->Insert(member);
    if (equals != std::string::npos) {
      question.said[member] = word.substr(equals + 1);
    }
  }
  return question;
}

std::string Answer(const TranscriptCommand& command) {
  const Question question = Parse(command);
  if (command.name == "committed") {
    const uint64_t value = question.voters.Value([&](MemberId member) {
      auto at = question.said.find(member);
      return at == question.said.end() ? uint64_t{0} : std::stoull(at->second);
    });
    return value == UINT64_MAX ? "everything" : std::to_string(value);
  }
  EXPECT_EQ(command.name, "vote");
  const VoteResult result =
      question.voters.Result([&](MemberId member) -> std::optional<bool> {
        auto at = question.said.find(member);
        if (at == question.said.end()) return std::nullopt;
        return at->second == "y";
      });
  if (result == VoteResult::kWon) return "won";
  return result == VoteResult::kLost ? "lost" : "pending";
}

TEST(QuorumTest, Transcript) {
  EXPECT_EQ(RunTranscript("raft/testdata/quorum.txt", Answer), "");
}

// Counted the slow way: the largest number that enough voters have reached.
TEST(QuorumTest, TheMajorityValueIsWhatCountingFinds) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    MemberSet voters;
    std::map<MemberId, uint64_t> reached;
    for (uint64_t i = 0, n = random.Between(1, 20); i < n; ++i) {
      const MemberId member(random.Between(1, 40));
      voters.Insert(member);
      reached[member] = random.Below(6);
    }
    uint64_t best = 0;
    for (uint64_t candidate = 0; candidate < 6; ++candidate) {
      size_t have = 0;
      for (MemberId member : voters) have += reached[member] >= candidate;
      if (have > voters.size() / 2) best = candidate;
    }
    EXPECT_EQ(MajorityValue(voters, [&](MemberId m) { return reached[m]; }),
              best)
        << ToString(voters);
  }
}

TEST(MemberSetTest, IsASetInOrder) {
  MemberSet set = {MemberId(3), MemberId(1), MemberId(3)};
  EXPECT_EQ(ToString(set), "(1 3)");
  set.Insert(MemberId(2));
  set.Insert(MemberId(2));
  set.Erase(MemberId(9));
  EXPECT_EQ(ToString(set), "(1 2 3)");
  set.Erase(MemberId(1));
  EXPECT_FALSE(set.Contains(MemberId(1)));
  EXPECT_EQ(MemberSet::Difference(set, {MemberId(3), MemberId(4)}), 2U);
}

}  // namespace
}  // namespace strata::raft
