#include "rpc/range_stream.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/limits.h"
#include "engine/key_value.h"
#include "rpc/header.h"
#include "server/convert.h"
#include "server/validate.h"

namespace strata {
namespace {

// Keys of the first piece; the next ones go by how large it was.
constexpr int64_t kFirstKeys = 10;

bool IsPlain(const etcdserverpb::RangeRequest& request) {
  const bool by_key =
      request.sort_target() == etcdserverpb::RangeRequest::KEY &&
      request.sort_order() != etcdserverpb::RangeRequest::DESCEND;
  return (by_key || request.sort_order() == etcdserverpb::RangeRequest::NONE) &&
         request.min_mod_revision() == 0 && request.max_mod_revision() == 0 &&
         request.min_create_revision() == 0 &&
         request.max_create_revision() == 0;
}

class RangeStream : public StreamHandler,
                    public std::enable_shared_from_this<RangeStream> {
 public:
  RangeStream(Node* node, Loop* worker, uint64_t max_request_bytes,
              std::shared_ptr<StreamSink> sink)
      : node_(node),
        worker_(worker),
        max_request_bytes_(max_request_bytes),
        sink_(std::move(sink)) {}

  bool OnMessage(std::string_view bytes) override {
    if (!request_.ParseFromArray(bytes.data(),
                                 static_cast<int>(bytes.size()))) {
      sink_->Finish(InternalError("grpc: error unmarshalling request"));
    } else if (Status status = CheckRange(request_); !status.ok()) {
      sink_->Finish(status);
    } else if (!IsPlain(request_)) {
      sink_->Finish(InvalidArgumentError(
          "etcdserver: RangeStream has no sort order and no filters"));
    } else if (request_.serializable()) {
      Begin();
    } else {
      node_->ReadIndex([self = shared_from_this()](const Status& read) {
        read.ok() ? self->Begin() : self->sink_->Finish(read);
      });
    }
    return false;
  }
  void OnWritable() override { Wake(); }
  void OnReadsDone() override {}
  void OnDone() override {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }

 private:
  void Begin() {
    from_ = request_.key();
    left_ = request_.limit();
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

  // On the worker: one at a time.
  void ReadPiece() {
    const Status status = SendPiece();
    {
      const std::lock_guard lock(mutex_);
      reading_ = false;
      over_ = over_ || through_ || !status.ok();
    }
    if (through_ || !status.ok()) return sink_->Finish(status);
    Wake();
  }

  Status SendPiece() {
    etcdserverpb::RangeRequest piece = request_;
    piece.set_key(from_);
    piece.set_revision(revision_ == 0 ? request_.revision() : revision_);
    piece.set_limit(left_ > 0 ? std::min(left_, keys_) : keys_);
    ASSIGN_OR_RETURN(const RangeResult result,
                     node_->store()->Range(FromProto(piece)));
    if (revision_ == 0) {
      first_ = result.revision;
      revision_ = request_.revision() > 0 ? request_.revision()
                                          : result.revision.value();
      count_ = result.count;
    }
    etcdserverpb::RangeStreamResponse response;
    auto* const out = response.mutable_range_response();
    for (const std::string_view bytes : result.kvs) {
      if (!out->add_kvs()->ParseFromArray(bytes.data(),
                                          static_cast<int>(bytes.size()))) {
        return DataLossError("a key-value that cannot be read");
      }
    }
    Advance(result, *out);
    if (through_) Complete(result, out);
    sink_->Write(StreamMessage(response.SerializeAsString()));
    return Status::Ok();
  }

  void Advance(const RangeResult& result,
               const etcdserverpb::RangeResponse& piece) {
    const int64_t got = piece.kvs_size();
    if (left_ > 0) left_ -= got;
    const bool limit_reached = request_.limit() > 0 && left_ == 0;
    through_ = !result.more || limit_reached || got == 0 ||
               request_.count_only() || request_.range_end().empty();
    if (through_) return;
    from_ = piece.kvs(piece.kvs_size() - 1).key() + '\0';
    const uint64_t bytes = piece.ByteSizeLong();
    if (bytes < max_request_bytes_ / 2) {
      keys_ *= 2;
    } else if (bytes > max_request_bytes_ * 2) {
      keys_ = std::max<int64_t>(1, keys_ / 3);
    }
  }

  void Complete(const RangeResult& result, etcdserverpb::RangeResponse* out) {
    ResponseHeader header = CurrentHeader(node_);
    header.revision = first_;
    FillHeader(header, out->mutable_header());
    out->set_more(result.more);
    out->set_count(count_);
  }

  Node* const node_;
  Loop* const worker_;
  const uint64_t max_request_bytes_;
  const std::shared_ptr<StreamSink> sink_;
  etcdserverpb::RangeRequest request_;  // constant once it has come

  // The worker's, from Begin on.
  std::string from_;
  int64_t left_ = 0;  // of the limit
  int64_t keys_ = kFirstKeys;
  int64_t revision_ = 0;  // that is read; 0: none yet
  Revision first_;        // of the store, as the first piece was read
  int64_t count_ = 0;
  bool through_ = false;

  std::mutex mutex_;
  // Guarded by mutex_:
  bool begun_ = false;
  bool reading_ = false;
  bool over_ = false;
};

}  // namespace

StreamMethod RangeStreamMethod(Node* node, Loop* worker,
                               uint64_t max_request_bytes) {
  return {"/etcdserverpb.KV/RangeStream",
          [node, worker, max_request_bytes](std::shared_ptr<StreamSink> sink) {
            return std::make_shared<RangeStream>(
                node, worker, max_request_bytes, std::move(sink));
          }};
}

}  // namespace strata
