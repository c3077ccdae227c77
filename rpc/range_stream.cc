#include "rpc/range_stream.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "engine/key_value.h"
#include "rpc/encode.h"
#include "rpc/header.h"
#include "server/convert.h"
#include "server/validate.h"

namespace strata {
namespace {

// Of one piece; a single key-value may be larger. etcd's are between half and
// twice --max-request-bytes.
constexpr int64_t kPieceKeys = 4096;
constexpr uint64_t kPieceBytes = 256 << 10;

bool InKeyOrder(const etcdserverpb::RangeRequest& request) {
  return request.sort_target() == etcdserverpb::RangeRequest::KEY &&
         request.sort_order() != etcdserverpb::RangeRequest::DESCEND;
}

class RangeStream : public StreamHandler,
                    public std::enable_shared_from_this<RangeStream> {
 public:
  RangeStream(Node* node, Loop* worker, std::shared_ptr<StreamSink> sink)
      : node_(node), worker_(worker), sink_(std::move(sink)) {}

  bool OnMessage(std::string_view bytes) override {
    if (Status status = Take(bytes); !status.ok()) {
      sink_->Finish(status);
    } else if (request_.serializable()) {
      Begin();
    } else {
      node_->ReadIndex([self = shared_from_this()](const Status& read) {
        read.ok() ? self->Begin() : self->sink_->Finish(read);
      });
    }
    return false;  // there is one request
  }
  void OnWritable() override { Wake(); }
  void OnReadsDone() override {}
  void OnDone() override {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }

 private:
  Status Take(std::string_view bytes) {
    if (!request_.ParseFromArray(bytes.data(),
                                 static_cast<int>(bytes.size()))) {
      return InternalError(
          "grpc: error unmarshalling request: not a "
          "etcdserverpb.RangeRequest");
    }
    RETURN_IF_ERROR(CheckRange(request_));
    if (InKeyOrder(request_)) return Status::Ok();
    return UnimplementedError(
        "etcdserver: RangeStream has no order but that of the keys");
  }

  void Begin() {
    {
      const std::lock_guard lock(mutex_);
      begun_ = true;
    }
    Wake();
  }

  // Has a piece read, if none is being read and there is room.
  void Wake() {
    {
      const std::lock_guard lock(mutex_);
      if (!begun_ || reading_ || over_ || !sink_->Writable()) return;
      reading_ = true;
    }
    worker_->Post([self = shared_from_this()] { self->ReadPiece(); });
  }

  // On the worker, one at a time, as are those below.
  void ReadPiece() {
    const StatusOr<bool> more = SendPiece();
    const bool through = !more.ok() || !*more;
    {
      const std::lock_guard lock(mutex_);
      reading_ = false;
      over_ = over_ || through;
    }
    through ? sink_->Finish(more.status()) : Wake();
  }

  // Whether there are more to come.
  StatusOr<bool> SendPiece() {
    ASSIGN_OR_RETURN(RangeResult piece, node_->store()->Range(NextPiece()));
    if (!first_read_) {
      first_read_ = true;
      first_revision_ = piece.revision;
      count_ = piece.count;
    }
    taken_ += static_cast<int64_t>(piece.kvs.size());
    const bool limit_reached =
        request_.limit() > 0 && taken_ == request_.limit();
    if (piece.more && !limit_reached) {
      ASSIGN_OR_RETURN(const KeyValue last, DecodeKeyValue(piece.kvs.back()));
      from_.assign(last.key).push_back('\0');
      sink_->Write(StreamMessage(EncodeRangePiece(piece, nullptr)));
      return true;
    }
    ResponseHeader header = CurrentHeader(node_);
    header.revision = first_revision_;
    piece.count = count_;
    sink_->Write(StreamMessage(EncodeRangePiece(piece, &header)));
    return false;
  }

  RangeRequest NextPiece() const {
    RangeRequest piece = FromProto(request_);
    piece.max_bytes = kPieceBytes;
    piece.limit = request_.limit() > 0
                      ? std::min(request_.limit() - taken_, kPieceKeys)
                      : kPieceKeys;
    if (!first_read_) return piece;
    piece.range.key = from_;
    piece.uncounted = true;
    if (request_.revision() <= 0) piece.revision = first_revision_;
    return piece;
  }

  Node* const node_;
  Loop* const worker_;
  const std::shared_ptr<StreamSink> sink_;
  etcdserverpb::RangeRequest request_;  // constant once it has come

  // The worker's.
  bool first_read_ = false;
  Revision first_revision_;  // of the store, as the first piece was read
  int64_t count_ = 0;
  std::string from_;   // where the next one begins
  int64_t taken_ = 0;  // key-values so far

  std::mutex mutex_;
  // Guarded by mutex_:
  bool begun_ = false;
  bool reading_ = false;
  bool over_ = false;
};

}  // namespace

StreamMethod RangeStreamMethod(Node* node, Loop* worker) {
  return {"/etcdserverpb.KV/RangeStream",
          [node, worker](std::shared_ptr<StreamSink> sink) {
            return std::make_shared<RangeStream>(node, worker, std::move(sink));
          }};
}

}  // namespace strata
