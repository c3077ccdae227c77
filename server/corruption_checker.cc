#include "server/corruption_checker.h"

#include <future>
#include <map>
#include <utility>

#include "base/bytes.h"

namespace strata {

class CorruptionChecker::State
    : public std::enable_shared_from_this<CorruptionChecker::State> {
 public:
  State(const CorruptionCheckOptions& options, World world)
      : options_(options), world_(std::move(world)) {}

  void Start() {
    if (options_.period > Duration::zero()) {
      Later(options_.period, &State::CheckByTime);
    }
    if (options_.compactions) {
      Later(options_.compaction_period, &State::CheckCompaction);
    }
  }
  void Stop();

 private:
  struct Answer {
    MemberId member;
    StatusOr<MemberHash> hash;
  };
  using Answers = std::vector<Answer>;
  using Self = std::shared_ptr<State>;

  void Later(Duration delay, void (State::*check)()) {
    world_.loop->After(delay, [self = shared_from_this(), check] {
      if (!self->stopped_) (self.get()->*check)();
    });
  }
  void OnLoop(std::function<void()> function) {
    world_.loop->Post(
        [self = shared_from_this(), function = std::move(function)] {
          if (!self->stopped_) function();
        });
  }
  void Hash(Revision revision, std::function<void(const HashKvResult&)> then);
  void AskOthers(Revision revision,
                 const std::function<void(const Answers&)>& then);

  void CheckByTime();
  void Confirm(const HashKvResult& before, const Answers& answers);
  void Compare(const HashKvResult& before, const HashKvResult& after,
               const Answers& answers);
  void CheckCompaction();
  void CompareCompaction(const HashKvResult& own, const Answers& answers);
  void Raise(MemberId member, const std::string& why);

  const CorruptionCheckOptions options_;
  const World world_;

  // Bound to the loop.
  bool stopped_ = false;
  Revision checked_compaction_;
};

void CorruptionChecker::State::Hash(
    Revision revision, std::function<void(const HashKvResult&)> then) {
  world_.worker->Post([self = shared_from_this(), revision,
                       then = std::move(then)] {
    const StatusOr<HashKvResult> hash = self->world_.store->HashKv(revision);
    if (hash.ok()) return self->OnLoop([then, hash = *hash] { then(hash); });
    self->world_.logger->Warn("cannot compute the hash of the keys",
                              {{"error", hash.status()}});
  });
}

void CorruptionChecker::State::AskOthers(
    Revision revision, const std::function<void(const Answers&)>& then) {
  const std::vector<MemberId> others = world_.others();
  const auto answers = std::make_shared<Answers>();
  if (others.empty()) return then(*answers);
  for (const MemberId member : others) {
    world_.ask(member, revision,
               [self = shared_from_this(), member, answers, then,
                count = others.size()](const StatusOr<MemberHash>& hash) {
                 self->OnLoop([=] {
                   answers->push_back({.member = member, .hash = hash});
                   if (answers->size() == count) then(*answers);
                 });
               });
  }
}

// --- by time ---

void CorruptionChecker::State::CheckByTime() {
  Later(options_.period, &State::CheckByTime);
  if (!world_.leads()) return;
  Hash(Revision(), [this](const HashKvResult& before) {
    AskOthers(before.current, [this, before](const Answers& answers) {
      Confirm(before, answers);
    });
  });
}

// That we led when the others answered, and have what they may have.
void CorruptionChecker::State::Confirm(const HashKvResult& before,
                                       const Answers& answers) {
  world_.read_index(
      [self = shared_from_this(), before, answers](const Status& status) {
        if (!status.ok()) return;
        self->OnLoop([self, before, answers] {
          self->Hash(Revision(), [self, before, answers](const auto& after) {
            self->Compare(before, after, answers);
          });
        });
      });
}

void CorruptionChecker::State::Compare(const HashKvResult& before,
                                       const HashKvResult& after,
                                       const Answers& answers) {
  if (!world_.leads()) return;
  if (before.current == after.current &&
      before.compact_revision == after.compact_revision &&
      before.hash != after.hash) {
    return Raise(world_.self, "the leader's own keys have changed");
  }
  size_t checked = 0;
  for (const Answer& answer : answers) {
    if (!answer.hash.ok()) continue;
    ++checked;
    if (answer.hash->current > after.current) {
      return Raise(answer.member, "it is ahead of the leader");
    }
    if (answer.hash->compact_revision > after.compact_revision) {
      return Raise(answer.member, "its compactions are ahead of the leader's");
    }
    if (answer.hash->compact_revision == before.compact_revision &&
        answer.hash->hash != before.hash) {
      return Raise(answer.member, "its keys differ from the leader's");
    }
  }
  world_.logger->Info("compared the keys of all members",
                      {{"revision", before.current.value()},
                       {"members", static_cast<uint64_t>(checked)}});
}

// --- after a compaction ---

void CorruptionChecker::State::CheckCompaction() {
  Later(options_.compaction_period, &State::CheckCompaction);
  const Revision compacted = world_.store->compact_revision();
  if (!world_.leads() || compacted <= checked_compaction_) return;
  Hash(world_.hashes_compact_revision ? compacted : Revision(),
       [this](const HashKvResult& own) {
         AskOthers(own.hash_revision, [this, own](const Answers& answers) {
           CompareCompaction(own, answers);
         });
       });
}

void CorruptionChecker::State::CompareCompaction(const HashKvResult& own,
                                                 const Answers& answers) {
  // Who has them with which hash.
  std::map<uint32_t, std::vector<MemberId>> members = {
      {own.hash, {world_.self}}};
  size_t answered = 0;
  for (const Answer& answer : answers) {
    if (!answer.hash.ok() ||
        answer.hash->compact_revision != own.compact_revision) {
      continue;
    }
    ++answered;
    members[answer.hash->hash].push_back(answer.member);
  }
  if (answered == answers.size()) checked_compaction_ = own.compact_revision;
  if (members.size() == 1) return;
  const size_t quorum = (answers.size() + 1) / 2 + 1;
  for (const auto& [hash, right] : members) {
    if (right.size() < quorum) continue;
    for (const auto& [other, wrong] : members) {
      if (other == hash) continue;
      for (const MemberId member : wrong) {
        Raise(member, "its keys differ from the majority's");
      }
    }
    return;
  }
  world_.logger->Warn("members have different keys, none of them a majority");
  world_.raise(MemberId(0));
}

void CorruptionChecker::State::Raise(MemberId member, const std::string& why) {
  world_.logger->Error("a member has wrong keys: raising the CORRUPT alarm",
                       {{"member-id", HexId(member.value())}, {"why", why}});
  world_.raise(member);
}

void CorruptionChecker::State::Stop() {
  std::promise<void> stopped;
  world_.loop->Post([&] {
    stopped_ = true;
    stopped.set_value();
  });
  stopped.get_future().wait();
  std::promise<void> idle;
  world_.worker->Post([&] { idle.set_value(); });
  idle.get_future().wait();
}

CorruptionChecker::CorruptionChecker(const CorruptionCheckOptions& options,
                                     World world)
    : state_(std::make_shared<State>(options, std::move(world))) {}

CorruptionChecker::~CorruptionChecker() = default;

void CorruptionChecker::Start() { state_->Start(); }
void CorruptionChecker::Stop() { state_->Stop(); }

}  // namespace strata
