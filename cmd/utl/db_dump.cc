#include "base/bytes.h"
#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/describe.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"

namespace strata::utl {
namespace {

struct Options {
  Target target;
  std::string bucket;
};

// A change of the key table, its parts apart.
Json ChangeJson(std::string_view key, std::string_view value) {
  ChangeId id;
  bool tombstone = false;
  const StatusOr<KeyValue> kv = DecodeKeyValue(value);
  if (!ParseRevisionKey(key, &id, &tombstone) || !kv.ok()) return nullptr;
  Json json = {{"revision", id.main.value()},
               {"sub", id.sub},
               {"tombstone", tombstone},
               {"key", Base64(kv->key)}};
  if (tombstone) return json;
  json["create_revision"] = kv->create_revision.value();
  json["version"] = kv->version;
  json["value"] = Base64(kv->value);
  if (kv->lease != LeaseId()) json["lease"] = kv->lease.value();
  return json;
}

Json RecordJson(const std::string& bucket, const Record& record) {
  Json json = {{"bucket", bucket},
               {"page", record.page.value()},
               {"element", record.element}};
  const Json change = bucket == TableName(Table::kKey)
                          ? ChangeJson(record.key, record.value)
                          : Json();
  if (!change.is_null()) {
    json.update(change);
    return json;
  }
  json["key"] = Base64(record.key);
  json["value"] = Base64(record.value);
  json["meaning"] = DescribeKey(bucket, record.key) + ": " +
                    DescribeValue(bucket, record.key, record.value);
  return json;
}

void DumpBucket(const Context& context, const std::string& bucket,
                DbReader* reader, Rows* rows) {
  reader->ForEach(bucket, [&](const Record& record) {
    if (context.format == Format::kJson) {
      *context.out << Dump(RecordJson(bucket, record)) << "\n";
    } else {
      rows->Add({bucket, record.page.value(), record.element,
                 DescribeKey(bucket, record.key),
                 DescribeValue(bucket, record.key, record.value)});
    }
    return true;
  });
}

Status DumpFile(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const std::string path,
                   DatabasePath(context.env, options.target));
  ASSIGN_OR_RETURN(const auto reader, DbReader::Open(context, path));
  Rows rows(
      context,
      {{"bucket", 10}, {"page", 6}, {"element", 7}, {"key", 16}, {"value", 0}});
  std::vector<std::string> names = {options.bucket};
  if (options.bucket.empty()) names = reader->BucketNames();
  for (const std::string& name : names) {
    DumpBucket(context, name, reader.get(), &rows);
  }
  rows.Finish();
  return reader->Finish();
}

}  // namespace

void AddDbDump(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      db, "dump", "Print every record: changes, leases, members, and the rest");
  AddTarget(command, &options->target, "FILE");
  AddOption(command, "--bucket", &options->bucket, "only those of this bucket");
  SetNotes(
      command,
      "In JSON keys and values are whole, in base64, one record per line.\n"
      "Example, what the server remembers of itself:\n\n"
      "  stratautl db dump --bucket meta data/member/snap/db");
  Choose(command, options, DumpFile, chosen);
}

}  // namespace strata::utl
