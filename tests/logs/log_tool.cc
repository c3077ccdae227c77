// For etcd_log_test.py, on a member directory (of a server that is stopped):
//
//   log_tool reencode MEMBER   takes every record and .snap file apart, encodes
//                              what was understood and compares the bytes
//   log_tool rewrite MEMBER SEGMENT_BYTES [release]
//                              replaces the log and the newest .snap file by
//                              ones made anew; without the segments and .snap
//                              files that are not needed, if `release`
//
// Prints what it saw, one "name number" per line; exit code 1 on an error.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "raft/types.h"
#include "snapshot/snap_file.h"
#include "wal/format.h"
#include "wal/reader.h"
#include "wal/wal.h"

namespace strata {
namespace {

using wal::RecordType;

constexpr uint64_t kFileBytesMax = 1 << 30;

class Tool {
 public:
  explicit Tool(std::string member) : member_(std::move(member)) {}

  Status Reencode();
  Status Rewrite(uint64_t segment_bytes, bool release);

 private:
  Status ReencodeSegment(const wal::SegmentName& name);
  StatusOr<std::string> ReencodeData(const wal::Record& record);
  StatusOr<std::string> ReencodeEntry(std::string_view data);
  Status ReencodeSnap(const std::string& path);
  StatusOr<std::optional<RaftSnapshot>> NewestSnap();
  Status MakeLog(const std::string& metadata, const WalContent& content,
                 const WalSnapshot& start, uint64_t segment_bytes,
                 bool release);

  std::string wal_path() const { return JoinPath(member_, "wal"); }
  std::string snap_path() const { return JoinPath(member_, "snap"); }

  Env* const env_ = Env::Posix();
  const std::string member_;
  uint32_t crc_ = 0;  // the sum so far, by our own encoder
  bool begun_ = false;
};

StatusOr<std::string> Tool::ReencodeEntry(std::string_view data) {
  ASSIGN_OR_RETURN(raft::Entry entry, raft::DecodeEntry(data));
  if (entry.type == raft::EntryType::kConfChange) {
    ASSIGN_OR_RETURN(const raft::ConfChange change,
                     raft::DecodeConfChange(entry.data));
    if (raft::EncodeConfChange(change) != entry.data) {
      return DataLossError("a ConfChange encodes to other bytes");
    }
    if (!change.context.empty()) {
      ASSIGN_OR_RETURN(const MemberRecord member,
                       DecodeMemberJson(change.context));
      if (EncodeMemberJson(member) != change.context) {
        return DataLossError("a member's JSON encodes to " +
                             EncodeMemberJson(member) + ", not " +
                             change.context);
      }
    }
    std::cout << "confchange 1\n";
  }
  return raft::EncodeEntry(entry);
}

StatusOr<std::string> Tool::ReencodeData(const wal::Record& record) {
  std::cout << wal::RecordTypeName(record.type) << " 1\n";
  if (record.type == RecordType::kEntry) return ReencodeEntry(record.data);
  if (record.type == RecordType::kState) {
    ASSIGN_OR_RETURN(const auto state, raft::DecodeHardState(record.data));
    return raft::EncodeHardState(state);
  }
  if (record.type == RecordType::kSnapshot) {
    ASSIGN_OR_RETURN(const auto snapshot, wal::DecodeSnapshot(record.data));
    return wal::EncodeSnapshot(snapshot);
  }
  return std::string(record.data);  // metadata is the server's
}

Status Tool::ReencodeSegment(const wal::SegmentName& name) {
  ASSIGN_OR_RETURN(auto segments, wal::OpenSegments(env_, wal_path(), {name},
                                                    OpenMode::kReadOnly));
  wal::WalReader reader(std::move(segments));
  std::string made;
  while (reader.Next()) {
    const wal::Record& record = reader.record();
    if (record.type == RecordType::kCrc) {
      std::cout << "crc 1\n";
      if (!begun_) crc_ = record.crc;  // etcd may have released those before
      begun_ = true;
      wal::AppendCrcRecord(&made, crc_);
      continue;
    }
    ASSIGN_OR_RETURN(const std::string data, ReencodeData(record));
    wal::AppendRecord(&made, record.type, data, &crc_);
  }
  RETURN_IF_ERROR(reader.status());
  if (made != reader.segment().substr(0, reader.offset())) {
    return DataLossError(reader.path() + " encodes to other bytes");
  }
  std::cout << "segments 1\nbytes " << made.size() << "\n";
  return Status::Ok();
}

Status Tool::ReencodeSnap(const std::string& path) {
  ASSIGN_OR_RETURN(const RaftSnapshot snapshot, ReadSnapFile(env_, path));
  const std::string copy = JoinPath(snap_path(), "copy");
  RETURN_IF_ERROR(env_->MakeDirs(copy));
  RETURN_IF_ERROR(WriteSnapFile(env_, copy, snapshot));
  ASSIGN_OR_RETURN(const auto names, env_->List(copy));
  ASSIGN_OR_RETURN(const std::string made,
                   ReadFile(env_, JoinPath(copy, names[0]), kFileBytesMax));
  ASSIGN_OR_RETURN(const std::string there,
                   ReadFile(env_, path, kFileBytesMax));
  RETURN_IF_ERROR(env_->RemoveAll(copy));
  if (made != there || !path.ends_with(names[0])) {
    return DataLossError(path + " encodes to other bytes");
  }
  ASSIGN_OR_RETURN(const Membership membership, DecodeV2Store(snapshot.data));
  std::cout << "snapshots 1\n"
            << "v2theirs " << snapshot.data << "\n"
            << "v2ours " << EncodeV2Store(membership, snapshot.index) << "\n";
  return Status::Ok();
}

Status Tool::Reencode() {
  ASSIGN_OR_RETURN(const auto segments, wal::ListSegments(env_, wal_path()));
  for (const auto& name : segments) RETURN_IF_ERROR(ReencodeSegment(name));
  ASSIGN_OR_RETURN(const auto names, env_->List(snap_path()));
  for (const std::string& name : names) {
    if (!name.ends_with(".snap")) continue;
    RETURN_IF_ERROR(ReencodeSnap(JoinPath(snap_path(), name)));
  }
  return Status::Ok();
}

StatusOr<std::optional<RaftSnapshot>> Tool::NewestSnap() {
  ASSIGN_OR_RETURN(const auto records, Wal::ReadSnapshots(env_, wal_path()));
  std::vector<DamagedSnapFile> damaged;
  return LoadNewestSnapFile(
      env_, snap_path(),
      [&](Term term, LogIndex index) {
        return std::any_of(records.begin(), records.end(), [&](const auto& r) {
          return r.index == index && r.term == term;
        });
      },
      &damaged);
}

Status Tool::MakeLog(const std::string& metadata, const WalContent& content,
                     const WalSnapshot& start, uint64_t segment_bytes,
                     bool release) {
  const WalOptions options{.segment_bytes = segment_bytes};
  ASSIGN_OR_RETURN(auto wal, Wal::Create(env_, wal_path(), metadata, options,
                                         Logger::Null()));
  raft::HardState state = content.hard_state;
  for (const raft::Entry& entry : content.entries) {
    state.term = entry.term;
    state.commit = entry.index;
    wal->Append(std::span(&entry, 1), state);
    if (entry.index == start.index) wal->AppendSnapshot(start);
    RETURN_IF_ERROR(wal->Sync());
  }
  if (release) RETURN_IF_ERROR(wal->ReleaseTo(start.index, 1));
  std::cout << "segments " << wal->GetStats().segments << "\n";
  return Status::Ok();
}

Status Tool::Rewrite(uint64_t segment_bytes, bool release) {
  ASSIGN_OR_RETURN(const auto snap, NewestSnap());
  WalContent content;
  ASSIGN_OR_RETURN(auto wal,
                   Wal::Open(env_, wal_path(), WalSnapshot{}, LogIndex(0),
                             WalOptions{}, Logger::Null(), &content));
  wal.reset();
  WalSnapshot start;
  if (snap.has_value()) {
    start = {.index = snap->index, .term = snap->term};
    RaftSnapshot made = *snap;
    ASSIGN_OR_RETURN(const Membership membership, DecodeV2Store(made.data));
    made.data = EncodeV2Store(membership, made.index);
    RETURN_IF_ERROR(WriteSnapFile(env_, snap_path(), made));
    if (release) RETURN_IF_ERROR(RemoveOldSnapFiles(env_, snap_path(), 1));
  }
  RETURN_IF_ERROR(env_->RemoveAll(wal_path()));
  return MakeLog(content.metadata, content, start, segment_bytes, release);
}

Status Run(const std::vector<std::string>& arguments) {
  if (arguments.size() >= 2 && arguments[0] == "reencode") {
    return Tool(arguments[1]).Reencode();
  }
  if (arguments.size() >= 3 && arguments[0] == "rewrite") {
    return Tool(arguments[1])
        .Rewrite(std::strtoull(arguments[2].c_str(), nullptr, 10),
                 arguments.size() > 3);
  }
  return InvalidArgumentError("usage: see the source");
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) {
  const strata::Status status =
      strata::Run(std::vector<std::string>(argv + 1, argv + argc));
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
