#include "snapshot/snap_file.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/wire.h"

namespace strata {
namespace {

// snappb.Snapshot, around raftpb.Snapshot and its metadata.
enum WrapperField : uint32_t { kCrc = 1, kWrapped = 2 };
enum SnapshotField : uint32_t { kData = 1, kMetadata = 2 };
enum MetadataField : uint32_t { kConfState = 1, kIndex = 2, kTerm = 3 };

constexpr std::string_view kSuffix = ".snap";
// The JSON of a cluster's members; etcd 3.4's with a full history is below 1
// MB.
constexpr uint64_t kMaxSnapFileBytes = 64 << 20;

struct SnapName {
  Term term = {};
  LogIndex index = {};
};

std::string FileName(Term term, LogIndex index) {
  std::string bytes;
  AppendBig64(&bytes, term.value());
  AppendBig64(&bytes, index.value());
  const std::string hex = ToHex(bytes);
  return hex.substr(0, 16) + "-" + hex.substr(16) + std::string(kSuffix);
}

std::optional<SnapName> ParseName(std::string_view name) {
  std::string term;
  std::string index;
  if (name.size() != 33 + kSuffix.size() || !name.ends_with(kSuffix) ||
      name[16] != '-' || !FromHex(name.substr(0, 16), &term) ||
      !FromHex(name.substr(17, 16), &index)) {
    return std::nullopt;
  }
  return SnapName{.term = Term(LoadBig64(term.data())),
                  .index = LogIndex(LoadBig64(index.data()))};
}

// The names of snapshots, newest first.
StatusOr<std::vector<std::string>> ListSnapFiles(Env* env,
                                                 const std::string& directory) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, env->List(directory));
  std::erase_if(names, [](const std::string& name) {
    return !ParseName(name).has_value();
  });
  std::reverse(names.begin(), names.end());
  return names;
}

std::string Encode(const RaftSnapshot& snapshot) {
  std::string metadata;
  wire::AppendBytes(&metadata, kConfState,
                    raft::EncodeConfState(snapshot.conf_state));
  wire::AppendUint(&metadata, kIndex, snapshot.index.value());
  wire::AppendUint(&metadata, kTerm, snapshot.term.value());
  std::string message;
  if (!snapshot.data.empty()) {
    wire::AppendBytes(&message, kData, snapshot.data);
  }
  wire::AppendBytes(&message, kMetadata, metadata);
  std::string file;
  wire::AppendUint(&file, kCrc, crc32c::Value(message));
  wire::AppendBytes(&file, kWrapped, message);
  return file;
}

Status DecodeMetadata(std::string_view bytes, RaftSnapshot* snapshot) {
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == kConfState && field.type == wire::Type::kBytes) {
      ASSIGN_OR_RETURN(snapshot->conf_state,
                       raft::DecodeConfState(field.bytes));
    } else if (field.number == kIndex && field.type == wire::Type::kVarint) {
      snapshot->index = LogIndex(field.varint);
    } else if (field.number == kTerm && field.type == wire::Type::kVarint) {
      snapshot->term = Term(field.varint);
    }
  }
  if (!reader.ok() || snapshot->index == LogIndex(0)) {
    return DataLossError("the metadata are damaged");
  }
  return Status::Ok();
}

// The message inside, once its sum is checked.
StatusOr<std::string_view> Unwrap(std::string_view file) {
  std::string_view message;
  uint64_t crc = 0;
  wire::Reader reader(file);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == kCrc) crc = field.varint;
    if (field.number == kWrapped) message = field.bytes;
  }
  if (!reader.ok() || message.empty()) {
    return DataLossError("the bytes are no snapshot");
  }
  if (crc != crc32c::Value(message)) return DataLossError("crc mismatch");
  return message;
}

StatusOr<RaftSnapshot> Decode(std::string_view file) {
  ASSIGN_OR_RETURN(const std::string_view message, Unwrap(file));
  RaftSnapshot snapshot;
  std::string_view metadata;
  wire::Reader reader(message);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.type != wire::Type::kBytes) continue;
    if (field.number == kData) snapshot.data.assign(field.bytes);
    if (field.number == kMetadata) metadata = field.bytes;
  }
  if (!reader.ok()) return DataLossError("the bytes are no snapshot");
  RETURN_IF_ERROR(DecodeMetadata(metadata, &snapshot));
  return snapshot;
}

}  // namespace

Status WriteSnapFile(Env* env, const std::string& directory,
                     const RaftSnapshot& snapshot) {
  return WriteFileAtomically(
      env, JoinPath(directory, FileName(snapshot.term, snapshot.index)),
      Encode(snapshot));
}

StatusOr<RaftSnapshot> ReadSnapFile(Env* env, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string file,
                   ReadFile(env, path, kMaxSnapFileBytes));
  StatusOr<RaftSnapshot> snapshot = Decode(file);
  if (!snapshot.ok()) return snapshot.status().WithContext(path);
  return snapshot;
}

StatusOr<std::optional<RaftSnapshot>> LoadNewestSnapFile(
    Env* env, const std::string& directory,
    const std::function<bool(Term, LogIndex)>& acceptable,
    std::vector<DamagedSnapFile>* damaged) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   ListSnapFiles(env, directory));
  for (const std::string& name : names) {
    const std::optional<SnapName> parsed = ParseName(name);
    if (!acceptable(parsed->term, parsed->index)) continue;
    const std::string path = JoinPath(directory, name);
    StatusOr<RaftSnapshot> snapshot = ReadSnapFile(env, path);
    if (snapshot.ok() && snapshot->index == parsed->index &&
        snapshot->term == parsed->term) {
      return std::optional<RaftSnapshot>(*std::move(snapshot));
    }
    damaged->push_back(
        {.path = path,
         .error = snapshot.ok()
                      ? DataLossError(path + ": it is of another entry")
                      : snapshot.status()});
  }
  return std::optional<RaftSnapshot>();
}

Status SetAside(Env* env, const std::vector<DamagedSnapFile>& damaged,
                Logger* logger) {
  for (const DamagedSnapFile& file : damaged) {
    logger->Warn("a raft snapshot is damaged; renamed to .broken",
                 {{"path", file.path}, {"error", file.error}});
    RETURN_IF_ERROR(env->Rename(file.path, file.path + ".broken"));
  }
  return Status::Ok();
}

Status RemoveOldSnapFiles(Env* env, const std::string& directory,
                          uint64_t keep) {
  if (keep == 0) return Status::Ok();
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   ListSnapFiles(env, directory));
  for (size_t i = keep; i < names.size(); ++i) {
    RETURN_IF_ERROR(env->Remove(JoinPath(directory, names[i])));
  }
  return Status::Ok();
}

}  // namespace strata
