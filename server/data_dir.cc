#include "server/data_dir.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "engine/backend_dir.h"
#include "server/cluster.h"
#include "server/command.h"
#include "server/first_log.h"
#include "server/identity.h"
#include "server/incoming_snapshot.h"

namespace strata {
namespace {

// etcd's keys in the backend.
constexpr std::string_view kConsistentIndexKey = "consistent_index";
constexpr std::string_view kAuthEnabledKey = "authEnabled";

WalOptions MakeWalOptions(const NodeOptions& options, const NodeWorld& world) {
  return {.segment_bytes = options.wal_segment_bytes,
          .background = world.background,
          .fsync = options.fsync,
          .planted_bugs = options.wal_bugs};
}

Status ReadApplied(const View& view, LogIndex* applied) {
  ASSIGN_OR_RETURN(auto value, view.Get(Table::kMeta, kConsistentIndexKey));
  if (!value) return Status::Ok();
  if (value->size() != sizeof(uint64_t)) {
    return DataLossError("meta: consistent_index has " +
                         std::to_string(value->size()) + " bytes");
  }
  *applied = LogIndex(LoadBig64(value->data()));
  return Status::Ok();
}

Status OpenDatabase(const NodeOptions& options, const NodeWorld& world,
                    const DataPaths& paths, DataDir* dir) {
  ASSIGN_OR_RETURN(dir->backend, OpenTables(options, world, paths));
  ASSIGN_OR_RETURN(const auto view, dir->backend->NewView());
  if (const Status status = CheckTables(*view, paths.database); !status.ok()) {
    return Status(status.code(),
                  status.message() + "; the directory is left as it was");
  }
  return ReadApplied(*view, &dir->applied);
}

// A snapshot is in the log but its database not in place: the process ended
// between the two.
Status InstallDatabase(const NodeOptions& options, const NodeWorld& world,
                       const DataPaths& paths, LogIndex index, DataDir* dir) {
  const std::string came = IncomingDatabasePath(paths.snap, index);
  if (!world.env->Exists(came)) return Status::Ok();
  dir->backend.reset();
  RETURN_IF_ERROR(world.env->Rename(came, paths.database));
  RETURN_IF_ERROR(world.env->SyncDir(paths.snap));
  world.logger->Info("installed the database of a snapshot",
                     {{"index", index.value()}});
  return OpenDatabase(options, world, paths, dir);
}

// The newest raft snapshot that the log knows of and that is not damaged.
Status LoadSnapshot(const NodeOptions& options, const NodeWorld& world,
                    const DataPaths& paths, DataDir* dir, WalSnapshot* start,
                    std::vector<DamagedSnapFile>* damaged) {
  if (!world.env->Exists(paths.snap)) return Status::Ok();
  ASSIGN_OR_RETURN(const auto records,
                   Wal::ReadSnapshots(world.env, paths.wal));
  const auto known = [&records](Term term, LogIndex index) {
    return std::any_of(records.begin(), records.end(), [&](const auto& r) {
      return r.index == index && r.term == term;
    });
  };
  ASSIGN_OR_RETURN(const auto snapshot,
                   LoadNewestSnapFile(world.env, paths.snap, known, damaged));
  if (!snapshot) return Status::Ok();
  ASSIGN_OR_RETURN(dir->snapshot_membership, DecodeV2Store(snapshot->data));
  dir->snapshot_index = snapshot->index;
  dir->snapshot_term = snapshot->term;
  start->index = snapshot->index;
  start->term = snapshot->term;
  if (dir->applied < snapshot->index) {
    RETURN_IF_ERROR(
        InstallDatabase(options, world, paths, snapshot->index, dir));
  }
  if (dir->applied < snapshot->index) {
    return DataLossError(
        paths.database + " has the log up to entry " +
        std::to_string(dir->applied.value()) + ", but the raft snapshot says " +
        std::to_string(snapshot->index.value()) + ": it is too old or lost");
  }
  return Status::Ok();
}

StatusOr<Level> LevelOf(const std::string& version,
                        std::optional<Level> wanted) {
  if (version.empty()) return wanted.value_or(Level::V3_5());
  ASSIGN_OR_RETURN(const Level found, Level::OfClusterVersion(version));
  if (!wanted) return found;
  if (*wanted < found) {
    return FailedPreconditionError(
        "cluster cannot be downgraded: --etcd-level " + wanted->ToString() +
        " is lower than its cluster version " + version);
  }
  return *wanted;
}

// Who is in the cluster, and whether it is this member alone. What is not known
// to be committed, in a cluster of several, may still be replaced: it counts
// for nothing here.
Status CheckMembers(const NodeWorld& world, const Membership& membership,
                    bool undecided_change, DataDir* dir) {
  const bool here = membership.members.contains(dir->member);
  dir->alone = here && membership.members.size() == 1 && !undecided_change;
  if (membership.members.empty() || dir->alone) return Status::Ok();
  if (world.transport == nullptr) {
    return FailedPreconditionError(
        "the directory belongs to a cluster of several members, and there is "
        "no way to the others");
  }
  const auto& removed = membership.removed;
  if (std::find(removed.begin(), removed.end(), dir->member) != removed.end()) {
    return FailedPreconditionError(
        "the member has been permanently removed from the cluster");
  }
  return Status::Ok();
}

// How a member leaves its cluster (--force-new-cluster): by these entries after
// the one at `last`, which replace what is there.
struct Departure {
  LogIndex last = {};
  std::vector<raft::Entry> entries = {};
};

// Looks at the whole log before any of it is applied, or repaired.
Status CheckLog(const NodeOptions& options, const NodeWorld& world,
                const WalContent& log, DataDir* dir,
                std::optional<Departure>* departure) {
  ASSIGN_OR_RETURN(const LogOwner owner, DecodeLogOwner(log.metadata));
  dir->member = owner.member;
  dir->cluster = owner.cluster;
  const LogIndex decided = std::max(log.hard_state.commit, dir->applied);
  Cluster cluster(dir->snapshot_membership);
  std::vector<Command> undecided;  // up to the first change of members
  bool undecided_change = false;
  Command command;
  for (const raft::Entry& entry : log.entries) {
    RETURN_IF_ERROR(DecodeCommand(entry, &command));
    RETURN_IF_ERROR(CheckCommand(command, entry.index));
    if (entry.index <= decided) {
      RETURN_IF_ERROR(cluster.Apply(command, /*store=*/nullptr));
    } else {
      undecided_change |= entry.type != raft::EntryType::kNormal;
      if (!undecided_change) undecided.push_back(std::move(command));
    }
  }
  const Membership members = cluster.membership();
  const bool one =
      members.members.size() == 1 && members.members.contains(dir->member);
  if (options.force_new_cluster && !members.members.empty()) {
    // One member has decided what it has logged, as long as it was the only
    // one.
    departure->emplace();
    (*departure)->last = decided + (one ? undecided.size() : 0);
    ASSIGN_OR_RETURN(
        (*departure)->entries,
        RemoveOthers(members, dir->member, (*departure)->last,
                     std::max(log.hard_state.term, dir->snapshot_term)));
    dir->alone = true;
  } else {
    RETURN_IF_ERROR(CheckMembers(world, members, undecided_change, dir));
  }
  if (dir->alone && one) {
    for (const Command& command : undecided) {
      RETURN_IF_ERROR(cluster.Apply(command, /*store=*/nullptr));
    }
  }
  ASSIGN_OR_RETURN(
      dir->level, LevelOf(cluster.membership().cluster_version, options.level));
  return Status::Ok();
}

Status WriteFirstLog(std::vector<MemberRecord> members, DataDir* dir) {
  FirstLog log = MakeFirstLog(std::move(members));
  dir->entries = std::move(log.entries);
  dir->hard_state = log.hard_state;
  dir->wal->Append(dir->entries, dir->hard_state);
  return dir->wal->Sync();
}

// A new cluster, as the flags describe it.
struct Flags {
  MemberRecord self;
  std::vector<MemberRecord> members;
  ClusterId cluster;
};

// The log goes on as that of a cluster of this member alone.
Status Depart(Departure departure, const NodeWorld& world, DataDir* dir) {
  const size_t had = dir->entries.size();
  std::erase_if(dir->entries, [&](const raft::Entry& entry) {
    return entry.index > departure.last;
  });
  world.logger->Warn("forcing a new cluster of this member alone",
                     {{"member-id", HexId(dir->member.value())},
                      {"last-index", departure.last.value()},
                      {"entries-cut", had - dir->entries.size()},
                      {"changes-of-members", departure.entries.size()}});
  if (departure.entries.empty()) return Status::Ok();
  dir->hard_state.commit = departure.entries.back().index;
  dir->wal->Append(departure.entries, dir->hard_state);
  RETURN_IF_ERROR(dir->wal->Sync());
  std::ranges::move(departure.entries, std::back_inserter(dir->entries));
  return Status::Ok();
}

StatusOr<Flags> ReadFlags(const NodeOptions& options, const NodeWorld& world) {
  if (options.initial_cluster.empty()) {
    std::string cluster;
    for (const std::string& url : options.initial_advertise_peer_urls) {
      if (!cluster.empty()) cluster += ',';
      cluster += options.name + "=" + url;
    }
    NodeOptions with = options;
    with.initial_cluster = cluster;
    if (cluster.empty()) {
      return InvalidArgumentError("--initial-advertise-peer-urls is empty");
    }
    return ReadFlags(with, world);
  }
  Flags flags;
  ASSIGN_OR_RETURN(flags.members,
                   ParseInitialCluster(options.initial_cluster,
                                       options.initial_cluster_token));
  ASSIGN_OR_RETURN(flags.self,
                   FindLocalMember(flags.members, options.name,
                                   options.initial_advertise_peer_urls));
  if (flags.members.size() > 1 && world.transport == nullptr) {
    return UnimplementedError("--initial-cluster names " +
                              std::to_string(flags.members.size()) +
                              " members, and there is no way to the others");
  }
  std::vector<MemberId> ids;
  for (const MemberRecord& member : flags.members) ids.push_back(member.id);
  flags.cluster = MakeClusterId(std::move(ids));
  return flags;
}

Status CreateLog(const NodeOptions& options, const NodeWorld& world,
                 const DataPaths& paths) {
  ASSIGN_OR_RETURN(const auto there, FindBackend(world.env, paths.snap));
  if (there.has_value()) {
    return DataLossError(BackendPath(paths.snap, *there) +
                         " is there, but there is no log in " + paths.wal);
  }
  std::string metadata;
  if (options.join) {
    metadata = EncodeLogOwner(
        {.member = options.join->self, .cluster = options.join->id});
  } else {
    ASSIGN_OR_RETURN(const Flags flags, ReadFlags(options, world));
    metadata =
        EncodeLogOwner({.member = flags.self.id, .cluster = flags.cluster});
  }
  RETURN_IF_ERROR(world.env->MakeDirs(paths.member));
  return Wal::Create(world.env, paths.wal, metadata,
                     MakeWalOptions(options, world), world.logger)
      .status();
}

Status OpenLog(const NodeOptions& options, const NodeWorld& world,
               const DataPaths& paths, DataDir* dir) {
  WalSnapshot start;
  std::vector<DamagedSnapFile> damaged;
  RETURN_IF_ERROR(LoadSnapshot(options, world, paths, dir, &start, &damaged));
  WalOptions wal = MakeWalOptions(options, world);
  std::optional<Departure> departure;
  wal.accept = [&](const WalContent& log) {
    return CheckLog(options, world, log, dir, &departure);
  };
  WalContent content;
  StatusOr<std::unique_ptr<Wal>> log = Wal::Open(
      world.env, paths.wal, start, dir->applied, wal, world.logger, &content);
  if (!log.ok() && !damaged.empty()) {
    // Nothing was changed: what is mended can be started on.
    return DataLossError(damaged.front().error.message() +
                         "; without it: " + log.status().message());
  }
  RETURN_IF_ERROR(log.status());
  dir->wal = *std::move(log);
  RETURN_IF_ERROR(SetAside(world.env, damaged, world.logger));
  dir->hard_state = content.hard_state;
  dir->entries = std::move(content.entries);
  if (departure) {
    RETURN_IF_ERROR(Depart(std::move(*departure), world, dir));
  }
  const bool empty = dir->entries.empty() && start.index == LogIndex();
  if (empty && options.join) {
    dir->alone = false;
  } else if (empty) {
    ASSIGN_OR_RETURN(Flags flags, ReadFlags(options, world));
    if (flags.self.id != dir->member) {
      return FailedPreconditionError(
          paths.wal + " was made for member " + HexId(dir->member.value()) +
          ", but the flags describe " + HexId(flags.self.id.value()));
    }
    dir->alone = flags.members.size() == 1;
    RETURN_IF_ERROR(WriteFirstLog(std::move(flags.members), dir));
  }
  dir->last_index =
      dir->entries.empty() ? start.index : dir->entries.back().index;
  dir->last_term = dir->entries.empty() ? start.term : dir->entries.back().term;
  return Status::Ok();
}

}  // namespace

Status CheckTables(const View& view, const std::string& database) {
  ASSIGN_OR_RETURN(const auto auth, view.Get(Table::kAuth, kAuthEnabledKey));
  if (!auth || auth->empty() || (*auth)[0] != 1) return Status::Ok();
  return FailedPreconditionError(
      database +
      ": authentication is enabled, which this version of strata does not have "
      "yet");
}

StatusOr<std::unique_ptr<Backend>> OpenTables(const NodeOptions& options,
                                              const NodeWorld& world,
                                              const DataPaths& paths) {
  BackendOptions backend{.kind = options.backend,
                         .btree = options.btree,
                         .leveldb = options.leveldb};
  backend.btree.fsync = backend.leveldb.fsync = options.fsync;
  backend.leveldb.compactor = world.compactor;
  return OpenBackend(world.env, paths.snap, backend, world.logger);
}

DataPaths::DataPaths(const NodeOptions& options)
    : member(JoinPath(options.data_dir, "member")),
      wal(options.wal_dir.empty() ? JoinPath(member, "wal") : options.wal_dir),
      snap(JoinPath(member, "snap")),
      database(BackendPath(snap, options.backend == BackendKind::kMem
                                     ? BackendKind::kBtree
                                     : options.backend)) {}

StatusOr<DataDir> OpenDataDir(const NodeOptions& options,
                              const NodeWorld& world) {
  const DataPaths paths(options);
  if (!Wal::Exists(world.env, paths.wal)) {
    RETURN_IF_ERROR(CreateLog(options, world, paths));
  }
  DataDir dir;
  // A database that is missing is made last, when all else is found good.
  ASSIGN_OR_RETURN(const auto there, FindBackend(world.env, paths.snap));
  if (there.has_value()) {
    RETURN_IF_ERROR(OpenDatabase(options, world, paths, &dir));
  }
  RETURN_IF_ERROR(OpenLog(options, world, paths, &dir));
  if (dir.backend == nullptr) {
    ASSIGN_OR_RETURN(dir.backend, OpenTables(options, world, paths));
  }
  RETURN_IF_ERROR(RemoveIncoming(world.env, paths.snap, LogIndex(0)));
  return dir;
}

}  // namespace strata
