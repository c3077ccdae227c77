#include "base/bytes.h"
#include "cmd/utl/commands.h"
#include "cmd/utl/output.h"
#include "server/restore.h"

namespace strata::utl {
namespace {

struct Options {
  RestoreOptions restore;
  uint64_t initial_mmap_bytes = 0;  // taken for etcdutl's sake
};

Status Restore(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(
      const RestoredMember made,
      RestoreSnapshot(context.env, options.restore, Logger::Null()));
  PrintFields(context, {{"data_dir", made.data_dir},
                        {"name", options.restore.name},
                        {"member_id", HexId(made.member.value())},
                        {"cluster_id", HexId(made.cluster.value())},
                        {"revision", made.revision.value()}});
  return Status::Ok();
}

constexpr char kNotes[] =
    "etcdutl's flags. Each member of the new cluster is made from the same\n"
    "file, on its own machine; the members of before are forgotten, and no\n"
    "member of them can take part by mistake. Then start stratad or etcd on\n"
    "the directory, with the same --name. Example:\n\n"
    "  stratautl snapshot restore backup.db --name m1 --data-dir m1.etcd \\\n"
    "    --initial-cluster m1=http://h1:2380,m2=http://h2:2380 \\\n"
    "    --initial-advertise-peer-urls http://h1:2380\n\n"
    "Watchers and caches that have seen revisions after the snapshot was\n"
    "taken would miss changes: --bump-revision 1000000000 --mark-compacted\n"
    "makes them start anew.";

}  // namespace

void AddSnapshotRestore(CLI::App* snapshot, Action* chosen) {
  auto options = std::make_shared<Options>();
  RestoreOptions* const restore = &options->restore;
  restore->initial_cluster = "default=http://localhost:2380";
  restore->initial_advertise_peer_urls = {"http://localhost:2380"};
  CLI::App* command =
      AddCommand(snapshot, "restore", "Make a data directory from a snapshot");
  AddOption(command, "FILE", &restore->snapshot, "what `snapshot save` wrote",
            Need::kRequired);
  AddOption(command, "--data-dir", &restore->data_dir,
            "the new directory; NAME.etcd if not given");
  AddOption(command, "--wal-dir", &restore->wal_dir,
            "the log's directory, if it is to be elsewhere");
  AddOption(command, "--name", &restore->name, "of this member");
  AddOption(command, "--initial-cluster", &restore->initial_cluster,
            "name=url,... of all members of the new cluster");
  AddOption(command, "--initial-cluster-token", &restore->initial_cluster_token,
            "makes the new ids differ");
  AddList(command, "--initial-advertise-peer-urls",
          &restore->initial_advertise_peer_urls, "peer URLs of this member");
  AddSwitch(command, "--skip-hash-check", &restore->skip_hash_check,
            "the file is a copy of a db file and has no SHA-256");
  AddOption(command, "--initial-memory-map-size", &options->initial_mmap_bytes,
            "taken for etcdutl's sake");
  AddOption(command, "--bump-revision", &restore->bump_revision,
            "how much further on revisions begin");
  AddSwitch(command, "--mark-compacted", &restore->mark_compacted,
            "what was before counts as compacted; with --bump-revision, and "
            "only then");
  SetNotes(command, kNotes);
  Choose(command, options, Restore, chosen);
}

}  // namespace strata::utl
