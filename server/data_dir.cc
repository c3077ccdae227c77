#include "server/data_dir.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/wire.h"
#include "engine/backend_dir.h"
#include "server/cluster.h"
#include "server/command.h"
#include "server/identity.h"

namespace strata {
namespace {

// The log's metadata record is etcdserverpb.Metadata.
constexpr uint32_t kMetadataNodeId = 1;
constexpr uint32_t kMetadataClusterId = 2;

// etcd's keys in the backend.
constexpr std::string_view kConsistentIndexKey = "consistent_index";
constexpr std::string_view kAuthEnabledKey = "authEnabled";

std::string EncodeMetadata(MemberId member, ClusterId cluster) {
  std::string bytes;
  wire::AppendUint(&bytes, kMetadataNodeId, member.value());
  wire::AppendUint(&bytes, kMetadataClusterId, cluster.value());
  return bytes;
}

Status DecodeMetadata(std::string_view bytes, DataDir* dir) {
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == kMetadataNodeId) dir->member = MemberId(field.varint);
    if (field.number == kMetadataClusterId) {
      dir->cluster = ClusterId(field.varint);
    }
  }
  if (!reader.ok() || dir->member == MemberId()) {
    return DataLossError("the log's metadata record is damaged");
  }
  return Status::Ok();
}

WalOptions MakeWalOptions(const NodeOptions& options, const NodeWorld& world) {
  return {.segment_bytes = options.wal_segment_bytes,
          .background = world.background,
          .fsync = options.fsync};
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

// What the tables of a foreign directory may hold that has no meaning here yet.
Status CheckTables(const View& view, const std::string& database) {
  const auto refuse = [&](std::string_view what) {
    return FailedPreconditionError(
        database + ": " + std::string(what) +
        ", which this version of strata does not have yet; the directory is "
        "left as it was");
  };
  ASSIGN_OR_RETURN(auto auth, view.Get(Table::kAuth, kAuthEnabledKey));
  if (auth && !auth->empty() && (*auth)[0] == 1) {
    return refuse("authentication is enabled");
  }
  return Status::Ok();
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

// The newest raft snapshot that the log knows of.
Status LoadSnapshot(const NodeWorld& world, const DataPaths& paths,
                    DataDir* dir, WalSnapshot* start) {
  if (!world.env->Exists(paths.snap)) return Status::Ok();
  ASSIGN_OR_RETURN(const auto records,
                   Wal::ReadSnapshots(world.env, paths.wal));
  const auto known = [&records](Term term, LogIndex index) {
    return std::any_of(records.begin(), records.end(), [&](const auto& r) {
      return r.index == index && r.term == term;
    });
  };
  ASSIGN_OR_RETURN(
      const auto snapshot,
      LoadNewestSnapFile(world.env, paths.snap, known, world.logger));
  if (!snapshot) return Status::Ok();
  ASSIGN_OR_RETURN(dir->snapshot_membership, DecodeV2Store(snapshot->data));
  dir->snapshot_index = snapshot->index;
  start->index = snapshot->index;
  start->term = snapshot->term;
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

// Looks at the whole log before any of it is applied, or repaired.
Status CheckLog(const NodeOptions& options, const WalContent& log,
                DataDir* dir) {
  RETURN_IF_ERROR(DecodeMetadata(log.metadata, dir));
  Cluster cluster(dir->snapshot_membership);
  for (const raft::Entry& entry : log.entries) {
    ASSIGN_OR_RETURN(const Command command, DecodeCommand(entry));
    RETURN_IF_ERROR(CheckCommand(command, entry.index));
    RETURN_IF_ERROR(cluster.Apply(command, /*store=*/nullptr));
  }
  const Membership membership = cluster.membership();
  ASSIGN_OR_RETURN(dir->level,
                   LevelOf(membership.cluster_version, options.level));
  if (membership.members.empty()) return Status::Ok();  // not yet bootstrapped
  if (membership.members.size() > 1 ||
      !membership.members.contains(dir->member)) {
    return FailedPreconditionError(
        "the directory belongs to a cluster of " +
        std::to_string(membership.members.size()) +
        " members; this version of strata serves single members only");
  }
  return Status::Ok();
}

// The first entry of a new member's log: the member itself.
Status WriteFirstEntry(const MemberRecord& self, DataDir* dir) {
  raft::ConfChange change{.type = raft::ConfChangeType::kAddNode,
                          .node = self.id,
                          .context = EncodeMemberJson(self)};
  raft::Entry entry{.term = Term(1),
                    .index = LogIndex(1),
                    .type = raft::EntryType::kConfChange,
                    .data = raft::EncodeConfChange(change)};
  dir->hard_state = {
      .term = Term(1), .vote = MemberId(), .commit = LogIndex(1)};
  dir->wal->Append({&entry, 1}, dir->hard_state);
  RETURN_IF_ERROR(dir->wal->Sync());
  dir->entries.push_back(std::move(entry));
  return Status::Ok();
}

StatusOr<MemberRecord> SelfFromFlags(const NodeOptions& options) {
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
    return SelfFromFlags(with);
  }
  ASSIGN_OR_RETURN(const auto members,
                   ParseInitialCluster(options.initial_cluster,
                                       options.initial_cluster_token));
  ASSIGN_OR_RETURN(MemberRecord self,
                   FindLocalMember(members, options.name,
                                   options.initial_advertise_peer_urls));
  if (members.size() > 1) {
    return UnimplementedError(
        "--initial-cluster names " + std::to_string(members.size()) +
        " members; this version of strata serves single members only");
  }
  return self;
}

Status CreateLog(const NodeOptions& options, const NodeWorld& world,
                 const DataPaths& paths) {
  ASSIGN_OR_RETURN(const auto there, FindBackend(world.env, paths.snap));
  if (there.has_value()) {
    return DataLossError(BackendPath(paths.snap, *there) +
                         " is there, but there is no log in " + paths.wal);
  }
  ASSIGN_OR_RETURN(const MemberRecord self, SelfFromFlags(options));
  RETURN_IF_ERROR(world.env->MakeDirs(paths.member));
  ASSIGN_OR_RETURN(
      auto wal, Wal::Create(world.env, paths.wal,
                            EncodeMetadata(self.id, MakeClusterId({self.id})),
                            MakeWalOptions(options, world), world.logger));
  return Status::Ok();
}

Status OpenLog(const NodeOptions& options, const NodeWorld& world,
               const DataPaths& paths, DataDir* dir) {
  WalSnapshot start;
  RETURN_IF_ERROR(LoadSnapshot(world, paths, dir, &start));
  WalOptions wal = MakeWalOptions(options, world);
  wal.accept = [&](const WalContent& log) {
    return CheckLog(options, log, dir);
  };
  WalContent content;
  ASSIGN_OR_RETURN(dir->wal,
                   Wal::Open(world.env, paths.wal, start, dir->applied, wal,
                             world.logger, &content));
  dir->hard_state = content.hard_state;
  dir->entries = std::move(content.entries);
  if (dir->entries.empty() && start.index == LogIndex()) {
    ASSIGN_OR_RETURN(const MemberRecord self, SelfFromFlags(options));
    if (self.id != dir->member) {
      return FailedPreconditionError(
          paths.wal + " was made for member " + HexId(dir->member.value()) +
          ", but the flags describe " + HexId(self.id.value()));
    }
    RETURN_IF_ERROR(WriteFirstEntry(self, dir));
  }
  dir->last_index =
      dir->entries.empty() ? start.index : dir->entries.back().index;
  dir->last_term = dir->entries.empty() ? start.term : dir->entries.back().term;
  return Status::Ok();
}

}  // namespace

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
    ASSIGN_OR_RETURN(dir.backend, OpenTables(options, world, paths));
    ASSIGN_OR_RETURN(const auto view, dir.backend->NewView());
    RETURN_IF_ERROR(CheckTables(*view, paths.database));
    RETURN_IF_ERROR(ReadApplied(*view, &dir.applied));
  }
  RETURN_IF_ERROR(OpenLog(options, world, paths, &dir));
  if (dir.backend == nullptr) {
    ASSIGN_OR_RETURN(dir.backend, OpenTables(options, world, paths));
  }
  return dir;
}

}  // namespace strata
