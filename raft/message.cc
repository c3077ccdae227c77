#include "raft/message.h"

#include <utility>

#include "base/wire.h"

namespace strata::raft {
namespace {

enum MessageField : uint32_t {
  kType = 1,
  kTo = 2,
  kFrom = 3,
  kTerm = 4,
  kLogTerm = 5,
  kIndex = 6,
  kEntries = 7,
  kCommit = 8,
  kSnapshotField = 9,
  kReject = 10,
  kRejectHint = 11,
  kContext = 12,
};

using wire::Field;
using wire::Type;

Status NoMessage() { return DataLossError("the bytes are no raftpb.Message"); }

bool Travels(uint64_t type) {
  return !MessageTypeName(static_cast<MessageType>(type)).empty();
}

bool TakeNumber(const Field& field, Message* message) {
  switch (field.number) {
    case kType:
      message->type = static_cast<MessageType>(field.varint);
      return Travels(field.varint);
    case kTo:
      message->to = MemberId(field.varint);
      return true;
    case kFrom:
      message->from = MemberId(field.varint);
      return true;
    case kTerm:
      message->term = Term(field.varint);
      return true;
    case kLogTerm:
      message->log_term = Term(field.varint);
      return true;
    case kIndex:
      message->index = LogIndex(field.varint);
      return true;
    case kCommit:
      message->commit = LogIndex(field.varint);
      return true;
    case kReject:
      message->reject = field.varint != 0;
      return true;
    case kRejectHint:
      message->reject_hint = LogIndex(field.varint);
      return true;
    default:
      return field.number > kContext;
  }
}

Status TakeBytes(const Field& field, Message* message) {
  if (field.number == kEntries) {
    ASSIGN_OR_RETURN(Entry entry, DecodeEntry(field.bytes));
    message->entries.push_back(std::move(entry));
  } else if (field.number == kSnapshotField) {
    ASSIGN_OR_RETURN(Snapshot snapshot, DecodeSnapshot(field.bytes));
    if (snapshot != Snapshot{}) message->snapshot = std::move(snapshot);
  } else if (field.number == kContext) {
    message->context.assign(field.bytes);
  } else if (field.number < kContext) {
    return NoMessage();
  }
  return Status::Ok();
}

}  // namespace

std::string_view MessageTypeName(MessageType type) {
  switch (type) {
    case MessageType::kPropose:
      return "MsgProp";
    case MessageType::kAppend:
      return "MsgApp";
    case MessageType::kAppendResponse:
      return "MsgAppResp";
    case MessageType::kVote:
      return "MsgVote";
    case MessageType::kVoteResponse:
      return "MsgVoteResp";
    case MessageType::kSnapshot:
      return "MsgSnap";
    case MessageType::kHeartbeat:
      return "MsgHeartbeat";
    case MessageType::kHeartbeatResponse:
      return "MsgHeartbeatResp";
    case MessageType::kTransferLeader:
      return "MsgTransferLeader";
    case MessageType::kTimeoutNow:
      return "MsgTimeoutNow";
    case MessageType::kReadIndex:
      return "MsgReadIndex";
    case MessageType::kReadIndexResponse:
      return "MsgReadIndexResp";
    case MessageType::kPreVote:
      return "MsgPreVote";
    case MessageType::kPreVoteResponse:
      return "MsgPreVoteResp";
  }
  return "";
}

std::string EncodeMessage(const Message& message) {
  static const Snapshot kNone;
  std::string out;
  wire::AppendUint(&out, kType, static_cast<uint64_t>(message.type));
  wire::AppendUint(&out, kTo, message.to.value());
  wire::AppendUint(&out, kFrom, message.from.value());
  wire::AppendUint(&out, kTerm, message.term.value());
  wire::AppendUint(&out, kLogTerm, message.log_term.value());
  wire::AppendUint(&out, kIndex, message.index.value());
  for (const Entry& entry : message.entries) {
    wire::AppendBytes(&out, kEntries, EncodeEntry(entry));
  }
  wire::AppendUint(&out, kCommit, message.commit.value());
  wire::AppendBytes(&out, kSnapshotField,
                    EncodeSnapshot(message.snapshot.value_or(kNone)));
  wire::AppendUint(&out, kReject, message.reject ? 1 : 0);
  wire::AppendUint(&out, kRejectHint, message.reject_hint.value());
  if (!message.context.empty()) {
    wire::AppendBytes(&out, kContext, message.context);
  }
  return out;
}

StatusOr<Message> DecodeMessage(std::string_view bytes) {
  Message message;
  wire::Reader reader(bytes);
  Field field;
  bool typed = false;
  while (reader.Next(&field)) {
    if (field.type == Type::kVarint) {
      if (!TakeNumber(field, &message)) return NoMessage();
      typed = typed || field.number == kType;
    } else if (field.type == Type::kBytes) {
      RETURN_IF_ERROR(TakeBytes(field, &message));
    } else {
      return NoMessage();
    }
  }
  if (!reader.ok() || !typed) return NoMessage();
  return message;
}

}  // namespace strata::raft
