#include "cmd/utl/log_check.h"

#include <utility>

#include "cmd/utl/log_walk.h"
#include "server/command.h"
#include "wal/recovery.h"

namespace strata::utl {
namespace {

using Kind = LogPiece::Kind;

// One pass over the bytes: counts, snapshots, and damage wherever it is.
Status LookAtBytes(const Context& context, const std::string& directory,
                   LogReport* report) {
  return WalkLog(context, directory, [&](const LogPiece& piece) {
    if (piece.offset == 0) ++report->segments;
    if (piece.kind == Kind::kDamaged) report->faults.push_back(piece.fault);
    if (piece.kind != Kind::kRecord) return true;
    ++report->records;
    if (piece.record->type == wal::RecordType::kMetadata) {
      report->metadata = piece.record->data;
    } else if (piece.record->type == wal::RecordType::kSnapshot) {
      auto snapshot = wal::DecodeSnapshot(piece.record->data);
      if (snapshot.ok()) report->snapshots.push_back(std::move(*snapshot));
    } else if (piece.record->type == wal::RecordType::kEntry) {
      const auto entry = raft::DecodeEntry(piece.record->data);
      if (!entry.ok()) return true;  // the second pass says so
      if (report->first_index == LogIndex()) report->first_index = entry->index;
      report->last_index = entry->index;
    }
    return true;
  });
}

// That each entry is a request or a change of members.
void LookAtRequests(const std::string& directory, LogReport* report) {
  for (const raft::Entry& entry : report->entries) {
    const auto command = DecodeCommand(entry);
    if (command.status().code() == Code::kDataLoss) {
      report->faults.push_back(command.status().WithContext(directory));
    }
  }
}

// The oldest snapshot from which all that is there can be read.
StatusOr<WalSnapshot> OldestStart(const std::string& directory,
                                  const wal::SegmentName& first,
                                  const LogReport& report) {
  for (const WalSnapshot& snapshot : report.snapshots) {
    if (snapshot.index + 1 >= first.first_index) return snapshot;
  }
  return DataLossError(JoinPath(directory, first.ToString()) +
                       " offset 0: no record of a snapshot to start from");
}

}  // namespace

StatusOr<LogReport> CheckLog(const Context& context,
                             const std::string& directory, LogIndex applied) {
  LogReport report;
  const Status walked = LookAtBytes(context, directory, &report);
  if (walked.code() == Code::kDataLoss) {
    report.faults.push_back(walked);
  } else {
    RETURN_IF_ERROR(walked);
  }
  ASSIGN_OR_RETURN(const auto names, wal::ListSegments(context.env, directory));
  const auto run = wal::NewestRun(names);
  const auto start = OldestStart(directory, run.front(), report);
  if (!start.ok()) report.faults.push_back(start.status());
  if (!report.whole()) return report;
  ASSIGN_OR_RETURN(auto segments, OpenLog(context.env, directory, run));
  auto image = wal::ReadLog(std::move(segments), *start, applied,
                            WalOptions{}.max_batch_bytes);
  if (!image.ok()) {
    if (image.status().code() != Code::kDataLoss) return image.status();
    report.faults.push_back(image.status());
    return report;
  }
  report.hard_state = image->content.hard_state;
  report.last_index = image->last_index;
  report.entries = std::move(image->content.entries);
  report.torn = image->content.cut_tail.value_or("");
  LookAtRequests(directory, &report);
  return report;
}

}  // namespace strata::utl
