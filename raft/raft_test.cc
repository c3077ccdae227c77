#include "raft/raft.h"

#include <memory>
#include <sstream>
#include <string>

#include "base/transcript.h"
#include "gtest/gtest.h"
#include "raft/cluster_testing.h"
#include "raft/raft_testing.h"

namespace strata::raft {
namespace {

std::vector<uint64_t> Numbers(const std::string& text) {
  std::vector<uint64_t> numbers;
  std::istringstream words(text);
  for (uint64_t number; words >> number;) numbers.push_back(number);
  return numbers;
}

// One transcript: a cluster that does what the lines say. After every line the
// invariants hold, or the answer says which does not.
class Story {
 public:
  std::string operator()(const TranscriptCommand& command) {
    std::string answer = Do(command);
    if (cluster_ != nullptr) {
      const std::string told = cluster_->TakeStory();
      const bool quiet = !command.args.empty() && command.args[0] == "quiet";
      if (!quiet) answer = told + answer;
      if (!cluster_->violation().empty()) {
        answer += "\nVIOLATED: " + cluster_->violation();
      }
    }
    while (answer.ends_with('\n')) answer.pop_back();
    return answer;
  }

 private:
  using Command = TranscriptCommand;

  static MemberId Id(const Command& command, size_t at = 0) {
    return MemberId(std::stoull(command.args.at(at)));
  }

  std::string Do(const Command& command) {
    if (command.name == "cluster") return New(command);
    for (const auto& part : {&Story::DoMember, &Story::DoDisk,
                             &Story::DoNetwork, &Story::DoShow}) {
      if (std::optional<std::string> answer = (this->*part)(command)) {
        return *answer;
      }
    }
    return "what is " + command.name + "?";
  }

  // cluster 3 learners=1 spares=1 pre_vote=0 check_quorum=0 disk=manual
  std::string New(const Command& command) {
    bugs_ = {};
    ClusterOptions options{
        .voters = std::stoull(command.args.at(0)),
        .learners = static_cast<uint64_t>(command.Number("learners")),
        .spares = static_cast<uint64_t>(command.Number("spares")),
        .auto_disk = command.Option("disk") != "manual",
        .auto_apply = command.Option("apply") != "manual"};
    RaftOptions& raft = options.raft;
    raft.pre_vote = command.Number("pre_vote", 1) != 0;
    raft.check_quorum = command.Number("check_quorum", 1) != 0;
    raft.disable_proposal_forwarding = command.Number("forward", 1) == 0;
    raft.apply_unpersisted = command.Number("apply_unpersisted") != 0;
    raft.max_inflight_appends = command.Number("inflight", 256);
    raft.max_append_bytes = command.Number("append_bytes", 1 << 20);
    raft.max_uncommitted_bytes = command.Number("uncommitted", 1 << 20);
    raft.max_applying_bytes = command.Number("applying", 1 << 20);
    // By hand, the storage has to be asked for what is durable.
    raft.cache_bytes = command.Number("cache", 1 << 20);
    for (const Plant& plant : AllPlants()) {
      bugs_.*plant.bug = command.Option("bug") == plant.name;
    }
    raft.planted_bugs = &bugs_;
    cluster_ = std::make_unique<Cluster>(options);
    return "";
  }

  std::optional<std::string> DoMember(const Command& command) {
    const std::string& name = command.name;
    if (name == "tick") {
      const int64_t times =
          command.args.size() > 1 ? std::stoll(command.args[1]) : int64_t{1};
      for (int64_t i = 0; i < times; ++i) cluster_->Tick(Id(command));
    } else if (name == "campaign") {
      cluster_->Campaign(Id(command));
    } else if (name == "propose") {
      return Propose(command);
    } else if (name == "read") {
      for (size_t i = 1; i < command.args.size(); ++i) {
        cluster_->Read(Id(command), ReadId(std::stoull(command.args[i])));
      }
      cluster_->Pump(Id(command));
    } else if (name == "transfer") {
      cluster_->Transfer(Id(command), Id(command, 1));
    } else if (name == "change" || name == "leave") {
      return Change(command);
    } else if (name == "gone") {
      cluster_->raft(Id(command))->ReportGone(Id(command, 1));
      cluster_->Pump(Id(command));
    } else if (name == "unreachable") {
      cluster_->raft(Id(command))->ReportUnreachable(Id(command, 1));
      cluster_->Pump(Id(command));
    } else {
      return std::nullopt;
    }
    return "";
  }

  std::string Propose(const Command& command) {
    std::string answer;
    for (size_t i = 1; i < command.args.size(); ++i) {
      const Status status = cluster_->Propose(Id(command), command.args[i]);
      if (!status.ok()) answer = status.ToString();
    }
    cluster_->Pump(Id(command));
    return answer;
  }

  std::string Change(const Command& command) {
    const StatusOr<ConfChangeV2> change = ParseConfChange(command);
    if (!change.ok()) return change.status().message();
    const Status status = cluster_->ProposeConfChange(Id(command), *change);
    cluster_->Pump(Id(command));
    return status.ok() ? "" : status.ToString();
  }

  // All, if it is not said.
  static size_t Count(const Command& command) {
    return command.args.size() > 1 ? std::stoull(command.args[1])
                                   : size_t{1} << 20;
  }

  std::optional<std::string> DoDisk(const Command& command) {
    const std::string& name = command.name;
    if (name == "log") {
      std::vector<Term> terms;
      for (uint64_t term : Numbers(command.args.at(1)))
        terms.emplace_back(term);
      const Term last = terms.empty() ? Term() : terms.back();
      cluster_->Preset(Id(command), terms,
                       {.term = Term(command.Number("term", last.value())),
                        .vote = MemberId(command.Number("vote")),
                        .commit = LogIndex(command.Number("commit"))});
    } else if (name == "persist") {
      cluster_->Persist(Id(command), Count(command));
      cluster_->Pump(Id(command));
    } else if (name == "apply") {
      cluster_->Apply(Id(command), Count(command));
      cluster_->Pump(Id(command));
    } else if (name == "compact") {
      cluster_->SaveSnapshot(Id(command), command.Number("keep"));
    } else if (name == "crash") {
      cluster_->Crash(Id(command));
    } else if (name == "restart") {
      cluster_->Restart(Id(command));
    } else {
      return std::nullopt;
    }
    return "";
  }

  // The first message that fits "1->2" and perhaps "MsgApp"; npos if none.
  size_t FindMessage(const Command& command) {
    for (size_t i = 0; i < cluster_->network().size(); ++i) {
      const std::string text = Describe(cluster_->network()[i]) + " ";
      bool fits = true;
      for (const std::string& word : command.args) {
        fits = fits && (" " + text).find(" " + word + " ") != std::string::npos;
      }
      if (fits) return i;
    }
    return std::string::npos;
  }

  std::optional<std::string> DoNetwork(const Command& command) {
    const std::string& name = command.name;
    if (name == "settle") {
      cluster_->Settle();
    } else if (name == "deliver" || name == "drop" || name == "repeat") {
      return DoMessages(command);
    } else if (name == "cut" || name == "heal") {
      Cut(command);
    } else {
      return std::nullopt;
    }
    return "";
  }

  // All messages that fit, but not those that come of it; repeat only one.
  std::string DoMessages(const Command& command) {
    size_t left = cluster_->network().size();
    size_t at;
    bool found = false;
    while (left-- > 0 && (at = FindMessage(command)) != std::string::npos) {
      found = true;
      if (command.name == "drop") {
        cluster_->Drop(at);
      } else if (command.name == "repeat") {
        cluster_->Duplicate(at);
        break;
      } else {
        cluster_->Deliver(at);
        if (command.Has("one")) break;
      }
    }
    return found ? "" : "no such message";
  }

  // "cut 1": from all others, both ways; "cut 1->2": one way; "heal": all.
  void Cut(const Command& command) {
    if (command.name == "heal") return cluster_->cuts().clear();
    for (const std::string& word : command.args) {
      const size_t arrow = word.find("->");
      const MemberId a(std::stoull(word));
      if (arrow != std::string::npos) {
        cluster_->cuts().insert(
            {a, MemberId(std::stoull(word.substr(arrow + 2)))});
        continue;
      }
      for (const Cluster::Node& node : cluster_->nodes()) {
        cluster_->cuts().insert({a, node.id});
        cluster_->cuts().insert({node.id, a});
      }
    }
  }

  std::optional<std::string> DoShow(const Command& command) {
    const std::string& name = command.name;
    std::ostringstream text;
    if (name == "network") {
      for (const Message& message : cluster_->network()) {
        text << Describe(message) << "\n";
      }
    } else if (name == "logs") {
      for (const Cluster::Node& node : cluster_->nodes()) ShowLog(node, text);
    } else if (name == "status") {
      for (const Cluster::Node& node : cluster_->nodes())
        ShowStatus(node, text);
    } else if (name == "progress") {
      const auto* leader =
          std::get_if<Leader>(&cluster_->raft(Id(command))->role());
      if (leader == nullptr) return "no leader";
      for (const Peer& peer : leader->peers) {
        text << peer.id << ": " << ToString(peer.progress) << "\n";
      }
    } else {
      return std::nullopt;
    }
    return text.str();
  }

  static void ShowLog(const Cluster::Node& node, std::ostream& text) {
    text << node.id << ":";
    if (node.raft == nullptr) {
      text << " down\n";
      return;
    }
    const Log& log = node.raft->log();
    if (log.FirstIndex() > LogIndex(1)) text << " ..." << log.FirstIndex() - 1;
    for (LogIndex i = log.FirstIndex(); i <= log.last_index(); ++i) {
      text << ' ' << *log.TermAt(i);
      if (i > log.stable()) text << '?';
    }
    text << " commit=" << log.committed() << "\n";
  }

  static void ShowStatus(const Cluster::Node& node, std::ostream& text) {
    text << node.id << ": ";
    if (node.raft == nullptr) {
      text << "down, remembers term " << node.disk.hard_state.term << " vote "
           << node.disk.hard_state.vote << "\n";
      return;
    }
    const Raft& raft = *node.raft;
    text << ToString(raft.role_name()) << " term " << raft.term() << " vote "
         << raft.vote() << " leader " << raft.leader() << " last "
         << raft.log().last_index() << " commit " << raft.log().committed()
         << " applied " << raft.log().applied() << "\n";
  }

  PlantedBugs bugs_;
  std::unique_ptr<Cluster> cluster_;
};

class RaftStoryTest : public testing::TestWithParam<const char*> {};

TEST_P(RaftStoryTest, Transcript) {
  const std::string path = std::string("raft/testdata/") + GetParam() + ".txt";
  Story story;
  EXPECT_EQ(RunTranscript(path,
                          [&](const TranscriptCommand& command) {
                            return story(command);
                          }),
            "");
}

INSTANTIATE_TEST_SUITE_P(Stories, RaftStoryTest,
                         testing::Values("election", "vote", "replication",
                                         "paper", "commit", "flow", "disk",
                                         "pre_vote", "check_quorum", "transfer",
                                         "read_index", "learner", "membership",
                                         "joint", "snapshot", "proposal"),
                         [](const auto& story) {
                           return std::string(story.param);
                         });

}  // namespace
}  // namespace strata::raft
