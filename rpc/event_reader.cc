#include "rpc/event_reader.h"

#include <utility>

namespace strata {

// What the hub's callback finds, or finds gone. Bound to the loop.
struct EventReader::Session {
  void ReadSome() {
    while (stream != nullptr) {
      const std::optional<WatchResponse> response = stream->Next();
      if (!response.has_value()) return;
      if (response->canceled) {
        stream.reset();
        return read(nullptr, response->revision);
      }
      for (const auto& event : response->events) {
        if (stream == nullptr) return;  // stopped by what it read
        read(event.get(), response->revision);
      }
    }
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
