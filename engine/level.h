#ifndef STRATA_ENGINE_LEVEL_H_
#define STRATA_ENGINE_LEVEL_H_

#include <string>
#include <string_view>

#include "base/status.h"

namespace strata {

// The etcd release whose rules a member follows (--etcd-level). All that
// differs between releases is asked of this one class, here and nowhere else;
// docs/levels.md says the same in prose. A value.
class Level {
 public:
  // "3.4", "3.5" or "3.6"; InvalidArgument names the three otherwise.
  static StatusOr<Level> Parse(std::string_view text);
  // Of a cluster version such as "3.4.0"; before 3.4 counts as 3.4. A later
  // one than is known here is FailedPrecondition.
  static StatusOr<Level> OfClusterVersion(std::string_view version);
  static constexpr Level V3_4() { return Level(4); }
  static constexpr Level V3_5() { return Level(5); }
  static constexpr Level V3_6() { return Level(6); }

  std::string ToString() const;        // "3.5"
  std::string ClusterVersion() const;  // "3.5.0"

  // From 3.5 on the meta table holds the term of the applied index too.
  bool StoresTerm() const { return minor_ >= 5; }
  // From 3.5 on the log's snapshot records name the members (ConfState).
  bool StoresConfState() const { return minor_ >= 5; }
  // From 3.6 on the meta table holds the storage version.
  bool StoresStorageVersion() const { return minor_ >= 6; }
  // From 3.6 on what is left of a lease at its last checkpoint is kept in the
  // lease table (before: in memory alone).
  bool StoresLeaseCheckpoints() const { return minor_ >= 6; }
  // A compaction, and the hash of what it leaves, keep a tombstone that is
  // exactly at the compaction revision (3.5.16 and later; etcd PR 18274).
  bool KeepsTombstoneAtCompaction() const { return minor_ >= 5; }
  // HashKV answers for the compaction revision itself (3.5.6 and later).
  bool HashesCompactRevision() const { return minor_ >= 5; }
  // HashKV's answer names the revision it was computed at.
  bool AnswersHashRevision() const { return minor_ >= 6; }
  // A progress request on a watch stream without watchers is answered (3.4.0 to
  // 3.4.24 and 3.5.0 to 3.5.7).
  bool AnswersProgressOfNoWatchers() const { return minor_ == 4; }
  // /health says why, and /livez and /readyz answer (3.5.11 and later).
  bool ExplainsHealth() const { return minor_ >= 5; }
  // The JSON gateway's status of FailedPrecondition is 412; later 400.
  bool GatewayAnswersPreconditionFailed() const { return minor_ == 4; }
  // The JSON gateway has a path for HashKV.
  bool GatewayServesHashKv() const { return minor_ >= 5; }
  // The JSON gateway's errors are {code, message, details}; before: {error,
  // message, code}, and plain text for what it does not serve.
  bool GatewayAnswersDetails() const { return minor_ >= 6; }
  // The answer to Alarm has a header.
  bool AnswersAlarmHeader() const { return minor_ >= 6; }
  // Member attributes and the cluster version are proposed as v2 requests
  // before 3.6, as their own entry types from 3.6 on.
  bool ProposesV2Requests() const { return minor_ < 6; }

  friend constexpr auto operator<=>(Level, Level) = default;

 private:
  explicit constexpr Level(int minor) : minor_(minor) {}
  int minor_;
};

}  // namespace strata

#endif  // STRATA_ENGINE_LEVEL_H_
