// A btree file with some bytes changed, or of any bytes at all: it is refused
// with its place, or read, checked and written on; never a crash, and never
// other content where every page has a sum.

#include <map>
#include <string>
#include <vector>

#include "base/fake_env.h"
#include "engine/btree/database.h"
#include "engine/btree/file_testing.h"
#include "engine/btree/sum.h"
#include "tests/fuzz/input.h"

namespace strata::btree {
namespace {

constexpr char kPath[] = "db";
constexpr uint32_t kPageSize = 1024;

using Content = std::map<std::pair<int, std::string>, std::string>;

BtreeOptions Options(bool synced) {
  BtreeOptions options;
  options.page_size = kPageSize;
  options.freelist_sync = synced;
  options.initial_mmap_bytes = 0;
  return options;
}

// Three levels, a value over several pages, inline buckets, free pages.
std::string MakeFile(bool synced) {
  FakeEnv env;
  {
    auto backend =
        OpenDatabase(&env, kPath, Options(synced), Logger::Null(), {});
    CHECK_OK(backend);
    for (int round = 0; round < 2; ++round) {
      Batch batch;
      for (int i = 0; i < 150; ++i) {
        const std::string key = std::to_string(1000 + i);
        batch.Put(Table::kKey, key + std::string(60, 'k'),
                  std::string(i % 50 == 0 ? 3000 : 90, 'v'));
      }
      batch.Put(Table::kMeta, "consistent_index", "12345678");
      CHECK_OK((*backend)->Write(batch));
    }
  }
  auto bytes = ReadFile(&env, kPath, 1 << 20);
  CHECK_OK(bytes);
  return *bytes;
}

Status ReadAll(Backend* backend, Content* content) {
  ASSIGN_OR_RETURN(auto view, backend->NewView());
  for (int table = 0; table < kTableCount; ++table) {
    auto it = view->NewIterator(static_cast<Table>(table));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      (*content)[{table, std::string(it->key())}] = it->value();
    }
    RETURN_IF_ERROR(it->status());
  }
  for (const auto& [place, value] : *content) {
    RETURN_IF_ERROR(
        view->Get(static_cast<Table>(place.first), place.second).status());
  }
  return Status::Ok();
}

// A write that touches all, then one that takes all away.
Status WriteAll(Backend* backend, const Content& content) {
  Batch batch;
  for (const auto& [place, value] : content) {
    if (place.second.size() > kMaxBackendKeyBytes) return Status::Ok();
    batch.Put(static_cast<Table>(place.first), place.second, value + "x");
  }
  RETURN_IF_ERROR(backend->Write(batch));
  batch.Clear();
  for (const auto& [place, value] : content) {
    batch.Erase(static_cast<Table>(place.first), place.second);
  }
  return backend->Write(batch);
}

void CheckStatus(const Status& status) {
  if (status.ok()) return;
  CHECK(status.code() == Code::kDataLoss ||
        status.code() == Code::kFailedPrecondition)
      << status;
  CHECK(status.code() != Code::kDataLoss || status.message().starts_with(kPath))
      << status;
}

// Makes the metas' checksums right again and takes the sums out, so that what
// lies behind them is looked at.
void Reseal(std::string* file, const Layout& layout) {
  for (int slot = 0; slot < 2; ++slot) {
    char* const at = file->data() + slot * kPageSize + kHeaderBytes;
    Meta meta = Load<Meta>(at);
    meta.checksum = MetaChecksum(meta);
    std::memcpy(at, &meta, sizeof meta);
    ClearMark(file, layout, slot);
  }
  for (uint64_t first : FirstPages(layout)) ClearSum(file, layout, first);
}

void TestFile(const std::string& file, bool synced, const Content* expected) {
  FakeEnv env;
  CHECK_OK(WriteFileAtomically(&env, kPath, file));
  auto backend = OpenDatabase(&env, kPath, Options(synced), Logger::Null(), {});
  CheckStatus(backend.status());
  if (!backend.ok()) return;
  Content content;
  const Status read = ReadAll(backend->get(), &content);
  CheckStatus(read);
  int faults = 0;
  const auto report = [&](const std::string& fault) {
    CHECK(fault.starts_with(kPath)) << fault;
    ++faults;
  };
  CHECK_OK((*backend)->Check(report));
  if (expected != nullptr) CHECK(!read.ok() || content == *expected);
  CHECK_OK((*backend)->ScrubStep(1 << 20, report));
  auto view = (*backend)->NewView();
  CHECK_OK(view);
  CheckStatus((*backend)->WriteSnapshot(
      **view, [](std::string_view) { return Status::Ok(); }));
  CheckStatus(WriteAll(backend->get(), content));
  CHECK_OK((*backend)->Check(report));
}

struct Base {
  std::string file;
  Layout layout;
  Content content;
};

const Base& BaseOf(bool synced) {
  static const auto make = [](bool with_list) {
    Base base;
    base.file = MakeFile(with_list);
    base.layout = LayoutOf(base.file);
    FakeEnv env;
    CHECK_OK(WriteFileAtomically(&env, kPath, base.file));
    auto backend =
        OpenDatabase(&env, kPath, Options(with_list), Logger::Null(), {});
    CHECK_OK(backend);
    CHECK_OK(ReadAll(backend->get(), &base.content));
    return base;
  };
  static const Base kScanned = make(false);
  static const Base kSynced = make(true);
  return synced ? kSynced : kScanned;
}

void TestInput(fuzz::Input input) {
  const uint8_t kind = input.Byte();
  const bool synced = (kind & 1) != 0;
  if (kind % 16 == 15) {
    return TestFile(std::string(input.TakeRest()), synced, nullptr);
  }
  const Base& base = BaseOf(synced);
  std::string file = base.file;
  const bool sealed = kind % 8 < 2;  // as damage leaves it
  fuzz::Damage(&input, kPageSize, &file);
  if (!sealed) Reseal(&file, base.layout);
  TestFile(file, synced, sealed ? &base.content : nullptr);
}

}  // namespace
}  // namespace strata::btree

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  strata::btree::TestInput(strata::fuzz::Input(data, size));
  return 0;
}
