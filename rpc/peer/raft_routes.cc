#include "rpc/peer/raft_routes.h"

#include <charconv>
#include <utility>

#include "base/bytes.h"
#include "rpc/peer/codec.h"
#include "rpc/peer/snapshot_receiver.h"

namespace strata::peer {
namespace {

constexpr std::string_view kStreams = "/raft/stream/";
constexpr std::string_view kMessages = "message";
constexpr std::string_view kAppends = "msgapp";
constexpr std::string_view kProgress = "/raft/snapshot/progress/";
constexpr uint64_t kMaxSnapshotBytes = uint64_t{1} << 40;

// 0 if it is no number.
uint64_t ParseDecimal(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

// Has been answered; what follows does not matter.
class Answered : public HttpHandler {
 public:
  bool OnBody(std::string_view) override { return true; }
  void OnBodyEnd() override {}
  void OnWritable() override {}
  void OnDone() override {}
};

std::shared_ptr<HttpHandler> Answer(const std::shared_ptr<HttpSink>& sink,
                                    HttpResponse response) {
  sink->Reply(std::move(response));
  return std::make_shared<Answered>();
}

HttpResponse NotReady() {
  return {.status = 503, .headers = {}, .body = "not ready\n"};
}

HttpResponse RemovedSender(const PeerIdentity& self) {
  HttpResponse refusal = DoneResponse(self);
  refusal.status = 403;
  refusal.headers.emplace_back("Content-Type", "application/json");
  refusal.body = R"({"message":"cannot process message from removed member"})";
  return refusal;
}

}  // namespace

bool RaftRoutes::IsRemoved(MemberId member) const {
  return gate_->With(
      [member](Receiver* receiver) { return receiver->IsRemoved(member); },
      false);
}

void RaftRoutes::Meet(const HttpRequest& request) {
  if (const auto sender = SenderOf(request);
      sender.has_value() && !IsRemoved(sender->member)) {
    host_->MeetStranger(*sender);
  }
}

RaftRoutes::Handler RaftRoutes::OpenStream(const HttpRequest& request,
                                           const Sink& sink) {
  const auto self = host_->Self();
  if (!self.has_value()) return Answer(sink, NotReady());
  if (auto refusal = CheckRequest(*self, request, "GET")) {
    return Answer(sink, std::move(*refusal));
  }
  const std::string_view rest =
      std::string_view(request.path).substr(kStreams.size());
  const size_t slash = rest.find('/');
  const std::string_view kind = rest.substr(0, slash);
  if (slash == std::string_view::npos ||
      (kind != kMessages && kind != kAppends)) {
    return Answer(sink, TextResponse(*self, 404, "invalid path"));
  }
  const auto from = ParseHexId(rest.substr(slash + 1));
  if (!from.has_value()) {
    return Answer(sink, TextResponse(*self, 404, "invalid from"));
  }
  if (IsRemoved(MemberId(*from))) {
    return Answer(sink, TextResponse(*self, 410, "removed member"));
  }
  const auto peer = host_->FindPeer(MemberId(*from));
  if (peer == nullptr || peer->stranger()) {
    Meet(request);
    return Answer(sink, TextResponse(*self, 404, "error sender not found"));
  }
  const std::string* const to = request.Find("X-Raft-To");
  if (to == nullptr || *to != HexId(self->member.value())) {
    return Answer(sink, TextResponse(*self, 412, "to field mismatch"));
  }
  return peer->Attach(kind == kAppends, sink);
}

RaftRoutes::Handler RaftRoutes::OpenSnapshot(const HttpRequest& request,
                                             const Sink& sink) {
  const auto self = host_->Self();
  if (!self.has_value()) return Answer(sink, NotReady());
  if (auto refusal = CheckRequest(*self, request, "POST")) {
    return Answer(sink, std::move(*refusal));
  }
  const auto sender = SenderOf(request);
  if (sender.has_value() && IsRemoved(sender->member)) {
    return Answer(sink, RemovedSender(*self));
  }
  Meet(request);
  const std::string* const encoding = request.Find("Content-Encoding");
  const std::string* const name = request.Find("X-Strata-Snapshot");
  const std::string* const offset = request.Find("X-Strata-Offset");
  return std::make_shared<SnapshotReceiver>(
      SnapshotReceiver::Options{
          .self = *self,
          .gate = gate_,
          .disk = disk_,
          .logger = logger_,
          .compressed = encoding != nullptr && *encoding == "zstd",
          .name = name == nullptr ? "" : *name,
          .offset = offset == nullptr ? 0 : ParseDecimal(*offset),
          .broken = broken_,
          .counters =
              [host = host_](MemberId from) {
                const auto peer = host->FindPeer(from);
                return peer == nullptr ? nullptr : peer->counters();
              }},
      sink);
}

// Of a snapshot whose connection broke: how much of it is here. The other end
// may know of the break before we do.
void RaftRoutes::TellProgress(const HttpRequest& request,
                              const HttpReply& reply) {
  const auto self = host_->Self();
  if (!self.has_value()) return reply(NotReady());
  if (auto refusal = CheckRequest(*self, request, "GET")) {
    return reply(std::move(*refusal));
  }
  const auto sender = SenderOf(request);
  disk_->Post([broken = broken_, self = *self, reply,
               from = sender ? sender->member : MemberId(),
               name = request.path.substr(kProgress.size())] {
    broken->Break(from, name);
    reply(TextResponse(self, 200, std::to_string(broken->BytesOf(from, name))));
  });
}

HttpResponse RaftRoutes::TakeMessage(const HttpRequest& request,
                                     std::string_view body) {
  const auto self = host_->Self();
  if (!self.has_value()) return NotReady();
  if (auto refusal = CheckRequest(*self, request, "POST")) return *refusal;
  auto message = raft::DecodeMessage(body);
  if (!message.ok()) {
    return TextResponse(*self, 400, "error unmarshalling raft message");
  }
  if (IsRemoved(message->from)) return RemovedSender(*self);
  Meet(request);
  if (const auto peer = host_->FindPeer(message->from); peer != nullptr) {
    peer->counters()->received_bytes += body.size();
  }
  std::vector<raft::Message> messages;
  messages.push_back(std::move(*message));
  host_->Deliver(std::move(messages));
  return DoneResponse(*self);
}

HttpResponse RaftRoutes::Probe(const HttpRequest& request) const {
  const auto self = host_->Self();
  if (!self.has_value()) return NotReady();
  if (request.method != "GET") {
    return TextResponse(*self, 405, "Method Not Allowed");
  }
  // Nobody looks at the second value but to subtract it: the other's clock.
  return {
      .status = 200,
      .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
      .body = R"({"OK":true,"Now":")" + UtcTime(disk_->WallNow()) + "\"}\n"};
}

std::vector<HttpRoute> RaftRoutes::Routes() {
  return {
      {std::string(kStreams), 0,
       [this](const HttpRequest& request, const Sink& sink) {
         return OpenStream(request, sink);
       }},
      WholeBodyRoute(
          std::string(kProgress), 0,
          [this](const HttpRequest& request, const std::string&,
                 const HttpReply& reply) { TellProgress(request, reply); }),
      {"/raft/snapshot", kMaxSnapshotBytes,
       [this](const HttpRequest& request, const Sink& sink) {
         return OpenSnapshot(request, sink);
       }},
      WholeBodyRoute("/raft", kMaxFrameBytes,
                     [this](const HttpRequest& request, const std::string& body,
                            const HttpReply& reply) {
                       reply(TakeMessage(request, body));
                     }),
      WholeBodyRoute(
          "/raft/probing", 0,
          [this](const HttpRequest& request, const std::string&,
                 const HttpReply& reply) { reply(Probe(request)); })};
}

}  // namespace strata::peer
