#ifndef STRATA_RPC_PEER_STREAM_READER_H_
#define STRATA_RPC_PEER_STREAM_READER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "raft/message.h"
#include "rpc/peer/codec.h"
#include "rpc/peer/http_client.h"
#include "rpc/peer/urls.h"

namespace strata::peer {

// Our end of a stream that another member writes for us: dials it, hands on
// what comes, and dials again when it ends. Bound to the client's thread.
class StreamReader : public std::enable_shared_from_this<StreamReader> {
 public:
  struct Options {
    HttpClient* client = nullptr;
    Logger* logger = nullptr;
    std::string path = {};  // "/raft/stream/message/8e9e05c52164694d"
    std::string peer = {};  // its id, for the log
    std::shared_ptr<Urls> urls = {};
    std::function<std::vector<HttpRequest::Header>()> headers = {};
    std::function<std::unique_ptr<Decoder>()> make_decoder = {};
    std::function<void(std::vector<raft::Message>)> receive = {};
    std::function<void(size_t bytes)> received = {};
    // It was there, and now nobody listens at its addresses.
    std::function<void()> gone = {};
    std::function<void()> removed = {};  // it says that we are removed
  };
  explicit StreamReader(Options options) : options_(std::move(options)) {}

  void Start() { Dial(); }
  // Hands on nothing more.
  void Stop();
  // Whether there is a stream. Any thread.
  bool working() const { return working_; }
  // Whether the other end said, last time, that it takes snapshots in zstd. Any
  // thread.
  bool reads_zstd() const { return reads_zstd_; }

 private:
  class Stream;

  void Dial();
  bool Begin(const HttpResponse& head);
  bool Read(std::string_view bytes);
  void Ended(const Status& status);
  void NoticeRefusal(const Status& status);
  void LogRefusal(const std::string& why);

  const Options options_;
  std::atomic<bool> working_ = false;
  std::atomic<bool> reads_zstd_ = false;
  bool stopped_ = false;
  bool was_working_ = false;  // since the last dial
  bool was_there_ = false;    // since it was last gone
  size_t refused_ = 0;        // dials in a row, as nobody listens
  Duration back_off_ = {};
  std::shared_ptr<Fetch> fetch_;
  std::unique_ptr<Decoder> decoder_;
  int status_ = 0;           // of the response
  std::string refusal_;      // its text
  std::string last_logged_;  // each refusal is logged once in a row
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_STREAM_READER_H_
