#include "raft/configuration.h"

#include "base/transcript.h"
#include "gtest/gtest.h"
#include "raft/raft_testing.h"

namespace strata::raft {
namespace {

// "change +1 -2 ~3 =4": add, remove, learner, update; "leave" ends a joint one.
class Player {
 public:
  std::string operator()(const TranscriptCommand& command) {
    if (command.name == "new") {
      now_ = {};
      for (const std::string& word : command.args) {
        now_.voters.incoming.Insert(MemberId(std::stoull(word)));
      }
      return ToString(now_);
    }
    StatusOr<ConfChangeV2> change = ParseConfChange(command);
    if (!change.ok()) return change.status().message();
    StatusOr<Configuration> next = ChangedBy(now_, *change);
    if (!next.ok()) return next.status().message();
    now_ = *next;
    // What a snapshot keeps of it is all of it.
    EXPECT_EQ(Configuration::From(now_.ToConfState()), now_);
    return ToString(now_);
  }

 private:
  Configuration now_;
};

TEST(ConfigurationTest, Transcript) {
  EXPECT_EQ(RunTranscript("raft/testdata/configuration.txt", Player()), "");
}

}  // namespace
}  // namespace strata::raft
