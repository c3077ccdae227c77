#include "base/bytes.h"
#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"
#include "engine/meta.h"

namespace strata::utl {
namespace {

// Faults in the answer; more are only counted.
constexpr size_t kFaultsListed = 1000;

// Gathers what is wrong with a file, and counts what is there.
class Check {
 public:
  explicit Check(std::string path) : path_(std::move(path)) {}

  Status Run(const Context& context);
  void Print(const Context& context) const;
  bool whole() const { return fault_count_ == 0; }
  uint64_t fault_count() const { return fault_count_; }

 private:
  bool Add(const Status& fault);
  void LookAt(const btree::PageSource& source,
              const btree::Checker::Visit& visit);
  void LookAtChange(const btree::PageSource& source, btree::PageId page,
                    int element, const btree::Item& item);

  const std::string path_;
  std::vector<std::string> faults_;
  uint64_t fault_count_ = 0;
  uint64_t transaction_ = 0;
  uint64_t pages_ = 0;
  uint64_t buckets_ = 0;
  uint64_t records_ = 0;
  int64_t revision_ = 0;
};

bool Check::Add(const Status& fault) {
  ++fault_count_;
  if (faults_.size() < kFaultsListed) faults_.push_back(fault.message());
  return true;
}

// Beyond the form of a page: what its records mean.
void Check::LookAt(const btree::PageSource& source,
                   const btree::Checker::Visit& visit) {
  if (!visit.page.is_leaf()) return;
  const bool changes =
      visit.bucket.size() == 1 && visit.bucket[0] == TableName(Table::kKey);
  btree::Item item;
  for (int i = 0; i < visit.page.count() && visit.page.Get(i, &item); ++i) {
    if (item.flags != 0) continue;
    ++records_;
    if (changes) LookAtChange(source, visit.id, i, item);
  }
}

void Check::LookAtChange(const btree::PageSource& source, btree::PageId page,
                         int element, const btree::Item& item) {
  const auto fault = [&](const std::string& what) {
    Add(source.Damaged(page,
                       "element " + std::to_string(element) + ": " + what));
  };
  ChangeId id;
  bool tombstone = false;
  if (!ParseRevisionKey(item.key, &id, &tombstone)) {
    fault("key " + Printable(item.key) + " is no revision");
    return;
  }
  revision_ = std::max(revision_, id.main.value());
  const StatusOr<KeyValue> kv = DecodeKeyValue(item.value);
  if (!kv.ok()) {
    fault("the value is no KeyValue");
  } else if (!tombstone && kv->mod_revision != id.main) {
    fault("the value says revision " +
          std::to_string(kv->mod_revision.value()) + ", the key " +
          std::to_string(id.main.value()));
  } else if (!tombstone &&
             (kv->create_revision > kv->mod_revision ||
              kv->create_revision < Revision(1) || kv->version < 1)) {
    fault("no KeyValue has such revisions or version");
  }
}

Status Check::Run(const Context& context) {
  ASSIGN_OR_RETURN(const auto file,
                   btree::Inspection::Open(context.env, path_));
  for (const Status& fault : file->faults()) Add(fault);
  const int newest = file->metas().Newest();
  if (newest < 0) return Status::Ok();
  const btree::Tree tree = file->TreeOf(newest);
  transaction_ = tree.meta.tx;
  Progress progress(context, "checking", "pages", tree.meta.high_water);
  const btree::PageMap map = btree::MapPages(
      tree, [this](const Status& fault) { return Add(fault); },
      [&](const btree::Checker::Visit& visit) {
        progress.Add(1);
        LookAt(tree.source, visit);
      });
  pages_ = map.pages.size();
  buckets_ = map.buckets.size() - 1;
  return Status::Ok();
}

void Check::Print(const Context& context) const {
  Json result = {{"file", path_},
                 {"whole", whole()},
                 {"transaction", transaction_},
                 {"pages", pages_},
                 {"buckets", buckets_},
                 {"records", records_},
                 {"revision", revision_},
                 {"faults", fault_count_}};
  if (context.format == Format::kJson) {
    result["found"] = faults_;
    *context.out << Dump(result) << "\n";
    return;
  }
  for (const std::string& fault : faults_) *context.out << fault << "\n";
  if (fault_count_ > faults_.size()) *context.out << "and more\n";
  PrintFields(context, result);
}

Status CheckFile(const Context& context, const Target& target) {
  ASSIGN_OR_RETURN(const std::string path, DatabasePath(context.env, target));
  Check check(path);
  RETURN_IF_ERROR(check.Run(context));
  check.Print(context);
  if (check.whole()) return Status::Ok();
  return DataLossError(path +
                       " is damaged: " + std::to_string(check.fault_count()) +
                       (check.fault_count() == 1 ? " fault" : " faults"));
}

}  // namespace

void AddDbCheck(CLI::App* db, Action* chosen) {
  auto target = std::make_shared<Target>();
  CLI::App* command =
      AddCommand(db, "check", "Check a db file from end to end");
  AddTarget(command, target.get(), "FILE");
  SetNotes(
      command,
      "Both metas, every page and element of the newest state, order and\n"
      "bounds, the free pages, and that each record of the key table is one.\n"
      "Exit code: 0 if the file is whole; 1 if it is damaged, or cannot be\n"
      "checked because it is in use, missing or cannot be read. Each fault is\n"
      "told with file and offset. Example:\n\n"
      "  stratautl db check --data-dir /var/lib/etcd/default");
  Choose(command, target, CheckFile, chosen);
}

}  // namespace strata::utl
