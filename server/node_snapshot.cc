#include <utility>

#include "base/bytes.h"
#include "engine/backend_dir.h"
#include "server/incoming_snapshot.h"
#include "server/node_impl.h"

// A member that is far behind gets the whole state: etcd's snapshot messages.
namespace strata {
namespace {

constexpr std::string_view kClusterVersionKey = "clusterVersion";
// How long what was read from a replaced store may still be used by those who
// got no more than a reference.
constexpr Duration kOldContentTime = std::chrono::seconds(10);

StatusOr<MemberId> ParseId(const std::string& hex) {
  const std::string padded =
      std::string(16 - std::min<size_t>(16, hex.size()), '0') + hex;
  std::string bytes;
  if (padded.size() != 16 || !FromHex(padded, &bytes)) {
    return DataLossError("the members table has the key " + Printable(hex));
  }
  return MemberId(LoadBig64(bytes.data()));
}

// Who was in the cluster in the state that `image` shows.
StatusOr<Membership> MembersOf(const StoreImage& image) {
  Membership membership;
  ASSIGN_OR_RETURN(const auto members, image.List(Table::kMembers));
  for (const auto& [key, json] : members) {
    ASSIGN_OR_RETURN(MemberRecord member, DecodeMemberJson(json));
    ASSIGN_OR_RETURN(member.id, ParseId(key));
    membership.members.emplace(member.id, std::move(member));
  }
  ASSIGN_OR_RETURN(const auto removed, image.List(Table::kMembersRemoved));
  for (const auto& [key, mark] : removed) {
    ASSIGN_OR_RETURN(const MemberId id, ParseId(key));
    membership.removed.push_back(id);
  }
  ASSIGN_OR_RETURN(const auto cluster, image.List(Table::kCluster));
  for (const auto& [key, value] : cluster) {
    if (key == kClusterVersionKey) membership.cluster_version = value;
  }
  return membership;
}

}  // namespace

raft::SnapshotMetadata NodeImpl::Applied() const {
  return {.conf_state = cluster_.conf_state(),
          .index = applied_,
          .term = applied_term_};
}

// What is sent is what the backend has after a flush: at least what is applied
// now. Message and database are of the same entry.
void NodeImpl::MakeSnapshot(
    raft::Message message,
    std::function<void(StatusOr<OutgoingSnapshot>)> done) {
  store_->Flush([this, message = std::move(message),
                 done = std::move(done)](const Status& flushed) {
    auto image = flushed.ok()
                     ? store_->Image()
                     : StatusOr<std::shared_ptr<const StoreImage>>(flushed);
    world_.loop->Post([this, message, image = std::move(image), done] {
      if (!image.ok()) return done(image.status());
      done(CompleteSnapshot(message, *image));
    });
  });
}

StatusOr<OutgoingSnapshot> NodeImpl::CompleteSnapshot(
    raft::Message message, std::shared_ptr<const StoreImage> image) {
  const LogIndex index = image->applied();
  const std::optional<Term> term = raft()->TermAt(index);
  if (!term) return OutOfRangeError("the log has gone on meanwhile");
  ASSIGN_OR_RETURN(const Membership membership, MembersOf(*image));
  raft::Snapshot& snapshot = *message.snapshot;
  snapshot.metadata.index = index;
  snapshot.metadata.term = *term;
  snapshot.metadata.conf_state = Cluster(membership).conf_state();
  snapshot.data = EncodeV2Store(membership, index);
  if (options_.bugs.snapshot_forgets_members) {
    snapshot.data = EncodeV2Store(Membership(), index);
  }
  OutgoingSnapshot outgoing;
  outgoing.message = std::move(message);
  outgoing.write_database =
      [image = std::move(image)](const OutgoingSnapshot::Sink& sink) {
        return image->Write(sink);
      };
  outgoing.database_bytes = store_->Sizes().file_bytes;
  return outgoing;
}

// The old content is read while the new one is opened, which takes long for a
// large one, on the flusher. After a crash at any point the log knows of the
// snapshot, and an open finds its database under the one name or the other.
void NodeImpl::InstallSnapshot(const raft::Snapshot& snapshot,
                               std::function<void(const Status&)> done) {
  world_.logger->Info("installing a snapshot",
                      {{"index", snapshot.metadata.index.value()}});
  store_->Abandon();
  world_.flusher->Post([this, snapshot, done = std::move(done)] {
    using Opened = StatusOr<std::unique_ptr<Store>>;
    auto opened =
        std::make_shared<Opened>(OpenInstalled(snapshot.metadata.index));
    world_.loop->Post([this, snapshot, done, opened] {
      if (!opened->ok()) return done(opened->status());
      done(Adopt(std::move(**opened), snapshot));
    });
  });
}

StatusOr<std::unique_ptr<Store>> NodeImpl::OpenInstalled(LogIndex index) {
  const DataPaths paths(options_);
  RETURN_IF_ERROR(world_.env->Rename(IncomingDatabasePath(paths.snap, index),
                                     paths.database));
  RETURN_IF_ERROR(world_.env->SyncDir(paths.snap));
  ASSIGN_OR_RETURN(auto backend, OpenTables(options_, world_, paths));
  {
    ASSIGN_OR_RETURN(const auto view, backend->NewView());
    RETURN_IF_ERROR(CheckTables(*view, paths.database));
  }
  ASSIGN_OR_RETURN(auto store, Store::Open(std::move(backend),
                                           MakeStoreOptions(), world_.logger));
  if (store->applied() < index) {
    return DataLossError(paths.database + " came with the snapshot of entry " +
                         std::to_string(index.value()) + ", but has entry " +
                         std::to_string(store->applied().value()));
  }
  return store;
}

Status NodeImpl::Adopt(std::unique_ptr<Store> store,
                       const raft::Snapshot& snapshot) {
  ASSIGN_OR_RETURN(const Membership membership, DecodeV2Store(snapshot.data));
  cluster_.Replace(membership);
  SetPeers(membership);
  replaceable_->Replace(std::move(store));
  RETURN_IF_ERROR(alarms_.Restore(*store_));
  RETURN_IF_ERROR(cluster_.Restore(*store_));
  applied_ = snapshot.metadata.index;
  applied_term_ = snapshot.metadata.term;
  if (snapshotter_ != nullptr) snapshotter_->Installed(applied_);
  compactions_.Finished(store_->compact_revision());
  watch_hub_->Published();
  Later(kOldContentTime, [this] { replaceable_->DropOld(); });
  world_.logger->Info(
      "installed a snapshot",
      {{"index", applied_.value()}, {"revision", store_->revision().value()}});
  return Status::Ok();
}

}  // namespace strata
