#include "rpc/peer/stream_reader.h"

#include <algorithm>
#include <utility>

namespace strata::peer {
namespace {

using std::chrono::milliseconds;

// Between a stream's end and the next dial: as etcd at first, then longer, but
// not so long that a member that comes back waits for us.
constexpr Duration kFirstBackOff = milliseconds(20);
constexpr Duration kMaxBackOff = milliseconds(500);
constexpr size_t kMaxRefusalBytes = 1024;
constexpr int kGone = 410;

}  // namespace

class StreamReader::Stream : public FetchHandler {
 public:
  explicit Stream(std::shared_ptr<StreamReader> reader)
      : reader_(std::move(reader)) {}

  bool OnHead(const HttpResponse& head) override {
    return reader_->Begin(head);
  }
  bool OnBody(std::string_view bytes) override { return reader_->Read(bytes); }
  void OnDone(const Status& status) override { reader_->Ended(status); }

 private:
  const std::shared_ptr<StreamReader> reader_;
};

void StreamReader::Dial() {
  if (stopped_) return;
  status_ = 0;
  refusal_.clear();
  decoder_ = options_.make_decoder();
  FetchRequest request;
  request.url = options_.urls->Pick();
  request.path = options_.path;
  request.headers = options_.headers();
  fetch_ = options_.client->Start(std::move(request),
                                  std::make_shared<Stream>(shared_from_this()));
}

bool StreamReader::Begin(const HttpResponse& head) {
  if (stopped_) return false;
  status_ = head.status;
  if (status_ != 200) return true;  // its text follows
  working_ = true;
  was_working_ = true;
  was_there_ = true;
  reads_zstd_ = std::ranges::any_of(head.headers, [](const auto& header) {
    return header.first == "X-Strata-Accept" && header.second == "zstd";
  });
  last_logged_.clear();
  options_.logger->Info("established a stream from a member",
                        {{"member", options_.peer}, {"path", options_.path}});
  return true;
}

bool StreamReader::Read(std::string_view bytes) {
  if (stopped_) return false;
  if (status_ != 200) {
    refusal_.append(bytes.substr(0, kMaxRefusalBytes - refusal_.size()));
    return refusal_.size() < kMaxRefusalBytes;
  }
  options_.received(bytes.size());
  std::vector<raft::Message> messages;
  const Status status = decoder_->Decode(bytes, &messages);
  if (!messages.empty()) options_.receive(std::move(messages));
  if (!status.ok()) {
    options_.logger->Warn("dropped a stream that cannot be understood",
                          {{"member", options_.peer}, {"error", status}});
  }
  return status.ok();
}

void StreamReader::LogRefusal(const std::string& why) {
  if (why == last_logged_) return;
  last_logged_ = why;
  options_.logger->Warn(
      "no stream from a member",
      {{"member", options_.peer}, {"path", options_.path}, {"why", why}});
}

// One that was there and then refuses at all its addresses is gone.
void StreamReader::NoticeRefusal(const Status& status) {
  if (status_ != 0) refused_ = 0;
  if (status_ != 0 || !was_there_ || status.code() != Code::kNotFound) return;
  if (++refused_ < options_.urls->All().size()) return;
  was_there_ = false;
  options_.gone();
}

void StreamReader::Ended(const Status& status) {
  working_ = false;
  fetch_ = nullptr;
  if (stopped_) return;
  NoticeRefusal(status);
  options_.urls->Failed(options_.urls->Pick());
  if (status_ == kGone) options_.removed();
  if (status_ != 0 && status_ != 200) {
    while (refusal_.ends_with('\n')) refusal_.pop_back();
    LogRefusal(std::to_string(status_) + " " + refusal_);
  } else {
    LogRefusal(status.ok() ? "it ended" : status.ToString());
  }
  back_off_ = std::exchange(was_working_, false)
                  ? kFirstBackOff
                  : std::clamp(2 * back_off_, kFirstBackOff, kMaxBackOff);
  options_.client->After(back_off_,
                         [self = shared_from_this()] { self->Dial(); });
}

void StreamReader::Stop() {
  stopped_ = true;
  working_ = false;
  if (const auto fetch = std::exchange(fetch_, nullptr)) fetch->Cancel();
}

}  // namespace strata::peer
