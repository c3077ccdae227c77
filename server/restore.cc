#include "server/restore.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "engine/btree_backend.h"
#include "engine/key_value.h"
#include "engine/meta.h"
#include "server/data_dir.h"
#include "server/first_log.h"
#include "server/identity.h"
#include "snapshot/db_snapshot.h"
#include "snapshot/snap_file.h"
#include "wal/wal.h"

namespace strata {
namespace {

// A file of whole sectors and 32 bytes more ends in its SHA-256.
constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kPieceBytes = 1 << 20;

// etcd's, from 3.5 on, of the voters: the log says it anew.
constexpr std::string_view kConfState = "confState";

// The cluster that is made, and which of its members this is.
struct NewMember {
  MemberRecord self = {};
  std::vector<MemberRecord> members = {};
  ClusterId cluster = {};
};

StatusOr<NewMember> Describe(const RestoreOptions& options) {
  if ((options.bump_revision > 0) != options.mark_compacted) {
    return InvalidArgumentError(
        "--mark-compacted required if --revision-bump > 0");
  }
  NewMember made;
  ASSIGN_OR_RETURN(made.members,
                   ParseInitialCluster(options.initial_cluster,
                                       options.initial_cluster_token));
  ASSIGN_OR_RETURN(made.self,
                   FindLocalMember(made.members, options.name,
                                   options.initial_advertise_peer_urls));
  std::vector<MemberId> ids;
  for (const MemberRecord& member : made.members) ids.push_back(member.id);
  made.cluster = MakeClusterId(std::move(ids));
  return made;
}

// As Go prints text and bytes.
std::string Quoted(const std::string& text) { return '"' + text + '"'; }

std::string ByteList(const std::string& bytes) {
  std::string list;
  for (const char byte : bytes) {
    list += (list.empty() ? "[" : " ") +
            std::to_string(static_cast<unsigned char>(byte));
  }
  return list + "]";
}

Status CheckIsNew(Env* env, const RestoreOptions& options,
                  const std::string& data_dir) {
  if (env->Exists(data_dir)) {
    const auto names = env->List(data_dir);
    if (!names.ok() || !names->empty()) {
      return FailedPreconditionError("data-dir " + Quoted(data_dir) +
                                     " not empty or could not be read");
    }
  }
  if (!options.wal_dir.empty() && env->Exists(options.wal_dir)) {
    return FailedPreconditionError("wal-dir " + Quoted(options.wal_dir) +
                                   " exists");
  }
  return Status::Ok();
}

// Copies the database of `from`, without the sum behind it, which is checked on
// the way.
Status CopyDatabase(Env* env, const RestoreOptions& options,
                    const std::string& to) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> from,
                   env->Open(options.snapshot, OpenMode::kReadOnly));
  ASSIGN_OR_RETURN(const uint64_t size, from->Size());
  const bool has_hash = size % kSectorBytes == kSha256Bytes;
  if (!has_hash && !options.skip_hash_check) {
    return InvalidArgumentError(
        "snapshot missing hash but --skip-hash-check=false");
  }
  const uint64_t bytes = has_hash ? size - kSha256Bytes : size;
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                   env->Open(to, OpenMode::kCreateNew));
  Sha256 sum;
  std::string piece;
  for (uint64_t at = 0; at < bytes; at += piece.size()) {
    piece.resize(std::min(kPieceBytes, bytes - at));
    RETURN_IF_ERROR(from->ReadAt(at, piece.size(), piece.data()));
    sum.Update(piece);
    RETURN_IF_ERROR(file->WriteAt(at, piece));
  }
  if (has_hash && !options.skip_hash_check) {
    std::string expected(kSha256Bytes, '\0');
    RETURN_IF_ERROR(from->ReadAt(bytes, kSha256Bytes, expected.data()));
    if (const std::string found = sum.Finish(); found != expected) {
      return DataLossError("expected sha256 " + ByteList(expected) + ", got " +
                           ByteList(found));
    }
  }
  return file->Sync();
}

// The newest revision of the key table; 0 if there is none. The table is in the
// order of revisions, so it is searched by halves.
StatusOr<Revision> NewestRevision(const View& view) {
  const auto keys = view.NewIterator(Table::kKey);
  uint64_t low = 0;  // there is one from here on, or none at all
  uint64_t high = uint64_t{1} << 63;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    const ChangeId id{.main = Revision(static_cast<int64_t>(middle))};
    keys->Seek(RevisionKey(id, /*tombstone=*/false).view());
    RETURN_IF_ERROR(keys->status());
    (keys->Valid() ? low : high) = middle;
  }
  return Revision(static_cast<int64_t>(low));
}

Status EraseAll(const View& view, Table table, Batch* batch) {
  const auto rows = view.NewIterator(table);
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    batch->Erase(table, rows->key());
  }
  return rows->status();
}

// What etcdutl leaves at the bumped revision: a change of no key. From it the
// revision is known, and what was before it is compacted.
void Bump(Revision newest, Batch* batch) {
  const RevisionKey key({.main = newest}, /*tombstone=*/false);
  batch->Put(Table::kKey, key.view(), "");
  batch->Put(Table::kMeta, meta::kScheduledCompact, key.view());
}

Status CheckPages(Backend* backend, const std::string& path) {
  Status first;
  RETURN_IF_ERROR(backend->Check([&](const std::string& fault) {
    if (first.ok()) first = DataLossError(path + ": " + fault);
  }));
  return first;
}

// The database becomes that of the new cluster. Returns its newest revision.
StatusOr<Revision> Rewrite(Env* env, const RestoreOptions& options,
                           const std::string& path, const NewMember& made,
                           const FirstLog& log, Logger* logger) {
  BtreeOptions btree;
  btree.initial_mmap_bytes = 0;
  ASSIGN_OR_RETURN(const auto backend,
                   OpenBtreeBackend(env, path, btree, logger));
  RETURN_IF_ERROR(CheckPages(backend.get(), path));
  Batch batch;
  Revision newest;
  {
    ASSIGN_OR_RETURN(const auto view, backend->NewView());
    ASSIGN_OR_RETURN(newest, NewestRevision(*view));
    RETURN_IF_ERROR(EraseAll(*view, Table::kMembers, &batch));
    RETURN_IF_ERROR(EraseAll(*view, Table::kMembersRemoved, &batch));
  }
  if (options.bump_revision > 0) {
    newest =
        Revision(newest.value() + static_cast<int64_t>(options.bump_revision));
    Bump(newest, &batch);
  }
  for (const MemberRecord& member : made.members) {
    batch.Put(Table::kMembers, HexId(member.id.value()),
              EncodeMemberJson(member));
  }
  batch.Put(Table::kMeta, meta::kConsistentIndex,
            meta::EncodeNumber(log.hard_state.commit.value()));
  batch.Put(Table::kMeta, meta::kTerm,
            meta::EncodeNumber(log.hard_state.term.value()));
  batch.Erase(Table::kMeta, kConfState);
  RETURN_IF_ERROR(backend->Write(batch));
  RETURN_IF_ERROR(backend->Sync());
  return newest;
}

Status WriteLog(Env* env, const DataPaths& paths, const NewMember& made,
                const FirstLog& log, Logger* logger) {
  const raft::Entry& last = log.entries.back();
  RaftSnapshot snapshot{.index = last.index, .term = last.term};
  Membership membership;
  for (const MemberRecord& member : made.members) {
    membership.members[member.id] = member;
  }
  for (const auto& [id, member] : membership.members) {
    snapshot.conf_state.voters.push_back(id);
  }
  snapshot.data = EncodeV2Store(membership, last.index);
  RETURN_IF_ERROR(WriteSnapFile(env, paths.snap, snapshot));
  const std::string owner =
      EncodeLogOwner({.member = made.self.id, .cluster = made.cluster});
  ASSIGN_OR_RETURN(const auto wal,
                   Wal::Create(env, paths.wal, owner, WalOptions(), logger));
  raft::HardState state = log.hard_state;
  state.vote = snapshot.conf_state.voters.front();  // as etcdutl's
  wal->Append(log.entries, state);
  wal->AppendSnapshot({.index = last.index,
                       .term = last.term,
                       .conf_state = snapshot.conf_state});
  return wal->Sync();
}

}  // namespace

StatusOr<RestoredMember> RestoreSnapshot(Env* env,
                                         const RestoreOptions& options,
                                         Logger* logger) {
  ASSIGN_OR_RETURN(const NewMember made, Describe(options));
  NodeOptions node;
  node.data_dir =
      options.data_dir.empty() ? options.name + ".etcd" : options.data_dir;
  node.wal_dir = options.wal_dir;
  const DataPaths paths(node);
  RETURN_IF_ERROR(CheckIsNew(env, options, node.data_dir));
  if (!env->Exists(options.snapshot)) {
    return NotFoundError("open " + options.snapshot +
                         ": no such file or directory");
  }
  RETURN_IF_ERROR(env->MakeDirs(paths.snap));
  const FirstLog log = MakeFirstLog(made.members);
  Status made_db = CopyDatabase(env, options, paths.database);
  StatusOr<Revision> newest = Revision(0);
  if (made_db.ok()) {
    newest = Rewrite(env, options, paths.database, made, log, logger);
    made_db = newest.status();
  }
  if (!made_db.ok()) {
    // Nothing of ours was there before; the first error is the one to tell.
    env->RemoveAll(paths.member).IgnoreError();
    return made_db;
  }
  RETURN_IF_ERROR(env->SyncDir(paths.snap));
  RETURN_IF_ERROR(WriteLog(env, paths, made, log, logger));
  return RestoredMember{.data_dir = node.data_dir,
                        .member = made.self.id,
                        .cluster = made.cluster,
                        .revision = *newest};
}

}  // namespace strata
