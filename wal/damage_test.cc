// Bytes that are not as they were written: told with file and offset and
// nothing changed on disk, or shown to be a torn tail; never another log than
// was written.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/bytes.h"
#include "base/fake_env.h"
#include "base/random.h"
#include "wal/format.h"
#include "wal/tail.h"
#include "wal/wal.h"
#include "wal/wal_suite.h"

namespace strata::wal {
namespace {

constexpr char kDirectory[] = "/data/member/wal";
constexpr uint64_t kSegmentBytes = 2048;
constexpr uint64_t kMaxBatchBytes = 1024;
constexpr uint64_t kEntries = 24;

WalOptions SmallSegments() {
  return WalOptions{.segment_bytes = kSegmentBytes,
                    .max_batch_bytes = kMaxBatchBytes};
}

std::map<std::string, std::string> ReadAll(Env* env) {
  std::map<std::string, std::string> files;
  for (const std::string& name : *env->List(kDirectory)) {
    files[name] = *ReadFile(env, JoinPath(kDirectory, name), 1 << 20);
  }
  return files;
}

class DamageTest : public ::testing::Test {
 protected:
  DamageTest() {
    auto wal = *Wal::Create(&env_, kDirectory, "metadata", SmallSegments(),
                            Logger::Null());
    for (uint64_t i = 1; i <= kEntries; ++i) {
      ledger_.Append(wal.get(), MakeEntry(i, Data(i)));
      ledger_.Append(wal.get(), MakeState(1, i - 1));
      if (i == 10) {
        ledger_.Append(wal.get(),
                       WalSnapshot{.index = LogIndex(9), .term = Term(1)});
      }
      CHECK_OK(ledger_.Sync(wal.get()));
    }
    segments_ = wal->GetStats().segments;
    wal.reset();
    files_ = ReadAll(&env_);
  }

  // Of all sizes, none of it zeros.
  static std::string Data(uint64_t i) {
    std::string data(i * 53 % 400, '\0');
    for (size_t k = 0; k < data.size(); ++k) {
      data[k] = static_cast<char>(1 + (i * 31 + k * 7) % 255);
    }
    return data;
  }

  static StatusOr<WalContent> Open(Env* env, uint64_t durable) {
    WalContent content;
    const auto wal =
        Wal::Open(env, kDirectory, WalSnapshot{}, LogIndex(durable),
                  SmallSegments(), Logger::Null(), &content);
    if (!wal.ok()) return wal.status();
    return content;
  }

  // A front part of what was written.
  bool IsPrefix(const WalContent& content) const {
    const auto& all = ledger_.synced.entries;
    return content.entries.size() <= all.size() &&
           std::equal(content.entries.begin(), content.entries.end(),
                      all.begin()) &&
           content.hard_state.commit.value() <= content.entries.size();
  }

  // What is wrong with how a damaged `env` is opened, or nothing.
  std::string Judge(FakeEnv* env, uint64_t durable,
                    bool* opened = nullptr) const {
    const auto before = ReadAll(env);
    const auto content = Open(env, durable);
    if (opened != nullptr) *opened = content.ok();
    if (!content.ok()) {
      const Status& status = content.status();
      if (status.code() != Code::kDataLoss) return status.ToString();
      if (status.message().find(".wal offset ") == std::string::npos) {
        return "no place in: " + status.ToString();
      }
      return ReadAll(env) == before ? "" : "changed what is damaged";
    }
    if (!IsPrefix(*content)) return "another log than was written";
    if (content->entries.size() == kEntries &&
        content->hard_state == ledger_.synced.hard_state) {
      return "";
    }
    if (content->entries.size() < durable) return "lost what the backend has";
    if (content->entries.size() == kEntries && durable == kEntries) return "";
    return content->cut_tail.has_value() ? "" : "a silent loss";
  }

  FakeEnv env_;
  Ledger ledger_;
  uint64_t segments_ = 0;
  std::map<std::string, std::string> files_;
};

TEST_F(DamageTest, TheLogIsGoodToBeginWith) {
  EXPECT_GE(segments_, 3U);
  EXPECT_EQ(Judge(&env_, kEntries), "");
  EXPECT_EQ(Open(&env_, kEntries)->entries.size(), kEntries);
}

TEST_F(DamageTest, BitsOfEveryByte) {
  uint64_t told = 0;
  uint64_t unharmed = 0;
  auto env = env_.AfterPowerLoss(PowerLoss::Nothing());
  for (const auto& [name, bytes] : files_) {
    const std::string path = JoinPath(kDirectory, name);
    for (uint64_t offset = 0; offset < bytes.size(); ++offset) {
      for (const int bit : {0, 4, 7}) {
        env->FlipBit(path, offset, bit);
        bool opened = false;
        ASSERT_EQ(Judge(env.get(), 0, &opened), "")
            << path << " offset " << offset << " bit " << bit;
        if (opened) {
          // A record all of whose sectors are there was not torn.
          ASSERT_EQ(Open(env.get(), kEntries)->entries.size(), kEntries);
          ++unharmed;
          env = env_.AfterPowerLoss(PowerLoss::Nothing());
        } else {
          ++told;
          env->FlipBit(path, offset, bit);  // nothing else was changed
        }
      }
    }
  }
  RecordProperty("told", static_cast<int>(told));
  RecordProperty("unharmed", static_cast<int>(unharmed));
  EXPECT_GT(told, 15000U);
}

TEST_F(DamageTest, EveryByteWithWhatTheBackendHas) {
  for (const auto& [name, bytes] : files_) {
    for (uint64_t offset = 0; offset < bytes.size(); ++offset) {
      const auto env = env_.AfterPowerLoss(PowerLoss::Nothing());
      auto file = *env->Open(JoinPath(kDirectory, name), OpenMode::kReadWrite);
      const char other = static_cast<char>(bytes[offset] + 1 + offset % 255);
      ASSERT_TRUE(file->WriteAt(offset, {&other, 1}).ok());
      ASSERT_TRUE(file->Sync().ok());
      file.reset();
      ASSERT_EQ(Judge(env.get(), kEntries), "") << name << " " << offset;
    }
  }
}

// Lost sectors, ends, and bytes from elsewhere.
TEST_F(DamageTest, Garbage) {
  Random random(1);
  int told = 0;
  for (int round = 0; round < 1500; ++round) {
    const auto env = env_.AfterPowerLoss(PowerLoss::Nothing());
    auto victim = files_.begin();
    std::advance(victim, random.Below(files_.size()));
    const std::string path = JoinPath(kDirectory, victim->first);
    auto file = *env->Open(path, OpenMode::kReadWrite);
    const uint64_t size = victim->second.size();
    const uint64_t offset = random.Below(size);
    std::string bytes(random.Between(1, size - offset), '\0');
    switch (random.Below(4)) {
      case 0:
        ASSERT_TRUE(file->Resize(offset).ok());
        break;
      case 1:
        for (char& byte : bytes) byte = static_cast<char>(random.Next());
        [[fallthrough]];
      case 2:
        ASSERT_TRUE(file->WriteAt(offset, bytes).ok());
        break;
      case 3:
        ASSERT_TRUE(file->WriteAt(offset, victim->second.substr(
                                              random.Below(size), bytes.size()))
                        .ok());
        break;
    }
    file.reset();
    const uint64_t durable = random.OneIn(2) ? kEntries : 0;
    const std::string wrong = Judge(env.get(), durable);
    // What ends where a record does cannot be told from what was never there.
    ASSERT_TRUE(wrong.empty() || wrong == "a silent loss")
        << "round " << round << ": " << wrong;
    if (!Open(env.get(), durable).ok()) ++told;
  }
  EXPECT_GT(told, 750);
}

// Random bytes as a whole log.
TEST_F(DamageTest, Noise) {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    FakeEnv env;
    ASSERT_TRUE(env.MakeDirs(kDirectory).ok());
    std::string bytes(random.Between(1, 600), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Next());
    if (random.OneIn(2)) {  // with a length that can be one
      StoreLittle64(bytes.data(), random.Between(1, 64));
    }
    ASSERT_TRUE(WriteFileAtomically(
                    &env, JoinPath(kDirectory, SegmentName{}.ToString()), bytes)
                    .ok());
    EXPECT_EQ(Open(&env, 0).status().code(), Code::kDataLoss);
    EXPECT_TRUE(Wal::ReadSnapshots(&env, kDirectory)->empty());
  }
}

TEST_F(DamageTest, AnEmptySegment) {
  for (const auto& [name, bytes] : files_) {
    const auto env = env_.AfterPowerLoss(PowerLoss::Nothing());
    const std::string path = JoinPath(kDirectory, name);
    ASSERT_TRUE((*env->Open(path, OpenMode::kReadWrite))->Resize(0).ok());
    EXPECT_EQ(Open(env.get(), 0).status(),
              DataLossError(path + " offset 0: the segment is empty"));
  }
}

TEST_F(DamageTest, AMissingSegment) {
  const auto second = std::next(files_.begin());
  ASSERT_TRUE(env_.Remove(JoinPath(kDirectory, second->first)).ok());
  const Status status = Open(&env_, 0).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_NE(status.message().find("the segment before it is missing"),
            std::string::npos)
      << status;
}

TEST_F(DamageTest, AMissingFirstSegment) {
  ASSERT_TRUE(env_.Remove(JoinPath(kDirectory, files_.begin()->first)).ok());
  EXPECT_EQ(Open(&env_, 0).status().code(), Code::kNotFound);
}

TEST_F(DamageTest, AMissingLastSegment) {
  ASSERT_TRUE(env_.Remove(JoinPath(kDirectory, files_.rbegin()->first)).ok());
  const Status status = Open(&env_, kEntries).status();
  EXPECT_NE(status.message().find("but entry 24 is in the backend"),
            std::string::npos)
      << status;
}

TEST_F(DamageTest, SwappedSegments) {
  const std::string first = JoinPath(kDirectory, files_.begin()->first);
  const std::string last = JoinPath(kDirectory, files_.rbegin()->first);
  ASSERT_TRUE(env_.Rename(first, "/data/x").ok());
  ASSERT_TRUE(env_.Rename(last, first).ok());
  ASSERT_TRUE(env_.Rename("/data/x", last).ok());
  EXPECT_EQ(Judge(&env_, 0), "");
  EXPECT_FALSE(Open(&env_, 0).ok());
}

TEST_F(DamageTest, ForeignFiles) {
  ASSERT_TRUE(env_.MakeDirs(JoinPath(kDirectory, "lost+found")).ok());
  EXPECT_TRUE(Open(&env_, kEntries).ok());
  for (const char* name : {"1.wal", "0000000000000001-000000000000000G.wal",
                           "0000000000000001-0000000000000001.WAL.wal"}) {
    const std::string path = JoinPath(kDirectory, name);
    ASSERT_TRUE(WriteFileAtomically(&env_, path, "x").ok());
    EXPECT_EQ(Open(&env_, 0).status(),
              DataLossError(path + ": no name of a log segment"));
    ASSERT_TRUE(env_.Remove(path).ok());
  }
}

// Logs whose frames and sums are right but whose records are not.
class MeaningTest : public ::testing::Test {
 protected:
  void Add(RecordType type, std::string_view data) {
    AppendRecord(&bytes_, type, data, &crc_);
  }
  void AddEntry(const raft::Entry& entry) {
    Add(RecordType::kEntry, raft::EncodeEntry(entry));
  }
  void AddHeader() {
    AppendCrcRecord(&bytes_, 0);
    Add(RecordType::kMetadata, "metadata");
    Add(RecordType::kSnapshot, EncodeSnapshot(WalSnapshot{}));
  }
  Status Open(uint64_t durable = 0) {
    FakeEnv env;
    CHECK_OK(env.MakeDirs(kDirectory));
    CHECK_OK(WriteFileAtomically(
        &env, JoinPath(kDirectory, SegmentName{}.ToString()), bytes_));
    WalContent content;
    return Wal::Open(&env, kDirectory, WalSnapshot{}, LogIndex(durable),
                     SmallSegments(), Logger::Null(), &content)
        .status();
  }
  void ExpectError(std::string_view what, uint64_t durable = 0) {
    const Status status = Open(durable);
    EXPECT_EQ(status.code(), Code::kDataLoss) << status;
    EXPECT_NE(status.message().find(what), std::string::npos) << status;
  }

  std::string bytes_;
  uint32_t crc_ = 0;
};

TEST_F(MeaningTest, AGoodOne) {
  AddHeader();
  AddEntry(MakeEntry(1, "a"));
  EXPECT_TRUE(Open(1).ok());
}

TEST_F(MeaningTest, AGapBetweenEntries) {
  AddHeader();
  AddEntry(MakeEntry(1, "a"));
  AddEntry(MakeEntry(3, "a"));
  ExpectError("entry 3 follows entry 1");
}

TEST_F(MeaningTest, ACommittedEntryAgain) {
  AddHeader();
  AddEntry(MakeEntry(1, "a"));
  Add(RecordType::kState, raft::EncodeHardState(MakeState(1, 1)));
  AddEntry(MakeEntry(1, "b"));
  ExpectError("entry 1 comes again");
}

TEST_F(MeaningTest, AFallingTerm) {
  AddHeader();
  AddEntry(MakeEntry(1, "a", 3));
  Add(RecordType::kState, raft::EncodeHardState(MakeState(3, 0)));
  AddEntry(MakeEntry(2, "a", 2));
  ExpectError("entry 2 has a lower term");
}

TEST_F(MeaningTest, ACommitBeyondTheEnd) {
  AddHeader();
  AddEntry(MakeEntry(1, "a"));
  Add(RecordType::kState, raft::EncodeHardState(MakeState(1, 2)));
  ExpectError("but entry 2 is committed");
}

// The file of a snapshot of another member is lost: with the one before it,
// entries are missing.
TEST_F(MeaningTest, EntriesBeforeALaterSnapshotAreMissing) {
  AddHeader();
  AddEntry(MakeEntry(1, "a"));
  Add(RecordType::kSnapshot,
      EncodeSnapshot({.index = LogIndex(5), .term = Term(1)}));
  Add(RecordType::kState, raft::EncodeHardState(MakeState(1, 5)));
  ExpectError("the log ends at entry 1, but entry 5 is committed");
}

TEST_F(MeaningTest, TheBackendIsAhead) {
  AddHeader();
  AddEntry(MakeEntry(1, "a"));
  ExpectError("but entry 2 is in the backend", 2);
}

TEST_F(MeaningTest, AnUnknownType) {
  AddHeader();
  Add(static_cast<RecordType>(6), "what");
  ExpectError("unknown record type 6");
}

TEST_F(MeaningTest, OtherMetadata) {
  AddHeader();
  Add(RecordType::kMetadata, "another member");
  ExpectError("the metadata differ");
}

TEST_F(MeaningTest, NoMetadata) {
  AppendCrcRecord(&bytes_, 0);
  AddEntry(MakeEntry(1, "a"));
  ExpectError("the log does not start with metadata");
}

TEST_F(MeaningTest, ARecordThatIsNoEntry) {
  AddHeader();
  const uint64_t offset = bytes_.size();
  Add(RecordType::kEntry, EncodeSnapshot(WalSnapshot{}));
  ExpectError(".wal offset " + std::to_string(offset) + ": ");
}

// The type is not part of the sum.
TEST_F(MeaningTest, AStateWithTheTypeOfAnEntry) {
  for (const uint64_t term : {0, 1, 2, 3}) {
    bytes_.clear();
    crc_ = 0;
    AddHeader();
    AddEntry(MakeEntry(1, "a"));
    Add(RecordType::kEntry, raft::EncodeHardState(MakeState(term, 1)));
    EXPECT_EQ(Open().code(), Code::kDataLoss) << term;
  }
}

// The judgement of a tail by its bytes alone.
class TailTest : public ::testing::Test {
 protected:
  // 40 records of about 320 bytes, then zeros to 16 KiB.
  TailTest() {
    uint32_t crc = 0;
    for (int i = 0; i < 40; ++i) {
      starts_.push_back(bytes_.size());
      AppendRecord(&bytes_, RecordType::kEntry,
                   std::string(300, static_cast<char>('a' + i % 26)), &crc);
    }
    last_ = starts_.back();
    end_ = bytes_.size();
    bytes_.resize(16384);
  }
  void Zero(uint64_t begin, uint64_t end) {
    std::fill(bytes_.begin() + static_cast<ptrdiff_t>(begin),
              bytes_.begin() + static_cast<ptrdiff_t>(end), '\0');
  }
  Tail::Kind At(uint64_t offset, uint64_t max_batch = 1024) {
    return ExamineTail(bytes_, offset, max_batch).kind;
  }

  std::string bytes_;
  std::vector<uint64_t> starts_;
  uint64_t last_ = 0;
  uint64_t end_ = 0;
};

TEST_F(TailTest, Clean) { EXPECT_EQ(At(end_), Tail::Kind::kClean); }

TEST_F(TailTest, ALostLastSectorIsTorn) {
  // A record over the border of two sectors, the last one written.
  size_t over = 0;
  while (starts_[over] / kSectorBytes ==
         (starts_[over + 1] - 9) / kSectorBytes) {
    ++over;
  }
  const uint64_t border = (starts_[over] / kSectorBytes + 1) * kSectorBytes;
  Zero(border, end_);
  EXPECT_EQ(At(starts_[over]), Tail::Kind::kTorn);
  EXPECT_EQ(ExamineTail(bytes_, starts_[over], 1024).end, border);
}

TEST_F(TailTest, AWrongSumWithAllSectorsThereIsDamage) {
  bytes_[end_ - 100] ^= 1;
  EXPECT_EQ(At(last_), Tail::Kind::kDamaged);
}

TEST_F(TailTest, LaterRecordsProveDamageOnlyBeyondABatch) {
  const uint64_t lost = 8 * kSectorBytes;
  Zero(lost, lost + kSectorBytes);
  const uint64_t bad =
      *std::prev(std::upper_bound(starts_.begin(), starts_.end(), lost));
  EXPECT_EQ(At(bad, 1024), Tail::Kind::kDamaged);
  EXPECT_EQ(At(bad, 16384), Tail::Kind::kTorn);
}

TEST_F(TailTest, ALengthThatIsNoneIsDamage) {
  bytes_[last_ + 5] = 1;  // 2^40 bytes
  EXPECT_EQ(At(last_), Tail::Kind::kDamaged);
}

TEST_F(TailTest, ALengthThatTheBodyContradictsIsDamage) {
  const uint64_t whole = *std::find_if(
      starts_.begin(), starts_.end(),
      [](uint64_t start) { return start % kSectorBytes < kSectorBytes - 32; });
  Zero(whole + kSectorBytes, end_);
  StoreLittle64(&bytes_[whole], 8 * 100);  // reaches into the zeros
  EXPECT_EQ(At(whole), Tail::Kind::kDamaged);
}

TEST_F(TailTest, AZeroedLengthIsDamage) {
  Zero(last_, last_ + 8);
  EXPECT_EQ(At(last_), Tail::Kind::kDamaged);
}

TEST_F(TailTest, AFileThatEndsInARecordIsTorn) {
  bytes_.resize(end_ - 100);
  EXPECT_EQ(At(last_), Tail::Kind::kTorn);
}

}  // namespace
}  // namespace strata::wal
