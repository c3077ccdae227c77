#include <algorithm>
#include <bit>
#include <memory>
#include <string>
#include <utility>

#include "base/wire.h"
#include "rpc/proto/rpc.pb.h"
#include "rpc/watch_service.h"

namespace strata {
namespace {

using Proto = etcdserverpb::WatchResponse;
using EventPtr = std::shared_ptr<const WatchEvent>;

// What is larger is referred to.
constexpr size_t kCopiedBytes = 1024;
// Of a response's front, in most cases; and of its events, at most, for which
// memory is taken at once.
constexpr size_t kFrontBytes = 64;
constexpr size_t kReservedBytes = 4096;

size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}
// Of a field whose tag is one byte.
size_t BytesFieldSize(size_t size) { return 1 + VarintSize(size) + size; }

size_t EventSize(const WatchEvent& event, bool prev_kv) {
  size_t size = event.encoded().size();
  if (prev_kv && !event.prev_kv().empty()) {
    size += BytesFieldSize(event.prev_kv().size());
  }
  return size;
}

// Of a field that is left out if it is zero, with a tag of one byte.
size_t UintFieldSize(uint64_t value) {
  return value == 0 ? 0 : 1 + VarintSize(value);
}

void AppendHeader(const ResponseHeader& header, std::string* out) {
  using Fields = etcdserverpb::ResponseHeader;
  const auto revision = static_cast<uint64_t>(header.revision.value());
  wire::AppendTag(out, Proto::kHeaderFieldNumber, wire::Type::kBytes);
  AppendVarint64(out, UintFieldSize(header.cluster_id.value()) +
                          UintFieldSize(header.member_id.value()) +
                          UintFieldSize(revision) +
                          UintFieldSize(header.term.value()));
  const auto add = [out](int field, uint64_t value) {
    if (value == 0) return;
    wire::AppendUint(out, static_cast<uint32_t>(field), value);
  };
  add(Fields::kClusterIdFieldNumber, header.cluster_id.value());
  add(Fields::kMemberIdFieldNumber, header.member_id.value());
  add(Fields::kRevisionFieldNumber, revision);
  add(Fields::kRaftTermFieldNumber, header.term.value());
}

// All but the events and the mark of a fragment. With room for `more` bytes,
// as memory is what a small response costs.
std::string EncodeFront(const ResponseHeader& header,
                        const WatchResponse& response, size_t more) {
  std::string out;
  out.reserve(kFrontBytes + more);
  AppendHeader(header, &out);
  const auto add = [&out](int field, int64_t value) {
    if (value != 0) wire::AppendInt(&out, static_cast<uint32_t>(field), value);
  };
  add(Proto::kWatchIdFieldNumber, response.id.value());
  add(Proto::kCreatedFieldNumber, response.created ? 1 : 0);
  add(Proto::kCanceledFieldNumber, response.canceled ? 1 : 0);
  add(Proto::kCompactRevisionFieldNumber, response.compact_revision.value());
  if (!response.cancel_reason.empty()) {
    wire::AppendBytes(&out, Proto::kCancelReasonFieldNumber,
                      response.cancel_reason);
  }
  return out;
}

// Gathers a message: small pieces are copied together, large ones referred to.
class Builder {
 public:
  explicit Builder(std::string front) : bytes_(std::move(front)) {}

  void Add(const EventPtr& event, bool prev_kv) {
    AppendLength(Proto::kEventsFieldNumber, EventSize(*event, prev_kv));
    Append(event->encoded(), event);
    if (!prev_kv || event->prev_kv().empty()) return;
    AppendLength(mvccpb::Event::kPrevKvFieldNumber, event->prev_kv().size());
    Append(event->prev_kv(), event);
  }

  StreamMessage Finish() {
    if (!bytes_.empty()) message_.Append(std::move(bytes_));
    return std::move(message_);
  }

 private:
  void AppendLength(int field, size_t size) {
    wire::AppendTag(&bytes_, static_cast<uint32_t>(field), wire::Type::kBytes);
    AppendVarint64(&bytes_, size);
  }
  void Append(std::string_view bytes, const EventPtr& event) {
    if (bytes.size() <= kCopiedBytes) {
      bytes_.append(bytes);
      return;
    }
    message_.Append(std::exchange(bytes_, {}));
    message_.AppendShared(bytes, event);
  }

  std::string bytes_;
  StreamMessage message_;
};

}  // namespace

std::vector<StreamMessage> EncodeWatchResponse(ResponseHeader header,
                                               const WatchResponse& response,
                                               uint64_t max_bytes) {
  size_t events_size = 0;
  size_t copied = 0;  // of it, in the bytes themselves
  for (const EventPtr& event : response.events) {
    const size_t size = EventSize(*event, response.prev_kv);
    events_size += BytesFieldSize(size);
    copied += std::min(size, kCopiedBytes);
  }
  std::string front =
      EncodeFront(header, response, std::min(copied, kReservedBytes));
  const size_t fragment_mark = 2;
  const bool split = response.fragment && response.events.size() > 1 &&
                     front.size() + events_size >= max_bytes;
  std::vector<StreamMessage> messages;
  if (!split) {
    Builder builder(std::move(front));
    for (const EventPtr& event : response.events) {
      builder.Add(event, response.prev_kv);
    }
    messages.push_back(builder.Finish());
    return messages;
  }
  for (size_t at = 0; at < response.events.size();) {
    size_t end = at;
    // As etcd: one event, and those after it that leave the message smaller
    // than the limit, the mark counted.
    size_t fragment = front.size() + fragment_mark;
    for (; end < response.events.size(); ++end) {
      fragment +=
          BytesFieldSize(EventSize(*response.events[end], response.prev_kv));
      if (end > at && fragment >= max_bytes) break;
    }
    std::string start = front;
    if (end < response.events.size()) {
      wire::AppendUint(&start, Proto::kFragmentFieldNumber, 1);
    }
    Builder builder(std::move(start));
    for (; at < end; ++at) builder.Add(response.events[at], response.prev_kv);
    messages.push_back(builder.Finish());
  }
  return messages;
}

}  // namespace strata
