#include "rpc/event_reader.h"

#include <utility>

namespace strata {

// What the hub's callback finds, or finds gone. Bound to the loop but for the
// pointer to itself.
struct EventReader::Session : std::enable_shared_from_this<Session> {
  // False once it is over.
  bool ReadSome() {
    while (stream != nullptr) {
      const std::optional<WatchResponse> response = stream->Next();
      if (!response.has_value()) return true;
      if (response->canceled) {
        stream.reset();
        read(nullptr, response->revision);
        return false;
      }
      for (const auto& event : response->events) {
        if (stream == nullptr) return false;  // stopped by what it read
        read(event.get(), response->revision);
      }
    }
    return false;
  }

  std::unique_ptr<WatchStream> stream;
  Read read;
};

EventReader::EventReader(WatchHub* hub, Loop* loop) : hub_(hub), loop_(loop) {}

EventReader::~EventReader() { Stop(); }

void EventReader::Start(const WatchRequest& request, Read read) {
  Stop();
  auto session = std::make_shared<Session>();
  session_ = session;
  session->read = std::move(read);
  session->stream =
      hub_->NewStream([loop = loop_, weak = std::weak_ptr<Session>(session)] {
        loop->Post([weak] {
          if (const auto here = weak.lock()) here->ReadSome();
        });
      });
  session->stream->Watch(request);
  session->ReadSome();
}

void EventReader::Stop() {
  if (session_ == nullptr) return;
  session_->stream.reset();
  session_.reset();
}

}  // namespace strata
