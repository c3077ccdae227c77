#include "wal/segment_preparer.h"

#include <utility>

namespace strata::wal {
namespace {

std::string TemporaryName(uint64_t sequence) {
  return std::to_string(sequence % 2) + ".tmp";
}

}  // namespace

SegmentPreparer::SegmentPreparer(Env* env, std::string directory,
                                 const WalOptions& options, Logger* logger)
    : env_(env),
      directory_(std::move(directory)),
      options_(options),
      logger_(logger) {}

SegmentPreparer::~SegmentPreparer() {
  if (ready_.file != nullptr) Discard(std::move(ready_));
}

void SegmentPreparer::Discard(PreparedSegment segment) {
  if (segment.fill != nullptr) segment.fill->Stop();
  segment.file.reset();
  // A leftover does no harm: the next open removes it.
  env_->Remove(segment.path).IgnoreError();
}

StatusOr<std::shared_ptr<ZeroFill>> SegmentPreparer::Fill(
    Env* env, File* file, uint64_t begin, const WalOptions& options) {
  RETURN_IF_ERROR(file->Allocate(options.segment_bytes));
  std::shared_ptr<ZeroFill> fill;
  if (options.background != nullptr && options.fsync) {
    ASSIGN_OR_RETURN(auto own, env->Open(file->path(), OpenMode::kReadWrite));
    fill = std::make_shared<ZeroFill>(std::move(own), begin,
                                      options.segment_bytes, options.background,
                                      options.prewrite_bytes_per_second);
    fill->Start();
  }
  return fill;
}

StatusOr<PreparedSegment> SegmentPreparer::Make(uint64_t sequence) {
  PreparedSegment segment{.path =
                              JoinPath(directory_, TemporaryName(sequence))};
  ASSIGN_OR_RETURN(segment.file,
                   env_->Open(segment.path, OpenMode::kCreateNew));
  if (Status status = Prepare(&segment); !status.ok()) {
    Discard(std::move(segment));
    return status;
  }
  return segment;
}

Status SegmentPreparer::Prepare(PreparedSegment* segment) {
  RETURN_IF_ERROR(segment->file->Lock());
  ASSIGN_OR_RETURN(segment->fill, Fill(env_, segment->file.get(), 0, options_));
  return Status::Ok();
}

void SegmentPreparer::Start(uint64_t sequence) {
  if (options_.background == nullptr) return;
  StatusOr<PreparedSegment> segment = Make(sequence);
  if (segment.ok()) {
    ready_ = *std::move(segment);
  } else {
    logger_->Warn("the next log segment cannot be prepared yet",
                  {{"directory", directory_}, {"error", segment.status()}});
  }
}

StatusOr<PreparedSegment> SegmentPreparer::Take(uint64_t sequence) {
  if (ready_.file == nullptr) return Make(sequence);
  PreparedSegment ready = std::exchange(ready_, PreparedSegment{});
  if (ready.fill == nullptr || ready.fill->status().ok()) return ready;
  // Not this one, at no time: what it has on the disk is not known.
  logger_->Warn("the next log segment could not be filled: making another",
                {{"path", ready.path}, {"error", ready.fill->status()}});
  Discard(std::move(ready));
  return Make(sequence);
}

Status SegmentPreparer::RemoveLeftovers(Env* env,
                                        const std::string& directory) {
  for (uint64_t parity : {0, 1}) {
    const std::string path = JoinPath(directory, TemporaryName(parity));
    if (env->Exists(path)) RETURN_IF_ERROR(env->Remove(path));
  }
  return Status::Ok();
}

}  // namespace strata::wal
