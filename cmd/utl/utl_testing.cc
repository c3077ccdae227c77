#include "cmd/utl/utl_testing.h"

#include <gtest/gtest.h>

#include <span>
#include <sstream>

#include "cmd/utl/utl.h"
#include "engine/btree_backend.h"
#include "engine/key_value.h"
#include "engine/meta.h"
#include "rpc/proto/raft_internal.pb.h"
#include "wal/wal.h"

namespace strata::utl {
namespace {

void PutChange(int64_t main, uint32_t sub, const KeyValue& kv, Batch* batch) {
  batch->Put(Table::kKey,
             RevisionKey({Revision(main), sub}, /*tombstone=*/false).view(),
             EncodeKeyValue(kv));
}

void DeleteKey(int64_t main, std::string_view key, Batch* batch) {
  batch->Put(Table::kKey,
             RevisionKey({Revision(main), 0}, /*tombstone=*/true).view(),
             EncodeKeyValue({.key = key}));
}

KeyValue Kv(std::string_view key, std::string_view value, int64_t create,
            int64_t mod, int64_t version, int64_t lease = 0) {
  return {.key = key,
          .create_revision = Revision(create),
          .mod_revision = Revision(mod),
          .version = version,
          .value = value,
          .lease = LeaseId(lease)};
}

void Write(Backend* backend, const Batch& batch) {
  const Status status = backend->Write(batch);
  ASSERT_TRUE(status.ok()) << status;
}

raft::Entry RequestEntry(uint64_t index,
                         const etcdserverpb::InternalRaftRequest& request) {
  return {.term = Term(1),
          .index = LogIndex(index),
          .type = raft::EntryType::kNormal,
          .data = request.SerializeAsString()};
}

std::vector<raft::Entry> Entries() {
  const raft::ConfChange change{.type = raft::ConfChangeType::kAddNode,
                                .node = MemberId(0xabc),
                                .context = R"({"id":2748})"};
  std::vector<raft::Entry> entries = {{.term = Term(1),
                                       .index = LogIndex(1),
                                       .type = raft::EntryType::kConfChange,
                                       .data = raft::EncodeConfChange(change)},
                                      {.term = Term(1), .index = LogIndex(2)}};
  etcdserverpb::InternalRaftRequest request;
  request.mutable_put()->set_key("color");
  request.mutable_put()->set_value("blue");
  entries.push_back(RequestEntry(3, request));
  request.mutable_put()->set_lease(0x1a2b);
  entries.push_back(RequestEntry(4, request));
  request.Clear();
  request.mutable_delete_range()->set_key("color");
  entries.push_back(RequestEntry(5, request));
  request.Clear();
  request.mutable_txn()->add_compare()->set_key("a");
  request.mutable_txn()->add_success()->mutable_request_put()->set_key("a");
  entries.push_back(RequestEntry(6, request));
  request.Clear();
  request.mutable_compaction()->set_revision(4);
  entries.push_back(RequestEntry(7, request));
  request.Clear();
  request.mutable_lease_grant()->set_id(7);
  request.mutable_lease_grant()->set_ttl(60);
  entries.push_back(RequestEntry(8, request));
  return entries;
}

}  // namespace

void MakeDb(Env* env) {
  BtreeOptions options;
  options.page_size = 4096;
  options.freelist_sync = true;
  options.initial_mmap_bytes = 0;
  ASSERT_TRUE(env->MakeDirs("data/member/snap").ok());
  auto backend = OpenBtreeBackend(env, kDb, options, Logger::Null());
  ASSERT_TRUE(backend.ok()) << backend.status();
  Batch first;
  PutChange(2, 0, Kv("color", "blue", 2, 2, 1), &first);
  PutChange(3, 0, Kv("color", "red", 2, 3, 2), &first);
  first.Put(Table::kMeta, meta::kConsistentIndex, meta::EncodeNumber(4));
  Write(backend->get(), first);
  Batch second;
  DeleteKey(4, "color", &second);
  const std::string large(5000, 'x');
  PutChange(5, 0, Kv("large", large, 5, 5, 1), &second);
  PutChange(6, 0, Kv("color", "green", 6, 6, 1, 0x1a2b), &second);
  PutChange(7, 0, Kv("a\n", "1", 7, 7, 1), &second);
  PutChange(7, 1, Kv("b", "", 7, 7, 1), &second);
  second.Put(Table::kMeta, meta::kConsistentIndex, meta::EncodeNumber(8));
  Write(backend->get(), second);
}

void MakeLog(Env* env) {
  // etcdserverpb.Metadata: member 0xabc, cluster 0xdef.
  const std::string metadata = "\x08\xbc\x15\x10\xef\x1b";
  auto wal = Wal::Create(env, kLog, metadata, {.segment_bytes = 65536},
                         Logger::Null());
  ASSERT_TRUE(wal.ok()) << wal.status();
  for (const raft::Entry& entry : Entries()) {
    (*wal)->Append(
        std::span(&entry, 1),
        {.term = Term(1), .vote = MemberId(0xabc), .commit = entry.index});
    ASSERT_TRUE((*wal)->Sync().ok());
  }
}

Outcome RunLine(Env* env, const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  Context context;
  context.env = env;
  context.out = &out;
  context.err = &err;
  const int code = Run(arguments, context);
  return {code, out.str(), err.str()};
}

std::string Content(Env* env, const std::string& path) {
  const auto content = ReadFile(env, path, 1 << 30);
  EXPECT_TRUE(content.ok()) << content.status();
  return content.ok() ? *content : "";
}

void Overwrite(Env* env, const std::string& path, const std::string& content) {
  const auto file = env->Open(path, OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Resize(content.size()).ok());
  ASSERT_TRUE((*file)->WriteAt(0, content).ok());
}

const std::vector<std::vector<std::string>>& ReadingCommands() {
  static const std::vector<std::vector<std::string>> commands = {
      {"db", "check", kDb},
      {"db", "stats", kDb},
      {"db", "buckets", kDb},
      {"db", "pages", kDb},
      {"db", "page", "0", kDb},
      {"db", "page", "4", kDb, "--hex"},
      {"db", "keys", kDb},
      {"db", "get", "color", kDb},
      {"db", "history", "color", kDb},
      {"db", "dump", kDb, "-w", "json"},
      {"db", "advice", "--data-dir", kData},
      {"wal", "dump", kLog},
      {"wal", "check", "--data-dir", kData},
      {"hashkv", kDb},
      {"snapshot", "status", kDb},
  };
  return commands;
}

}  // namespace strata::utl
