#include "raft/types.h"

#include "base/wire.h"

namespace strata::raft {
namespace {

// raftpb's fields. Each is written even when zero, in this order; only bytes
// that are empty are left out.
enum EntryField : uint32_t {
  kEntryType = 1,
  kEntryTerm = 2,
  kEntryIndex = 3,
  kEntryData = 4,
};
enum HardStateField : uint32_t {
  kHardStateTerm = 1,
  kHardStateVote = 2,
  kHardStateCommit = 3,
};
enum ConfStateField : uint32_t {
  kVoters = 1,
  kLearners = 2,
  kVotersOutgoing = 3,
  kLearnersNext = 4,
  kAutoLeave = 5,
};
enum ConfChangeField : uint32_t {
  kChangeId = 1,
  kChangeType = 2,
  kChangeNode = 3,
  kChangeContext = 4,
};
enum ConfChangeV2Field : uint32_t {
  kTransition = 1,
  kChanges = 2,
  kV2Context = 3,
};
enum ConfChangeSingleField : uint32_t {
  kSingleType = 1,
  kSingleNode = 2,
};
enum SnapshotField : uint32_t {
  kSnapshotData = 1,
  kSnapshotMetadata = 2,
};
enum SnapshotMetadataField : uint32_t {
  kMetadataConfState = 1,
  kMetadataIndex = 2,
  kMetadataTerm = 3,
};

using wire::Field;
using wire::Type;

Status NoSuchMessage(std::string_view name) {
  return DataLossError("the bytes are no raftpb." + std::string(name));
}

void AppendMembers(std::string* out, uint32_t field,
                   const std::vector<MemberId>& members) {
  for (MemberId member : members) {
    wire::AppendUint(out, field, member.value());
  }
}

// One member, or many packed into one field.
bool TakeMembers(const Field& field, std::vector<MemberId>* members) {
  if (field.type == Type::kVarint) {
    members->push_back(MemberId(field.varint));
    return true;
  }
  if (field.type != Type::kBytes) return false;
  std::string_view rest = field.bytes;
  uint64_t value = 0;
  while (!rest.empty()) {
    if (!ConsumeVarint64(&rest, &value)) return false;
    members->push_back(MemberId(value));
  }
  return true;
}

}  // namespace

void AppendEntry(std::string* out, const Entry& entry) {
  wire::AppendUint(out, kEntryType, static_cast<uint64_t>(entry.type));
  wire::AppendUint(out, kEntryTerm, entry.term.value());
  wire::AppendUint(out, kEntryIndex, entry.index.value());
  if (!entry.data.empty()) wire::AppendBytes(out, kEntryData, entry.data);
}

std::string EncodeEntry(const Entry& entry) {
  std::string out;
  AppendEntry(&out, entry);
  return out;
}

StatusOr<Entry> DecodeEntry(std::string_view bytes) {
  Entry entry;
  wire::Reader reader(bytes);
  Field field;
  uint32_t seen = 0;
  while (reader.Next(&field)) {
    const bool number = field.type == Type::kVarint;
    if (field.number == kEntryType && number && field.varint <= 2) {
      entry.type = static_cast<EntryType>(field.varint);
    } else if (field.number == kEntryTerm && number) {
      entry.term = Term(field.varint);
    } else if (field.number == kEntryIndex && number) {
      entry.index = LogIndex(field.varint);
    } else if (field.number == kEntryData && field.type == Type::kBytes) {
      entry.data.assign(field.bytes);
    } else {
      return NoSuchMessage("Entry");
    }
    seen |= 1U << field.number;
  }
  constexpr uint32_t kNeeded =
      1U << kEntryType | 1U << kEntryTerm | 1U << kEntryIndex;
  if (!reader.ok() || (seen & kNeeded) != kNeeded) {
    return NoSuchMessage("Entry");
  }
  return entry;
}

std::string EncodeHardState(const HardState& state) {
  std::string out;
  wire::AppendUint(&out, kHardStateTerm, state.term.value());
  wire::AppendUint(&out, kHardStateVote, state.vote.value());
  wire::AppendUint(&out, kHardStateCommit, state.commit.value());
  return out;
}

StatusOr<HardState> DecodeHardState(std::string_view bytes) {
  HardState state;
  wire::Reader reader(bytes);
  Field field;
  uint32_t seen = 0;
  while (reader.Next(&field)) {
    if (field.type != Type::kVarint) return NoSuchMessage("HardState");
    if (field.number == kHardStateTerm) {
      state.term = Term(field.varint);
    } else if (field.number == kHardStateVote) {
      state.vote = MemberId(field.varint);
    } else if (field.number == kHardStateCommit) {
      state.commit = LogIndex(field.varint);
    } else {
      return NoSuchMessage("HardState");
    }
    seen |= 1U << field.number;
  }
  constexpr uint32_t kNeeded =
      1U << kHardStateTerm | 1U << kHardStateVote | 1U << kHardStateCommit;
  if (!reader.ok() || seen != kNeeded) return NoSuchMessage("HardState");
  return state;
}

std::string EncodeConfState(const ConfState& state) {
  std::string out;
  AppendMembers(&out, kVoters, state.voters);
  AppendMembers(&out, kLearners, state.learners);
  AppendMembers(&out, kVotersOutgoing, state.voters_outgoing);
  AppendMembers(&out, kLearnersNext, state.learners_next);
  wire::AppendUint(&out, kAutoLeave, state.auto_leave ? 1 : 0);
  return out;
}

StatusOr<ConfState> DecodeConfState(std::string_view bytes) {
  ConfState state;
  wire::Reader reader(bytes);
  Field field;
  bool good = true;
  while (good && reader.Next(&field)) {
    switch (field.number) {
      case kVoters:
        good = TakeMembers(field, &state.voters);
        break;
      case kLearners:
        good = TakeMembers(field, &state.learners);
        break;
      case kVotersOutgoing:
        good = TakeMembers(field, &state.voters_outgoing);
        break;
      case kLearnersNext:
        good = TakeMembers(field, &state.learners_next);
        break;
      case kAutoLeave:
        good = field.type == Type::kVarint;
        state.auto_leave = field.varint != 0;
        break;
      default:
        good = false;
    }
  }
  if (!good || !reader.ok()) return NoSuchMessage("ConfState");
  return state;
}

std::string EncodeConfChange(const ConfChange& change) {
  std::string out;
  wire::AppendUint(&out, kChangeId, change.id);
  wire::AppendUint(&out, kChangeType, static_cast<uint64_t>(change.type));
  wire::AppendUint(&out, kChangeNode, change.node.value());
  if (!change.context.empty()) {
    wire::AppendBytes(&out, kChangeContext, change.context);
  }
  return out;
}

StatusOr<ConfChange> DecodeConfChange(std::string_view bytes) {
  ConfChange change;
  wire::Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) {
    const bool number = field.type == Type::kVarint;
    if (field.number == kChangeId && number) {
      change.id = field.varint;
    } else if (field.number == kChangeType && number && field.varint <= 3) {
      change.type = static_cast<ConfChangeType>(field.varint);
    } else if (field.number == kChangeNode && number) {
      change.node = MemberId(field.varint);
    } else if (field.number == kChangeContext && field.type == Type::kBytes) {
      change.context.assign(field.bytes);
    } else {
      return NoSuchMessage("ConfChange");
    }
  }
  if (!reader.ok()) return NoSuchMessage("ConfChange");
  return change;
}

namespace {

std::string EncodeSingle(const ConfChangeSingle& change) {
  std::string out;
  wire::AppendUint(&out, kSingleType, static_cast<uint64_t>(change.type));
  wire::AppendUint(&out, kSingleNode, change.node.value());
  return out;
}

bool DecodeSingle(std::string_view bytes, ConfChangeSingle* change) {
  wire::Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) {
    if (field.type != Type::kVarint) return false;
    if (field.number == kSingleType && field.varint <= 3) {
      change->type = static_cast<ConfChangeType>(field.varint);
    } else if (field.number == kSingleNode) {
      change->node = MemberId(field.varint);
    } else {
      return false;
    }
  }
  return reader.ok();
}

bool DecodeMetadata(std::string_view bytes, SnapshotMetadata* metadata) {
  wire::Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) {
    const bool number = field.type == Type::kVarint;
    if (field.number == kMetadataConfState && field.type == Type::kBytes) {
      StatusOr<ConfState> state = DecodeConfState(field.bytes);
      if (!state.ok()) return false;
      metadata->conf_state = std::move(state).value();
    } else if (field.number == kMetadataIndex && number) {
      metadata->index = LogIndex(field.varint);
    } else if (field.number == kMetadataTerm && number) {
      metadata->term = Term(field.varint);
    } else {
      return false;
    }
  }
  return reader.ok();
}

}  // namespace

ConfChangeV2 AsV2(const ConfChange& change) {
  return {.transition = ConfChangeTransition::kAuto,
          .changes = {{.type = change.type, .node = change.node}},
          .context = change.context};
}

std::string EncodeConfChangeV2(const ConfChangeV2& change) {
  std::string out;
  wire::AppendUint(&out, kTransition, static_cast<uint64_t>(change.transition));
  for (const ConfChangeSingle& single : change.changes) {
    wire::AppendBytes(&out, kChanges, EncodeSingle(single));
  }
  if (!change.context.empty()) {
    wire::AppendBytes(&out, kV2Context, change.context);
  }
  return out;
}

StatusOr<ConfChangeV2> DecodeConfChangeV2(std::string_view bytes) {
  ConfChangeV2 change;
  wire::Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) {
    const bool number = field.type == Type::kVarint;
    ConfChangeSingle single;
    if (field.number == kTransition && number && field.varint <= 2) {
      change.transition = static_cast<ConfChangeTransition>(field.varint);
    } else if (field.number == kChanges && field.type == Type::kBytes &&
               DecodeSingle(field.bytes, &single)) {
      change.changes.push_back(single);
    } else if (field.number == kV2Context && field.type == Type::kBytes) {
      change.context.assign(field.bytes);
    } else {
      return NoSuchMessage("ConfChangeV2");
    }
  }
  if (!reader.ok()) return NoSuchMessage("ConfChangeV2");
  return change;
}

std::string EncodeSnapshot(const Snapshot& snapshot) {
  std::string metadata;
  wire::AppendBytes(&metadata, kMetadataConfState,
                    EncodeConfState(snapshot.metadata.conf_state));
  wire::AppendUint(&metadata, kMetadataIndex, snapshot.metadata.index.value());
  wire::AppendUint(&metadata, kMetadataTerm, snapshot.metadata.term.value());
  std::string out;
  if (!snapshot.data.empty()) {
    wire::AppendBytes(&out, kSnapshotData, snapshot.data);
  }
  wire::AppendBytes(&out, kSnapshotMetadata, metadata);
  return out;
}

StatusOr<Snapshot> DecodeSnapshot(std::string_view bytes) {
  Snapshot snapshot;
  wire::Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) {
    const bool is_bytes = field.type == Type::kBytes;
    if (field.number == kSnapshotData && is_bytes) {
      snapshot.data.assign(field.bytes);
    } else if (field.number != kSnapshotMetadata || !is_bytes ||
               !DecodeMetadata(field.bytes, &snapshot.metadata)) {
      return NoSuchMessage("Snapshot");
    }
  }
  if (!reader.ok()) return NoSuchMessage("Snapshot");
  return snapshot;
}

StatusOr<ConfChangeV2> DecodeConfChangeEntry(const Entry& entry) {
  CHECK(entry.type != EntryType::kNormal);
  if (entry.type == EntryType::kConfChangeV2) {
    return DecodeConfChangeV2(entry.data);
  }
  ASSIGN_OR_RETURN(const ConfChange change, DecodeConfChange(entry.data));
  return AsV2(change);
}

}  // namespace strata::raft
