#include "cmd/utl/log_walk.h"

#include <algorithm>
#include <utility>

#include "cmd/utl/progress.h"
#include "wal/wal.h"

namespace strata::utl {
namespace {

using wal::SegmentName;

// Segments without a gap between them.
class RunWalk {
 public:
  RunWalk(const std::string& directory, std::vector<SegmentName> names,
          std::vector<uint64_t> sizes, bool last_run,
          const std::function<bool(const LogPiece&)>& visit)
      : directory_(directory),
        names_(std::move(names)),
        sizes_(std::move(sizes)),
        last_run_(last_run),
        visit_(visit) {}

  // Returns at the first damage, with the number of segments that are done.
  StatusOr<size_t> Walk(std::vector<wal::Segment> segments, Progress* progress);

 private:
  bool ShowRecord(const wal::WalReader& reader);
  bool ShowZeros();
  void ShowEnd(const wal::WalReader& reader);
  const SegmentName& name() const { return names_[current_]; }

  const std::string& directory_;
  const std::vector<SegmentName> names_;
  const std::vector<uint64_t> sizes_;
  const bool last_run_;
  const std::function<bool(const LogPiece&)>& visit_;
  size_t current_ = 0;
  uint64_t end_ = 0;  // of what was shown of the current segment
};

bool RunWalk::ShowZeros() {
  if (end_ >= sizes_[current_]) return true;
  return visit_({.kind = LogPiece::Kind::kZeros,
                 .segment = name(),
                 .offset = end_,
                 .bytes = sizes_[current_] - end_});
}

bool RunWalk::ShowRecord(const wal::WalReader& reader) {
  const wal::Frame frame = wal::ParseFrame(reader.segment(), reader.offset());
  if (!visit_({.segment = name(),
               .offset = reader.offset(),
               .bytes = frame.bytes,
               .record = &reader.record()})) {
    return false;
  }
  end_ = reader.offset() + frame.bytes;
  return true;
}

// What stands where reading stopped.
void RunWalk::ShowEnd(const wal::WalReader& reader) {
  wal::Tail tail;
  const bool last = last_run_ && reader.in_last_segment();
  if (last && reader.offset() > 0) {
    tail = wal::ExamineTail(reader.segment(), reader.offset(),
                            WalOptions{}.max_batch_bytes);
  }
  if (last && tail.kind == wal::Tail::Kind::kTorn) {
    if (!visit_({.kind = LogPiece::Kind::kTorn,
                 .segment = name(),
                 .offset = end_,
                 .bytes = tail.end - end_})) {
      return;
    }
    end_ = tail.end;
    ShowZeros();
    return;
  }
  Status fault = reader.status();
  if (fault.ok() && tail.kind == wal::Tail::Kind::kDamaged) {
    fault = DataLossError(reader.path() + " offset " + std::to_string(end_) +
                          ": no record, but bytes after it");
  }
  if (fault.ok()) {
    ShowZeros();
    return;
  }
  visit_({.kind = LogPiece::Kind::kDamaged,
          .segment = name(),
          .offset = end_,
          .bytes = sizes_[current_] - end_,
          .fault = fault});
}

StatusOr<size_t> RunWalk::Walk(std::vector<wal::Segment> segments,
                               Progress* progress) {
  wal::WalReader reader(std::move(segments));
  const auto enter = [&] {  // the segment that the reader is in
    while (reader.path() != JoinPath(directory_, name().ToString())) {
      if (!ShowZeros()) return false;
      progress->Add(1);
      ++current_;
      end_ = 0;
    }
    return true;
  };
  while (reader.Next()) {
    if (!enter() || !ShowRecord(reader)) return names_.size();
  }
  if (!enter()) return names_.size();
  if (!reader.status().ok() && reader.status().code() != Code::kDataLoss) {
    return reader.status();
  }
  ShowEnd(reader);
  progress->Add(1);
  return current_ + 1;
}

// The end of the run of segments that begins at `first`.
size_t RunEnd(const std::vector<SegmentName>& names, size_t first) {
  size_t end = first + 1;
  while (end < names.size() &&
         names[end].sequence == names[end - 1].sequence + 1) {
    ++end;
  }
  return end;
}

}  // namespace

StatusOr<std::vector<wal::Segment>> OpenLog(
    Env* env, const std::string& directory,
    const std::vector<SegmentName>& names) {
  ASSIGN_OR_RETURN(auto segments, wal::OpenSegments(env, directory, names,
                                                    OpenMode::kReadOnly));
  for (const wal::Segment& segment : segments) {
    RETURN_IF_ERROR(segment.file->Lock());
  }
  return segments;
}

Status WalkLog(const Context& context, const std::string& directory,
               const std::function<bool(const LogPiece&)>& visit) {
  ASSIGN_OR_RETURN(const std::vector<SegmentName> names,
                   wal::ListSegments(context.env, directory));
  if (names.empty()) return NotFoundError(directory + ": no log segment");
  Progress progress(context, "reading", "segments", names.size());
  Status missing;
  bool go_on = true;
  const auto show = [&](const LogPiece& piece) {
    go_on = go_on && visit(piece);
    return go_on;
  };
  for (size_t first = 0; first < names.size() && go_on;) {
    const size_t end = RunEnd(names, first);
    const std::vector<SegmentName> run(names.begin() + first,
                                       names.begin() + end);
    ASSIGN_OR_RETURN(auto segments, OpenLog(context.env, directory, run));
    std::vector<uint64_t> sizes;
    for (const wal::Segment& segment : segments) {
      ASSIGN_OR_RETURN(const uint64_t size, segment.file->Size());
      sizes.push_back(size);
    }
    RunWalk walk(directory, run, std::move(sizes), end == names.size(), show);
    ASSIGN_OR_RETURN(const size_t done,
                     walk.Walk(std::move(segments), &progress));
    first += done;
    if (first == end && end < names.size() && missing.ok()) {
      missing = DataLossError(JoinPath(directory, names[end].ToString()) +
                              ": the segment before it is missing");
    }
  }
  return missing;
}

}  // namespace strata::utl
