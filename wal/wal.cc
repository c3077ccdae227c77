#include "wal/wal.h"

#include <algorithm>
#include <utility>

#include "wal/format.h"
#include "wal/reader.h"
#include "wal/recovery.h"
#include "wal/segment_preparer.h"
#include "wal/writer.h"

namespace strata {
namespace {

using wal::LogImage;
using wal::LogPoint;
using wal::Segment;
using wal::SegmentName;
using wal::SegmentPreparer;
using wal::Writer;

// The first records of a new log. `*crc` becomes their sum.
std::string FirstHeader(std::string_view metadata, uint32_t* crc) {
  std::string header;
  wal::AppendCrcRecord(&header, 0);
  wal::AppendRecord(&header, wal::RecordType::kMetadata, metadata, crc);
  wal::AppendRecord(&header, wal::RecordType::kSnapshot,
                    wal::EncodeSnapshot(WalSnapshot{}), crc);
  return header;
}

// A directory that is to become a log may be there, but empty.
Status CheckFree(Env* env, const std::string& directory) {
  if (!env->Exists(directory)) return Status::Ok();
  ASSIGN_OR_RETURN(const std::vector<std::string> files, env->List(directory));
  if (files.empty()) return Status::Ok();
  return Status(Code::kAlreadyExists,
                directory + ": cannot make a log where there is " + files[0]);
}

// Makes what was read durable: it may be in memory only, left by a process that
// was killed before its sync or, worse, after one that failed, when a new sync
// alone would do nothing. So the last batch is written again as it is.
Status SettleRecords(Env* env, const std::string& directory, File* tail,
                     const LogImage& image, uint64_t max_batch_bytes) {
  const uint64_t begin =
      std::min(image.last, image.end - std::min(image.end, max_batch_bytes));
  std::string batch(image.end - begin, '\0');
  RETURN_IF_ERROR(tail->ReadAt(begin, batch.size(), batch.data()));
  RETURN_IF_ERROR(tail->WriteAt(begin, batch));
  RETURN_IF_ERROR(tail->Sync());
  RETURN_IF_ERROR(env->SyncDir(directory));
  return env->SyncDir(DirName(directory));
}

// Everything behind the last record becomes zero.
Status CutTail(File* tail, const LogImage& image, const WalOptions& options) {
  const bool keep =
      options.planted_bugs != nullptr && options.planted_bugs->keep_torn_tail;
  if (image.torn_end == 0 || keep) return Status::Ok();
  const std::string zeros(image.torn_end - image.end, '\0');
  return tail->WriteAt(image.end, zeros);
}

// Those before the ones that are read, so that they can be released too.
std::vector<Segment> WithOlder(const std::vector<SegmentName>& names,
                               const std::string& directory,
                               std::vector<Segment> segments) {
  std::vector<Segment> all;
  for (const SegmentName& name : names) {
    if (name == segments.front().name) break;
    all.push_back(
        Segment{.name = name, .path = JoinPath(directory, name.ToString())});
  }
  std::move(segments.begin(), segments.end(), std::back_inserter(all));
  return all;
}

}  // namespace

StatusOr<std::unique_ptr<Wal>> Wal::Create(Env* env,
                                           const std::string& directory,
                                           std::string_view metadata,
                                           const WalOptions& options,
                                           Logger* logger) {
  RETURN_IF_ERROR(CheckFree(env, directory));
  const std::string temporary = directory + ".tmp";
  RETURN_IF_ERROR(env->RemoveAll(temporary));
  RETURN_IF_ERROR(env->MakeDirs(temporary));

  LogPoint point;
  const std::string header = FirstHeader(metadata, &point.crc);
  Segment segment;
  const std::string name = segment.name.ToString();
  ASSIGN_OR_RETURN(segment.file,
                   env->Open(JoinPath(temporary, name), OpenMode::kCreateNew));
  segment.path = JoinPath(directory, name);
  RETURN_IF_ERROR(segment.file->Lock());
  ASSIGN_OR_RETURN(
      std::shared_ptr<wal::ZeroFill> fill,
      SegmentPreparer::Fill(env, segment.file.get(), header.size(), options));
  File* file = segment.file.get();
  std::vector<Segment> segments;
  segments.push_back(std::move(segment));
  auto writer = std::make_unique<Writer>(env, directory, std::string(metadata),
                                         options, logger, std::move(segments),
                                         header.size(), point, std::move(fill));

  RETURN_IF_ERROR(file->WriteAt(0, header));
  if (options.fsync) {
    RETURN_IF_ERROR(file->Sync());
    RETURN_IF_ERROR(env->SyncDir(temporary));
  }
  RETURN_IF_ERROR(env->Rename(temporary, directory));
  if (options.fsync) RETURN_IF_ERROR(env->SyncDir(DirName(directory)));
  RETURN_IF_ERROR(writer->Init());
  return writer;
}

StatusOr<std::unique_ptr<Wal>> Wal::Open(Env* env, const std::string& directory,
                                         const WalSnapshot& start,
                                         LogIndex durable_index,
                                         const WalOptions& options,
                                         Logger* logger, WalContent* content) {
  ASSIGN_OR_RETURN(const std::vector<SegmentName> names,
                   wal::ListSegments(env, directory));
  ASSIGN_OR_RETURN(const std::vector<SegmentName> selected,
                   wal::SelectSegments(names, directory, start.index));
  ASSIGN_OR_RETURN(
      std::vector<Segment> segments,
      wal::OpenSegments(env, directory, selected, OpenMode::kReadWrite));
  ASSIGN_OR_RETURN(LogImage image,
                   wal::ReadLog(std::move(segments), start, durable_index,
                                options.max_batch_bytes));
  if (options.accept) RETURN_IF_ERROR(options.accept(image.content));
  File* const tail = image.segments.back().file.get();
  RETURN_IF_ERROR(CutTail(tail, image, options));
  if (options.fsync) {
    RETURN_IF_ERROR(
        SettleRecords(env, directory, tail, image, options.max_batch_bytes));
  }
  RETURN_IF_ERROR(SegmentPreparer::RemoveLeftovers(env, directory));
  const LogPoint point{.crc = image.crc,
                       .last_index = image.last_index,
                       .hard_state = image.content.hard_state};
  auto writer = std::make_unique<Writer>(
      env, directory, image.content.metadata, options, logger,
      WithOlder(names, directory, std::move(image.segments)), image.end, point,
      nullptr);
  RETURN_IF_ERROR(writer->Init());
  *content = std::move(image.content);
  return writer;
}

bool Wal::Exists(Env* env, const std::string& directory) {
  const StatusOr<std::vector<std::string>> files = env->List(directory);
  return files.ok() &&
         std::any_of(files->begin(), files->end(), [](const std::string& file) {
           return file.ends_with(".wal");
         });
}

StatusOr<std::vector<WalSnapshot>> Wal::ReadSnapshots(
    Env* env, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<SegmentName> names,
                   wal::ListSegments(env, directory));
  if (names.empty()) return NotFoundError(directory + ": no log");
  ASSIGN_OR_RETURN(std::vector<Segment> segments,
                   wal::OpenSegments(env, directory, wal::NewestRun(names),
                                     OpenMode::kReadOnly));
  wal::WalReader reader(std::move(segments));
  std::vector<WalSnapshot> snapshots;
  LogIndex commit;
  while (reader.Next()) {
    const wal::Record& record = reader.record();
    if (record.type == wal::RecordType::kSnapshot) {
      ASSIGN_OR_RETURN(WalSnapshot snapshot, wal::DecodeSnapshot(record.data));
      snapshots.push_back(std::move(snapshot));
    } else if (record.type == wal::RecordType::kState) {
      ASSIGN_OR_RETURN(const raft::HardState state,
                       raft::DecodeHardState(record.data));
      commit = state.commit;
    }
  }
  if (!reader.in_last_segment()) RETURN_IF_ERROR(reader.status());
  std::erase_if(snapshots, [&](const WalSnapshot& snapshot) {
    return snapshot.index > commit;
  });
  return snapshots;
}

}  // namespace strata
