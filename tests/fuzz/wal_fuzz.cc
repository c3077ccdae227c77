// Segments of a log: a sound one with some bytes changed is refused, or opened
// with a front part of what it held; records of any kind and content with right
// sums are taken or refused. Never a crash.

#include <string>
#include <vector>

#include "base/fake_env.h"
#include "tests/fuzz/input.h"
#include "wal/format.h"
#include "wal/wal.h"
#include "wal/wal_suite.h"

namespace strata::wal {
namespace {

constexpr char kDirectory[] = "wal";
constexpr uint64_t kEntries = 30;

WalOptions SmallSegments() {
  return WalOptions{.segment_bytes = 2048, .max_batch_bytes = 1024};
}

struct File {
  std::string path;
  std::string bytes;
};

struct Log {
  std::vector<File> files;
  std::vector<raft::Entry> entries;
};

Log MakeLog() {
  Log log;
  FakeEnv env;
  {
    auto wal = Wal::Create(&env, kDirectory, "metadata", SmallSegments(),
                           Logger::Null());
    CHECK_OK(wal);
    for (uint64_t i = 1; i <= kEntries; ++i) {
      log.entries.push_back(MakeEntry(i, std::string(i * 53 % 400, 'd')));
      (*wal)->Append({&log.entries.back(), 1}, MakeState(1, i));
      if (i == 10) (*wal)->AppendSnapshot({LogIndex(9), Term(1), {}});
      CHECK_OK((*wal)->Sync());
    }
  }
  auto names = env.List(kDirectory);
  CHECK_OK(names);
  for (const std::string& name : *names) {
    const std::string path = JoinPath(kDirectory, name);
    auto bytes = ReadFile(&env, path, 1 << 20);
    CHECK_OK(bytes);
    log.files.push_back({path, *bytes});
  }
  return log;
}

StatusOr<WalContent> Open(const std::vector<File>& files, uint64_t durable) {
  FakeEnv env;
  CHECK_OK(env.MakeDirs(kDirectory));
  for (const File& file : files) {
    CHECK_OK(WriteFileAtomically(&env, file.path, file.bytes));
  }
  Wal::ReadSnapshots(&env, kDirectory).status().IgnoreError();  // no crash
  WalContent content;
  auto wal = Wal::Open(&env, kDirectory, WalSnapshot{}, LogIndex(durable),
                       SmallSegments(), Logger::Null(), &content);
  if (wal.ok()) return content;
  const Status& status = wal.status();
  CHECK(status.code() == Code::kDataLoss || status.code() == Code::kNotFound)
      << status;
  CHECK(status.message().find(kDirectory) != std::string::npos) << status;
  return status;
}

void TestDamage(fuzz::Input* input) {
  static const Log kLog = MakeLog();
  std::vector<File> files = kLog.files;
  const uint64_t durable = input->Below(kEntries + 1);
  fuzz::Damage(input, 512, &files[input->Below(files.size())].bytes);
  const auto content = Open(files, durable);
  if (!content.ok()) return;
  CHECK(content->entries.size() >= durable);
  CHECK(content->entries.size() <= kEntries);
  for (size_t i = 0; i < content->entries.size(); ++i) {
    CHECK(content->entries[i] == kLog.entries[i]);
  }
}

void TestRecords(fuzz::Input* input) {
  std::string segment;
  uint32_t crc = 0;
  AppendCrcRecord(&segment, 0);
  AppendRecord(&segment, RecordType::kMetadata, "metadata", &crc);
  AppendRecord(&segment, RecordType::kSnapshot, EncodeSnapshot({}), &crc);
  while (!input->empty()) {
    const auto type = static_cast<RecordType>(input->Below(7));
    std::string data = input->Bytes(64);
    // Many should go far.
    if (type == RecordType::kSnapshot && data.size() % 2 == 0) {
      data = EncodeSnapshot({LogIndex(data.size()), Term(1), {}});
    }
    AppendRecord(&segment, type, data, &crc);
  }
  Open({{JoinPath(kDirectory, SegmentName{}.ToString()), segment}}, 0)
      .status()
      .IgnoreError();  // no crash
}

}  // namespace
}  // namespace strata::wal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  strata::fuzz::Input input(data, size);
  if (input.Byte() % 2 == 0) {
    strata::wal::TestDamage(&input);
  } else {
    strata::wal::TestRecords(&input);
  }
  return 0;
}
