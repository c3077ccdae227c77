#include "base/bytes.h"
#include "base/crc32c.h"
#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/output.h"
#include "cmd/utl/snapshot_status.h"
#include "cmd/utl/target.h"
#include "snapshot/db_snapshot.h"

namespace strata::utl {
namespace {

// A file of whole sectors and 32 bytes more ends in its SHA-256.
constexpr uint64_t kSectorBytes = 512;

// Sums up the buckets of the first level as the walk meets them.
class Summer {
 public:
  void Add(const btree::Checker::Visit& visit) {
    if (visit.bucket.size() != 1) return;
    if (!any_ || bucket_ != visit.bucket[0]) {
      any_ = true;
      bucket_ = visit.bucket[0];
      status_.hash = crc32c::Extend(status_.hash, bucket_);
    }
    if (!visit.page.is_leaf()) return;
    btree::Item item;
    for (int i = 0; i < visit.page.count() && visit.page.Get(i, &item); ++i) {
      status_.hash = crc32c::Extend(status_.hash, item.key);
      // Of a bucket inside, only the name counts.
      if (item.flags == 0) {
        status_.hash = crc32c::Extend(status_.hash, item.value);
      }
      ++status_.keys;
      if (bucket_ == TableName(Table::kKey) && item.key.size() >= 8) {
        status_.revision = LoadBig64(item.key.data());
      }
    }
  }

  const SnapshotStatus& status() const { return status_; }

 private:
  SnapshotStatus status_;
  std::string bucket_;
  bool any_ = false;
};

Status CheckSum(Env* env, const std::string& path, uint64_t file_bytes) {
  if (file_bytes % kSectorBytes != kSha256Bytes) return Status::Ok();
  return VerifyDbSnapshotFile(env, path).status();
}

Status ShowStatus(const Context& context, const Target& target) {
  ASSIGN_OR_RETURN(const SnapshotStatus status,
                   ReadSnapshotStatus(context, target.file));
  if (context.format == Format::kJson) {
    const Json json = {{"hash", status.hash},
                       {"revision", status.revision},
                       {"totalKey", status.keys},
                       {"totalSize", status.bytes}};
    *context.out << Dump(json) << "\n";
    return Status::Ok();
  }
  const std::vector<std::string> row = {
      HexId(status.hash), std::to_string(status.revision),
      std::to_string(status.keys), HumanBytes(status.bytes)};
  if (context.format == Format::kTable) {
    *context.out << DrawTable({"hash", "revision", "total keys", "total size"},
                              {row});
  } else {
    *context.out << row[0] << ", " << row[1] << ", " << row[2] << ", " << row[3]
                 << "\n";
  }
  return Status::Ok();
}

}  // namespace

StatusOr<SnapshotStatus> ReadSnapshotStatus(const Context& context,
                                            const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, btree::Inspection::Open(context.env, path));
  std::vector<Status> faults = file->faults();
  if (const int newest = file->metas().Newest(); newest >= 0) {
    RETURN_IF_ERROR(CheckSum(context.env, path, file->file_bytes()));
    const btree::Tree tree = file->TreeOf(newest);
    Progress progress(context, "reading", "pages", tree.meta.high_water);
    Summer summer;
    btree::MapPages(
        tree,
        [&](const Status& fault) {
          faults.push_back(fault);
          return true;
        },
        [&](const btree::Checker::Visit& visit) {
          progress.Add(1);
          summer.Add(visit);
        });
    if (faults.empty()) {
      SnapshotStatus status = summer.status();
      status.bytes = tree.meta.high_water * tree.meta.page_size;
      return status;
    }
  }
  std::string text = "snapshot file integrity check failed. " +
                     std::to_string(faults.size()) + " errors found.";
  for (const Status& fault : faults) text += "\n" + fault.message();
  return DataLossError(text);
}

void AddSnapshot(CLI::App* app, Action* chosen) {
  CLI::App* snapshot =
      AddFamily(app, "snapshot", "Snapshots of the db file: look, restore");
  SetNotes(snapshot, "Example:\n\n  stratautl snapshot status backup.db");
  auto target = std::make_shared<Target>();
  CLI::App* status = AddCommand(
      snapshot, "status", "Hash, revision, records and size of a snapshot");
  AddOption(status, "FILE", &target->file,
            "what `snapshot save` wrote, or a db file", Need::kRequired);
  SetNotes(status,
           "The same numbers as etcdutl's and etcdctl's; the file is checked\n"
           "first, and its SHA-256 if it has one. Example:\n\n"
           "  stratautl snapshot status backup.db -w table");
  Choose(status, target, ShowStatus, chosen);
  AddSnapshotRestore(snapshot, chosen);
}

}  // namespace strata::utl
