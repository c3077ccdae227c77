#include "rpc/snapshot_stream.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "rpc/header.h"
#include "snapshot/db_snapshot.h"

namespace strata {
namespace {

// As etcd's, which tools that show progress expect.
constexpr size_t kPieceBytes = 32 << 10;
constexpr auto kPatience = std::chrono::minutes(1);

class SnapshotStream : public StreamHandler,
                       public std::enable_shared_from_this<SnapshotStream> {
 public:
  SnapshotStream(Node* node, Loop* copier, std::shared_ptr<StreamSink> sink)
      : node_(node), copier_(copier), sink_(std::move(sink)) {}

  bool OnMessage(std::string_view) override {
    copier_->Post([self = shared_from_this()] { self->Copy(); });
    return false;  // there is one request
  }
  void OnWritable() override { Wake(); }
  void OnReadsDone() override {}
  void OnDone() override {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    Wake();
  }

 private:
  void Wake() {
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  }

  void Copy() {
    expected_bytes_ = node_->store()->Sizes().file_bytes;
    const auto database = [this](const ByteSink& sink) {
      return node_->store()->WriteSnapshot(sink);
    };
    Status status = StreamDbSnapshot(
        database, [this](std::string_view piece) { return Send(piece); });
    sink_->Finish(status);
  }

  // On the copier.
  Status Send(std::string_view bytes) {
    while (!bytes.empty()) {
      RETURN_IF_ERROR(AwaitRoom());
      const std::string_view piece = bytes.substr(0, kPieceBytes);
      bytes.remove_prefix(piece.size());
      sent_bytes_ += piece.size();
      etcdserverpb::SnapshotResponse response;
      if (expected_bytes_ > sent_bytes_) {
        response.set_remaining_bytes(expected_bytes_ - sent_bytes_);
      }
      response.set_blob(piece.data(), piece.size());
      sink_->Write(StreamMessage(response.SerializeAsString()));
    }
    return Status::Ok();
  }

  Status AwaitRoom() {
    std::unique_lock lock(mutex_);
    const bool woken = wake_.wait_for(
        lock, kPatience, [this] { return over_ || sink_->Writable(); });
    if (over_) return Status(Code::kCanceled, "the client is gone");
    if (!woken) {
      return UnavailableError(
          "the snapshot's client took nothing for a minute");
    }
    return Status::Ok();
  }

  Node* const node_;
  Loop* const copier_;
  const std::shared_ptr<StreamSink> sink_;
  // Bound to copier_.
  uint64_t expected_bytes_ = 0;
  uint64_t sent_bytes_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool over_ = false;  // guarded by mutex_
};

}  // namespace

StreamMethod SnapshotMethod(Node* node, Loop* copier) {
  return {"/etcdserverpb.Maintenance/Snapshot",
          [node, copier](std::shared_ptr<StreamSink> sink) {
            return std::make_shared<SnapshotStream>(node, copier,
                                                    std::move(sink));
          }};
}

}  // namespace strata
