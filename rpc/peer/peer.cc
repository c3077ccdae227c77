#include "rpc/peer/peer.h"

#include <utility>

#include "base/bytes.h"
#include "rpc/peer/codec.h"

namespace strata::peer {
namespace {

// What waits for a member that does not read. Appends are bounded by what raft
// has on its way; this is for the case that it is wrong.
constexpr size_t kMaxQueuedAppends = 64 << 20;
constexpr size_t kMaxQueuedMessages = 16 << 20;

// In ticks of 100 ms. A reader gives up after 5 s; a probe as often as etcd's.
constexpr int kKeepAliveTicks = 15;
constexpr int kProbeTicks = 40;

}  // namespace

Peer::Peer(Options options)
    : options_(std::move(options)),
      urls_(std::make_shared<Urls>(options_.urls)),
      counters_(std::make_shared<PeerCounters>()),
      messages_out_(MakeWriter(false)),
      appends_out_(MakeWriter(true)),
      pipeline_(std::make_shared<Pipeline>(Pipeline::Options{
          .client = options_.client,
          .urls = urls_,
          .headers = [self = options_.self] { return RequestHeaders(self()); },
          .lost =
              [lost = options_.lost, counters = counters_] {
                ++counters->sent_failures;
                lost();
              },
          .sent = [counters = counters_](
                      size_t bytes) { counters->sent_bytes += bytes; },
          .removed = options_.removed})),
      messages_in_(options_.stranger ? nullptr : MakeReader(false)),
      appends_in_(options_.stranger ? nullptr : MakeReader(true)),
      snapshots_(
          {.client = options_.snapshot_client,
           .logger = options_.logger,
           .urls = urls_,
           .headers = [self = options_.self] { return RequestHeaders(self()); },
           .counters = counters_,
           .bytes_per_second = options_.snapshots.bytes_per_second,
           .compress = options_.snapshots.compress}) {
  if (options_.stranger) return;
  options_.client->Post([messages = messages_in_] { messages->Start(); });
  options_.append_client->Post([appends = appends_in_] { appends->Start(); });
}

std::shared_ptr<StreamWriter> Peer::MakeWriter(bool appends) {
  return std::make_shared<StreamWriter>(StreamWriter::Options{
      .make_encoder = [appends]() -> std::unique_ptr<Encoder> {
        if (appends) return std::make_unique<AppendEncoder>();
        return std::make_unique<MessageEncoder>();
      },
      .max_queued_bytes = appends ? kMaxQueuedAppends : kMaxQueuedMessages,
      .lost =
          [lost = options_.lost, counters = counters_] {
            ++counters->sent_failures;
            lost();
          },
      .sent = [counters = counters_](
                  size_t bytes) { counters->sent_bytes += bytes; }});
}

std::shared_ptr<StreamReader> Peer::MakeReader(bool appends) {
  const PeerIdentity self = options_.self();
  const std::string kind = appends ? "msgapp/" : "message/";
  return std::make_shared<StreamReader>(StreamReader::Options{
      .client = appends ? options_.append_client : options_.client,
      .logger = options_.logger,
      .path = "/raft/stream/" + kind + HexId(self.member.value()),
      .peer = HexId(options_.member.value()),
      .urls = urls_,
      .headers = [self = options_.self,
                  to = options_.member] { return RequestHeaders(self(), to); },
      .make_decoder = [appends, local = self.member,
                       remote = options_.member]() -> std::unique_ptr<Decoder> {
        if (appends) return std::make_unique<AppendDecoder>(local, remote);
        return std::make_unique<MessageDecoder>();
      },
      .receive =
          [receive = options_.receive,
           appends](std::vector<raft::Message> messages) {
            receive(appends, std::move(messages));
          },
      .received = [counters = counters_](
                      size_t bytes) { counters->received_bytes += bytes; },
      .gone = options_.gone,
      .removed = options_.removed});
}

void Peer::Send(const raft::Message& message) {
  // An append never takes the way of heartbeats: they would wait behind it.
  const bool append = message.type == raft::MessageType::kAppend;
  StreamWriter* const writer =
      append ? appends_out_.get() : messages_out_.get();
  StreamWriter::Outcome outcome = writer->Send(message);
  if (outcome == StreamWriter::Outcome::kNoStream) {
    outcome = pipeline_->Send(message) ? StreamWriter::Outcome::kTaken
                                       : StreamWriter::Outcome::kFull;
  }
  if (outcome == StreamWriter::Outcome::kFull) {
    ++counters_->sent_failures;
    options_.client->Post(options_.lost);
  }
}

void Peer::SendSnapshot(OutgoingSnapshot snapshot) {
  snapshots_.Send(std::move(snapshot),
                  messages_in_ != nullptr && messages_in_->reads_zstd());
}

void Peer::Flush() {
  messages_out_->Flush();
  appends_out_->Flush();
}

std::shared_ptr<HttpHandler> Peer::Attach(
    bool appends, const std::shared_ptr<HttpSink>& sink) {
  const PeerIdentity self = options_.self();
  return (appends ? appends_out_ : messages_out_)
      ->Attach(sink, {{"X-Server-Version", self.version},
                      {"X-Etcd-Cluster-ID", HexId(self.cluster.value())},
                      {"X-Strata-Accept", "zstd"}});
}

void Peer::Probe() {
  FetchRequest request;
  request.url = urls_->Pick();
  request.path = "/raft/probing";
  request.headers.emplace_back("Connection", "close");
  const Time start = options_.client->Now();
  FetchWhole(options_.client, std::move(request),
             [client = options_.client, counters = counters_,
              start](const auto& response) {
               if (!response.ok() || response->status != 200) return;
               counters->AddRoundTrip(client->Now() - start);
             });
}

void Peer::Tick() {
  if (stopped_ || options_.stranger) return;
  const int tick = ticks_++;
  if (tick % kKeepAliveTicks == 0) {
    messages_out_->KeepAlive();
    appends_out_->KeepAlive();
  }
  if (tick % kProbeTicks == 0) Probe();
  const bool active = messages_in_->working() && messages_out_->working();
  if (active == (active_since_ != 0)) return;
  active_since_ = active ? options_.client->Now().count() : 0;
  if (!active) ++counters_->times_lost;
  options_.logger->Info(active ? "a member is reached, and reaches us"
                               : "a member is not reached any more",
                        {{"member", HexId(options_.member.value())}});
}

std::optional<Duration> Peer::ActiveFor() const {
  const int64_t since = active_since_;
  // Known before the next tick: a member that has just died is not to be
  // counted on for a quorum.
  if (since == 0 || !messages_in_->working() || !messages_out_->working()) {
    return std::nullopt;
  }
  return options_.client->Now() - Time(since);
}

PeerStats Peer::stats() const {
  PeerStats stats = counters_->Read();
  stats.member = options_.member;
  stats.active = active_since_ != 0;
  return stats;
}

void Peer::Stop() {
  if (stopped_.exchange(true)) return;
  if (!options_.stranger) {
    options_.client->Post([messages = messages_in_] { messages->Stop(); });
    options_.append_client->Post([appends = appends_in_] { appends->Stop(); });
  }
  pipeline_->Stop();
  messages_out_->Close();
  appends_out_->Close();
  snapshots_.Stop();
}

}  // namespace strata::peer
