#include "rpc/encode.h"

#include <bit>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "rpc/proto/rpc.pb.h"

namespace strata {
namespace {

// Every field of these messages is below 16, so that a tag is one byte.
constexpr uint8_t VarintTag(int field) {
  return static_cast<uint8_t>(field << 3);
}
constexpr uint8_t BytesTag(int field) {
  return static_cast<uint8_t>(field << 3 | 2);
}

size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}
// Of a field that is left out if it is zero.
size_t IntSize(uint64_t value) {
  return value == 0 ? 0 : 1 + VarintSize(value);
}
size_t BytesSize(size_t size) { return 1 + VarintSize(size) + size; }

// Writes into memory that the sizes below have measured.
class Writer {
 public:
  explicit Writer(char* out) : out_(out) {}

  void Int(int field, uint64_t value) {
    if (value == 0) return;
    *out_++ = static_cast<char>(VarintTag(field));
    Varint(value);
  }
  // The start of a message of `size` bytes, which the caller writes next.
  void Message(int field, size_t size) {
    *out_++ = static_cast<char>(BytesTag(field));
    Varint(size);
  }
  void Bytes(int field, std::string_view value) {
    Message(field, value.size());
    std::memcpy(out_, value.data(), value.size());
    out_ += value.size();
  }
  const char* end() const { return out_; }

 private:
  void Varint(uint64_t value) {
    while (value >= 0x80) {
      *out_++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *out_++ = static_cast<char>(value);
  }

  char* out_;
};

// A response inside a transaction has the revision alone.
ResponseHeader InnerHeader(Revision revision) {
  return {.cluster_id = {}, .member_id = {}, .revision = revision, .term = {}};
}

size_t SizeOf(const ResponseHeader& header) {
  return IntSize(header.cluster_id.value()) +
         IntSize(header.member_id.value()) +
         IntSize(static_cast<uint64_t>(header.revision.value())) +
         IntSize(header.term.value());
}

void Write(const ResponseHeader& header, Writer* out) {
  using Proto = etcdserverpb::ResponseHeader;
  out->Message(1, SizeOf(header));
  out->Int(Proto::kClusterIdFieldNumber, header.cluster_id.value());
  out->Int(Proto::kMemberIdFieldNumber, header.member_id.value());
  out->Int(Proto::kRevisionFieldNumber,
           static_cast<uint64_t>(header.revision.value()));
  out->Int(Proto::kRaftTermFieldNumber, header.term.value());
}

// Each message below: SizeOf(header, result) and Write(header, result, out).

size_t KeyValuesSize(const RangeResult& result) {
  size_t size = 0;
  for (std::string_view kv : result.kvs) size += BytesSize(kv.size());
  return size;
}

void WriteKeyValues(const RangeResult& result, Writer* out) {
  for (std::string_view kv : result.kvs) {
    out->Bytes(etcdserverpb::RangeResponse::kKvsFieldNumber, kv);
  }
}

size_t SizeOf(const ResponseHeader& header, const RangeResult& result) {
  return BytesSize(SizeOf(header)) + KeyValuesSize(result) +
         IntSize(result.more) + IntSize(static_cast<uint64_t>(result.count));
}

void Write(const ResponseHeader& header, const RangeResult& result,
           Writer* out) {
  using Proto = etcdserverpb::RangeResponse;
  Write(header, out);
  WriteKeyValues(result, out);
  out->Int(Proto::kMoreFieldNumber, result.more);
  out->Int(Proto::kCountFieldNumber, static_cast<uint64_t>(result.count));
}

size_t SizeOf(const ResponseHeader& header, const PutResult& result) {
  return BytesSize(SizeOf(header)) + KeyValuesSize(result.prev);
}

void Write(const ResponseHeader& header, const PutResult& result, Writer* out) {
  using Proto = etcdserverpb::PutResponse;
  Write(header, out);
  for (std::string_view kv : result.prev.kvs) {
    out->Bytes(Proto::kPrevKvFieldNumber, kv);
  }
}

size_t SizeOf(const ResponseHeader& header, const DeleteRangeResult& result) {
  return BytesSize(SizeOf(header)) +
         IntSize(static_cast<uint64_t>(result.deleted)) +
         KeyValuesSize(result.prev);
}

void Write(const ResponseHeader& header, const DeleteRangeResult& result,
           Writer* out) {
  using Proto = etcdserverpb::DeleteRangeResponse;
  Write(header, out);
  out->Int(Proto::kDeletedFieldNumber, static_cast<uint64_t>(result.deleted));
  for (std::string_view kv : result.prev.kvs) {
    out->Bytes(Proto::kPrevKvsFieldNumber, kv);
  }
}

size_t SizeOf(const ResponseHeader& header, const TxnResult& result);
void Write(const ResponseHeader& header, const TxnResult& result, Writer* out);

// Calls `visit(field of ResponseOp, header, result)` with what an operation of
// a transaction gave.
template <typename Visit>
auto VisitOp(const OpResult& op, Visit visit) {
  using Proto = etcdserverpb::ResponseOp;
  if (const auto* range = std::get_if<RangeResult>(&op)) {
    return visit(Proto::kResponseRangeFieldNumber, InnerHeader(range->revision),
                 *range);
  }
  if (const auto* put = std::get_if<PutResult>(&op)) {
    return visit(Proto::kResponsePutFieldNumber, InnerHeader(put->revision),
                 *put);
  }
  if (const auto* deleted = std::get_if<DeleteRangeResult>(&op)) {
    return visit(Proto::kResponseDeleteRangeFieldNumber,
                 InnerHeader(deleted->revision), *deleted);
  }
  return visit(Proto::kResponseTxnFieldNumber, ResponseHeader(),
               *std::get<std::unique_ptr<TxnResult>>(op));
}

size_t SizeOf(const OpResult& op) {
  return VisitOp(op, [](int, const ResponseHeader& header, const auto& result) {
    return BytesSize(SizeOf(header, result));
  });
}

size_t SizeOf(const ResponseHeader& header, const TxnResult& result) {
  size_t size = BytesSize(SizeOf(header)) + IntSize(result.succeeded);
  for (const OpResult& op : result.responses) size += BytesSize(SizeOf(op));
  return size;
}

void Write(const ResponseHeader& header, const TxnResult& result, Writer* out) {
  using Proto = etcdserverpb::TxnResponse;
  Write(header, out);
  out->Int(Proto::kSucceededFieldNumber, result.succeeded);
  for (const OpResult& op : result.responses) {
    out->Message(Proto::kResponsesFieldNumber, SizeOf(op));
    VisitOp(op, [out](int field, const ResponseHeader& inner,
                      const auto& inner_result) {
      out->Message(field, SizeOf(inner, inner_result));
      Write(inner, inner_result, out);
    });
  }
}

template <typename Result>
std::string Encode(ResponseHeader header, const Result& result) {
  header.revision = result.revision;
  std::string message(SizeOf(header, result), '\0');
  Writer out(message.data());
  Write(header, result, &out);
  CHECK(out.end() == message.data() + message.size());
  return message;
}

}  // namespace

std::string EncodeRangeResponse(ResponseHeader header,
                                const RangeResult& result) {
  return Encode(header, result);
}

std::string EncodeRangePiece(const RangeResult& piece,
                             const ResponseHeader* header) {
  using Proto = etcdserverpb::RangeStreamResponse;
  const size_t size =
      header == nullptr ? KeyValuesSize(piece) : SizeOf(*header, piece);
  std::string message(BytesSize(size), '\0');
  Writer out(message.data());
  out.Message(Proto::kRangeResponseFieldNumber, size);
  if (header == nullptr) {
    WriteKeyValues(piece, &out);
  } else {
    Write(*header, piece, &out);
  }
  CHECK(out.end() == message.data() + message.size());
  return message;
}

std::string EncodePutResponse(ResponseHeader header, const PutResult& result) {
  return Encode(header, result);
}

std::string EncodeDeleteRangeResponse(ResponseHeader header,
                                      const DeleteRangeResult& result) {
  return Encode(header, result);
}

std::string EncodeTxnResponse(ResponseHeader header, const TxnResult& result) {
  return Encode(header, result);
}

std::string EncodeHeaderResponse(const ResponseHeader& header) {
  std::string message(BytesSize(SizeOf(header)), '\0');
  Writer out(message.data());
  Write(header, &out);
  CHECK(out.end() == message.data() + message.size());
  return message;
}

}  // namespace strata
