#include "base/bytes.h"
#include "base/wire.h"
#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/describe.h"
#include "cmd/utl/log_walk.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"

namespace strata::utl {
namespace {

using Kind = LogPiece::Kind;

struct Options {
  Target target;
  std::string type;
  uint64_t from = 0;
  uint64_t limit = 0;
};

// A record taken apart.
struct Parts {
  Json index = {};
  Json term = {};
  std::string meaning = {};
};

std::string CrcText(uint32_t crc) {
  std::string bytes(sizeof crc, '\0');
  StoreBig32(bytes.data(), crc);
  return ToHex(bytes);
}

std::string MetadataText(std::string_view data) {
  wire::Reader reader(data);
  wire::Field field;
  std::string text;
  while (reader.Next(&field)) {
    if (field.number == 1) text += "member " + HexId(field.varint);
    if (field.number == 2) text += ", cluster " + HexId(field.varint);
  }
  return reader.ok() ? text : Printable(data);
}

std::string IdsText(const char* what, const std::vector<MemberId>& ids) {
  std::string text;
  for (const MemberId id : ids) text += " " + HexId(id.value());
  return text.empty() ? "" : std::string(", ") + what + text;
}

Parts EntryParts(std::string_view data) {
  const auto entry = raft::DecodeEntry(data);
  if (!entry.ok()) return {nullptr, nullptr, entry.status().message()};
  std::string meaning = DescribeEntry(*entry);
  if (entry->type != raft::EntryType::kNormal) {
    meaning = EntryTypeName(entry->type) + ": " + meaning;
  }
  return {entry->index.value(), entry->term.value(), meaning};
}

Parts StateParts(std::string_view data) {
  const auto state = raft::DecodeHardState(data);
  if (!state.ok()) return {nullptr, nullptr, state.status().message()};
  return {nullptr, state->term.value(),
          "vote " + HexId(state->vote.value()) + ", commit " +
              std::to_string(state->commit.value())};
}

Parts SnapshotParts(std::string_view data) {
  const auto snapshot = wal::DecodeSnapshot(data);
  if (!snapshot.ok()) return {nullptr, nullptr, snapshot.status().message()};
  std::string meaning = "the state up to here is in a .snap file";
  if (snapshot->index == LogIndex()) meaning = "the beginning";
  if (snapshot->conf_state) {
    meaning += IdsText("voters", snapshot->conf_state->voters) +
               IdsText("learners", snapshot->conf_state->learners);
  }
  return {snapshot->index.value(), snapshot->term.value(), meaning};
}

Parts RecordParts(const wal::Record& record) {
  switch (record.type) {
    case wal::RecordType::kMetadata:
      return {nullptr, nullptr, MetadataText(record.data)};
    case wal::RecordType::kEntry:
      return EntryParts(record.data);
    case wal::RecordType::kState:
      return StateParts(record.data);
    case wal::RecordType::kCrc:
      return {nullptr, nullptr, "the sum of the segments before"};
    case wal::RecordType::kSnapshot:
      return SnapshotParts(record.data);
  }
  return {nullptr, nullptr, "of no known type"};
}

class Dumper {
 public:
  Dumper(const Context& context, const Options& options)
      : options_(options),
        faults_(context),
        rows_(context, {{"segment", 7},
                        {"offset", 9},
                        {"bytes", 7},
                        {"type", 8},
                        {"crc", 8},
                        {"index", 6},
                        {"term", 4},
                        {"meaning", 0}}) {}

  bool Add(const LogPiece& piece) {
    if (piece.kind == Kind::kRecord) return AddRecord(piece);
    if (piece.kind == Kind::kDamaged) faults_.Add(piece.fault);
    if (!options_.type.empty()) return true;
    if (piece.kind == Kind::kZeros) {
      AddRow(piece, "zeros", nullptr, {.meaning = "not used yet"});
    } else if (piece.kind == Kind::kTorn) {
      AddRow(piece, "torn", nullptr,
             {.meaning = "a write that was cut short; a start cuts it off"});
    } else {
      AddRow(piece, "damaged", nullptr, {.meaning = piece.fault.message()});
    }
    return true;
  }

  Status Finish(const std::string& path, const Status& walked) {
    rows_.Finish();
    RETURN_IF_ERROR(walked);
    return faults_.Result(path);
  }

 private:
  bool AddRecord(const LogPiece& piece) {
    const std::string type(wal::RecordTypeName(piece.record->type));
    if (!options_.type.empty() && options_.type != type) return true;
    const Parts parts = RecordParts(*piece.record);
    if (options_.from > 0 && (!parts.index.is_number() ||
                              parts.index.get<uint64_t>() < options_.from)) {
      return true;
    }
    AddRow(piece, type, CrcText(piece.record->crc), parts);
    return options_.limit == 0 || ++shown_ < options_.limit;
  }

  void AddRow(const LogPiece& piece, const std::string& type, const Json& crc,
              const Parts& parts) {
    rows_.Add({piece.segment.sequence, piece.offset, piece.bytes, type, crc,
               parts.index, parts.term, parts.meaning});
  }

  const Options& options_;
  FaultLog faults_;
  Rows rows_;
  uint64_t shown_ = 0;
};

Status DumpLog(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const std::string path,
                   WalPath(context.env, options.target));
  Dumper dumper(context, options);
  const Status walked = WalkLog(
      context, path, [&](const LogPiece& piece) { return dumper.Add(piece); });
  return dumper.Finish(path, walked);
}

}  // namespace

void AddWalDump(CLI::App* wal, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      wal, "dump", "Print every record: where it is and what it says");
  AddTarget(command, &options->target, "DIRECTORY");
  AddChoice(command, "--type", &options->type,
            {"metadata", "entry", "state", "crc", "snapshot"},
            "only records of this type");
  AddOption(command, "--from", &options->from,
            "only entries and snapshots from this index on");
  AddOption(command, "--limit", &options->limit, "so many records at most");
  SetNotes(
      command,
      "DIRECTORY is member/wal or a data directory. Behind the last record it\n"
      "says whether zeros follow, a torn write, or damage. Example, the\n"
      "requests from entry 100 on:\n\n"
      "  stratautl wal dump --type entry --from 100 --data-dir data");
  Choose(command, options, DumpLog, chosen);
}

}  // namespace strata::utl
