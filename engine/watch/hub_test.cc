#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/sim_loop.h"
#include "base/transcript.h"
#include "engine/mem_backend.h"
#include "engine/store_testing.h"
#include "engine/watch/hub_impl.h"

namespace strata {
namespace {

constexpr Duration kProgressInterval = std::chrono::minutes(10);

// "put a=1 create=2 mod=3 version=2 prev(...)" or "delete a mod=3".
std::string ToString(const WatchEvent& event, bool prev_kv) {
  const auto kv = DecodeKeyValue(event.kv());
  EXPECT_TRUE(kv.ok()) << kv.status();
  EXPECT_EQ(kv->key, event.key());
  std::string out = event.is_delete()
                        ? "delete " + Printable(kv->key) +
                              " mod=" + std::to_string(kv->mod_revision.value())
                        : "put " + testing::ToString(*kv);
  if (prev_kv && !event.prev_kv().empty()) {
    const auto prev = DecodeKeyValue(event.prev_kv());
    EXPECT_TRUE(prev.ok()) << prev.status();
    out += " prev(" + testing::ToString(*prev) + ")";
  }
  return out;
}

std::string ToString(const WatchResponse& response) {
  std::string out = "id=" + std::to_string(response.id.value()) +
                    " rev=" + std::to_string(response.revision.value());
  if (response.created) out += " created";
  if (response.canceled) out += " canceled";
  if (!response.cancel_reason.empty()) {
    out += " \"" + response.cancel_reason + "\"";
  }
  if (response.compact_revision != Revision(0)) {
    out += " compacted=" + std::to_string(response.compact_revision.value());
  }
  if (response.fragment) out += " fragment";
  for (const auto& event : response.events) {
    out += "\n  " + ToString(*event, response.prev_kv);
  }
  return out;
}

// A store in memory and a hub on it, in one thread.
class World {
 public:
  explicit World(Level level = Level::V3_5()) {
    StoreOptions options;
    options.level = level;
    options.flusher = flusher_.get();
    auto backend = NewMemBackend();
    backend_ = backend.get();
    auto store = Store::Open(std::move(backend), options, Logger::Null());
    CHECK_OK(store);
    store_ = std::move(*store);
    script_ = std::make_unique<testing::StoreScript>(store_.get());
    hub_ = std::make_unique<WatchHubImpl>(
        store_.get(), pump_.get(),
        WatchHubOptions{.level = level, .progress_interval = kProgressInterval},
        Logger::Null());
  }
  ~World() {
    streams_.clear();
    hub_.reset();
    CHECK_OK(store_->Close());
  }

  void Put(const std::string& key, const std::string& value) {
    CHECK_OK(store_->Put({.key = key, .value = value}));
    store_->EndEntry(LogIndex(++entry_), Term(1));
    hub_->Published();
  }
  void Compact(int64_t revision) {
    CHECK_OK(store_->Compact(Revision(revision), nullptr));
    store_->EndEntry(LogIndex(++entry_), Term(1));
  }
  void Pump() {
    CHECK(sim_.RunUntilIdle());
    hub_->Check();
  }
  void RunFor(Duration duration) { sim_.RunFor(duration); }
  void Flush() {
    store_->Flush([](const Status& status) { CHECK_OK(status); });
    Pump();
  }
  // Behind the store's back.
  void Damage(int64_t revision) {
    Batch batch;
    batch.Put(Table::kKey, RevisionKey({Revision(revision), 0}, false).view(),
              "\xff");
    CHECK_OK(backend_->Write(batch));
  }

  WatchStream* stream(const std::string& name) {
    auto& stream = streams_[name];
    if (stream == nullptr) {
      stream = hub_->NewStream([this, name] { ++ready_[name]; });
    }
    return stream.get();
  }
  void Close(const std::string& name) { streams_.erase(name); }
  int ready(const std::string& name) { return ready_[name]; }
  WatchHubImpl* hub() { return hub_.get(); }
  Store* store() { return store_.get(); }
  testing::StoreScript* script() { return script_.get(); }

  // All there is to say until nothing is left. Who finds that it has fallen
  // behind is fed only then, so it is asked twice.
  std::vector<WatchResponse> TakeAll(const std::string& name) {
    std::vector<WatchResponse> taken;
    for (int quiet = 0; quiet < 2; ++quiet) {
      Pump();
      while (auto response = stream(name)->Next()) {
        taken.push_back(std::move(*response));
        quiet = 0;
      }
    }
    return taken;
  }

 private:
  SimWorld sim_;
  std::unique_ptr<SimLoop> flusher_ = sim_.NewLoop("flusher");
  std::unique_ptr<SimLoop> pump_ = sim_.NewLoop("pump");
  Backend* backend_ = nullptr;  // the store's
  std::unique_ptr<Store> store_;
  std::unique_ptr<testing::StoreScript> script_;
  std::unique_ptr<WatchHubImpl> hub_;
  std::map<std::string, std::unique_ptr<WatchStream>> streams_;
  std::map<std::string, int> ready_;
  uint64_t entry_ = 0;
};

WatchRequest ToWatch(const TranscriptCommand& command) {
  WatchRequest request;
  if (command.args.size() > 1) request.range.key = command.args[1];
  if (command.args.size() > 2) request.range.end = command.args[2];
  request.start = Revision(command.Number("start"));
  request.id = WatchId(command.Number("id"));
  for (const std::string& arg : command.args) {
    request.prev_kv = request.prev_kv || arg == "+prev";
    request.progress_notify = request.progress_notify || arg == "+progress";
    request.no_put = request.no_put || arg == "+noput";
    request.no_delete = request.no_delete || arg == "+nodelete";
    request.fragment = request.fragment || arg == "+fragment";
  }
  if (!request.range.end.empty() && request.range.end[0] == '+') {
    request.range.end = {};
  }
  return request;
}

// watch S [KEY [END]] [start=] [id=] [+prev] [+progress] [+noput] [+nodelete]
//     [+fragment]
// cancel S ID, progress S, close S
// take S N       N responses as they are now
// next S         all, after the pump has run
// compact REV    (the store's own command would wait for it)
// wait SECONDS   of simulated time
// counters       and otherwise the store's own commands
std::string Run(World* world, const TranscriptCommand& command) {
  const std::string name = command.args.empty() ? "" : command.args[0];
  if (command.name == "watch") {
    world->stream(name)->Watch(ToWatch(command));
  } else if (command.name == "cancel") {
    world->stream(name)->Cancel(WatchId(std::stoll(command.args[1])));
  } else if (command.name == "progress") {
    world->stream(name)->RequestProgress();
  } else if (command.name == "close") {
    world->Close(name);
  } else if (command.name == "compact") {
    world->Compact(std::stoll(name));
  } else if (command.name == "wait") {
    world->RunFor(std::chrono::seconds(std::stoll(name)));
  } else if (command.name == "take") {
    std::string out;
    for (int i = std::stoi(command.args[1]); i > 0; --i) {
      const auto response = world->stream(name)->Next();
      out += (out.empty() ? "" : "\n") +
             (response ? ToString(*response) : "nothing");
    }
    return out;
  } else if (command.name == "next") {
    std::string out;
    for (const WatchResponse& response : world->TakeAll(name)) {
      out += (out.empty() ? "" : "\n") + ToString(response);
    }
    return out.empty() ? "nothing" : out;
  } else if (command.name == "counters") {
    const WatchCounters counters = world->hub()->counters();
    return "streams=" + std::to_string(counters.watch_stream_total) +
           " watchers=" + std::to_string(counters.watcher_total) +
           " slow=" + std::to_string(counters.slow_watcher_total) +
           " pending=" + std::to_string(counters.pending_events_total) +
           " events=" + std::to_string(counters.events_total);
  } else {
    std::string out = world->script()->Run(command);
    world->hub()->Published();
    return out;
  }
  return "";
}

std::string RunStory(const std::string& path, Level level) {
  World world(level);
  return RunTranscript(path, [&world](const TranscriptCommand& command) {
    return Run(&world, command);
  });
}

TEST(WatchHubTest, Transcript) {
  EXPECT_EQ(RunStory("engine/testdata/watch.txt", Level::V3_5()), "");
}

// --- what would be too long for a story ---

WatchRequest All() {
  return {.range = {.key = {}, .end = std::string_view("\0", 1)}};
}

// Each event just once and in order, whatever way it came.
void ExpectRevisions(const std::vector<WatchResponse>& responses, int64_t from,
                     int64_t to) {
  int64_t next = from;
  for (const WatchResponse& response : responses) {
    for (const auto& event : response.events) {
      ASSERT_EQ(event->revision().value(), next);
      ++next;
    }
  }
  EXPECT_EQ(next, to + 1);
}

TEST(WatchHubTest, ASlowClientCostsACursor) {
  World world;
  world.stream("slow")->Watch(All());
  world.stream("fast")->Watch(All());
  world.TakeAll("slow");
  world.TakeAll("fast");
  const int64_t puts = 5000;
  for (int64_t i = 0; i < puts; ++i) {
    world.Put("k", std::string(100, 'v'));
    if (i % 100 != 0) continue;
    const auto taken = world.TakeAll("fast");
    ASSERT_FALSE(taken.empty());
  }
  world.TakeAll("fast");
  const WatchCounters counters = world.hub()->counters();
  EXPECT_EQ(counters.slow_watcher_total, 1);
  EXPECT_LE(counters.pending_events_total,
            static_cast<int64_t>(limits::kWatchPendingEvents));
  ExpectRevisions(world.TakeAll("slow"), 2, 1 + puts);
  EXPECT_EQ(world.hub()->counters().slow_watcher_total, 0);
  EXPECT_EQ(world.hub()->counters().pending_events_total, 0);
  EXPECT_EQ(world.hub()->window_bytes(), 0u);
}

// Nor is it fed from the store for nothing.
TEST(WatchHubTest, AClientThatDoesNotReadIsNotFedAgain) {
  World world;
  const int64_t puts = 5000;
  for (int64_t i = 0; i < puts; ++i) world.Put("k", "v");
  WatchRequest request = All();
  request.start = Revision(2);
  for (int i = 0; i < 3; ++i) world.stream("s")->Watch(request);
  for (int i = 0; i < 10; ++i) world.Pump();
  EXPECT_EQ(world.hub()->counters().slow_watcher_total, 3);
  EXPECT_LE(world.hub()->counters().pending_events_total, 3 * 1000);
  std::map<WatchId, std::vector<WatchResponse>> taken;
  for (auto& response : world.TakeAll("s")) {
    taken[response.id].push_back(std::move(response));
  }
  for (const auto& [id, responses] : taken) {
    ExpectRevisions(responses, 2, 1 + puts);
  }
  EXPECT_EQ(taken.size(), 3u);
}

// Who cannot be told what comes next is told that, and nobody else.
TEST(WatchHubTest, DamageEndsTheWatch) {
  World world;
  for (int i = 0; i < 4; ++i) world.Put("k", "v");
  world.Flush();
  world.Damage(3);
  world.Put("k", "v");
  world.Flush();
  world.stream("now")->Watch(All());
  world.TakeAll("now");
  WatchRequest request = All();
  request.start = Revision(2);
  world.stream("past")->Watch(request);
  const auto taken = world.TakeAll("past");
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_TRUE(taken[1].canceled);
  EXPECT_TRUE(taken[1].cancel_reason.starts_with("a stored value is no"))
      << taken[1].cancel_reason;
  world.Put("k", "v");
  EXPECT_EQ(world.TakeAll("now").size(), 1u);
}

// Many slow clients of different keys: what waits for all of them is bounded.
TEST(WatchHubTest, TheWindowIsBounded) {
  World world;
  const int streams = 100;
  for (int i = 0; i < streams; ++i) {
    const std::string key = std::to_string(i);
    world.stream(key)->Watch({.range = {.key = key, .end = {}}});
    world.TakeAll(key);
  }
  const std::string value(100'000, 'v');
  const int rounds = 5;  // 50 MB
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < streams; ++i) world.Put(std::to_string(i), value);
    world.Pump();
    EXPECT_LE(world.hub()->window_bytes(), limits::kWatchWindowBytes);
  }
  for (int i = 0; i < streams; ++i) {
    int events = 0;
    for (const auto& response : world.TakeAll(std::to_string(i))) {
      for (const auto& event : response.events) {
        EXPECT_EQ((event->revision().value() - 2) % streams, i);
        ++events;
      }
    }
    EXPECT_EQ(events, rounds);
  }
}

TEST(WatchHubTest, CatchingUpWhileItGoesOn) {
  World world;
  for (int i = 0; i < 4500; ++i) world.Put("k", "v");
  for (int i = 0; i < 20; ++i) {
    WatchRequest request = All();
    request.start = Revision(2 + i * 100);
    world.stream(std::to_string(i))->Watch(request);
  }
  std::map<int, std::vector<WatchResponse>> taken;
  for (int round = 0; round < 300; ++round) {
    world.Put("k", "w");
    world.Pump();
    for (int i = 0; i < 20; ++i) {
      // Some take much, some little.
      for (int n = i % 5; n >= 0; --n) {
        if (auto response = world.stream(std::to_string(i))->Next()) {
          taken[i].push_back(std::move(*response));
        }
      }
    }
  }
  for (int i = 0; i < 20; ++i) {
    for (auto& response : world.TakeAll(std::to_string(i))) {
      taken[i].push_back(std::move(response));
    }
    ExpectRevisions(taken[i], 2 + i * 100, 1 + 4800);
  }
}

// All changes of a revision in one response, however many.
TEST(WatchHubTest, ALargeRevisionIsOneResponse) {
  World world;
  for (int i = 0; i < 3000; ++i) world.Put("k" + std::to_string(i), "v");
  world.stream("s")->Watch(All());
  WatchRequest past = All();
  past.start = Revision(3002);
  world.TakeAll("s");
  CHECK_OK(world.store()->DeleteRange({.range = {.key = "k", .end = "l"}}));
  world.store()->EndEntry(LogIndex(100000), Term(1));
  world.hub()->Published();
  world.Put("after", "v");
  world.stream("t")->Watch(past);
  for (const char* name : {"s", "t"}) {
    const auto taken = world.TakeAll(name);
    size_t deletes = 0;
    for (const auto& response : taken) {
      if (response.events.empty()) continue;
      if (!response.events.front()->is_delete()) continue;
      deletes = response.events.size();
    }
    EXPECT_GE(deletes, 3000u) << name;
  }
}

// A compaction removes nothing that the pump has still to feed, nor what was
// before it.
TEST(WatchHubTest, ACompactionWaitsForThePump) {
  World world;
  world.Put("k", "1");
  WatchRequest request{.range = {.key = "k", .end = {}}, .prev_kv = true};
  world.stream("s")->Watch(request);
  world.Put("k", "2");
  world.Put("k", "3");
  world.Compact(4);
  const auto taken = world.TakeAll("s");
  ASSERT_EQ(taken.size(), 2u);
  ASSERT_EQ(taken[1].events.size(), 2u);
  EXPECT_EQ(ToString(*taken[1].events[0], true),
            "put k=2 create=2 mod=3 version=2 prev(k=1 create=2 mod=2 "
            "version=1)");
  EXPECT_EQ(ToString(*taken[1].events[1], true),
            "put k=3 create=2 mod=4 version=3 prev(k=2 create=2 mod=3 "
            "version=2)");
  // And then it is done.
  EXPECT_EQ(world.store()
                ->ReadChanges(
                    {.from = Revision(1), .end = Revision(100), .held = true})
                ->changes.size(),
            1u);
}

TEST(WatchHubTest, NobodyIsCalledUnlessItHasSaidThatThereIsNothing) {
  World world;
  world.stream("s")->Watch(All());
  world.Put("a", "1");
  world.Pump();
  EXPECT_EQ(world.ready("s"), 1);
  world.Put("a", "2");
  world.Pump();
  EXPECT_EQ(world.ready("s"), 1);  // it knows
  EXPECT_TRUE(world.stream("s")->Next()->created);
  EXPECT_EQ(world.stream("s")->Next()->events.size(), 2u);
  world.Put("a", "3");
  world.Pump();
  EXPECT_EQ(world.ready("s"), 1);  // it has not said that there was nothing
  EXPECT_EQ(world.stream("s")->Next()->events.size(), 1u);
  EXPECT_EQ(world.stream("s")->Next(), std::nullopt);
  world.Put("a", "4");
  world.Pump();
  EXPECT_EQ(world.ready("s"), 2);
}

// Readers of the hub from many threads; for tsan.
TEST(WatchHubTest, ManyThreads) {
  auto flusher = NewThreadedLoop("flusher");
  auto pump = NewThreadedLoop("pump");
  StoreOptions options;
  options.flusher = flusher.get();
  options.batch_interval = std::chrono::milliseconds(1);
  auto store = Store::Open(NewMemBackend(), options, Logger::Null());
  CHECK_OK(store);
  auto hub = WatchHub::New(store->get(), pump.get(), {}, Logger::Null());
  constexpr int kPuts = 3000;
  std::vector<std::unique_ptr<Loop>> clients;
  std::atomic<int> finished = 0;
  for (int client = 0; client < 4; ++client) {
    clients.push_back(NewThreadedLoop("client"));
    clients.back()->Post([&, client, loop = clients.back().get()] {
      std::atomic<int> ready = 0;
      auto stream = hub->NewStream([&ready] { ++ready; });
      WatchRequest request = All();
      request.prev_kv = client % 2 == 0;
      request.start = Revision(client < 2 ? 2 : 0);
      stream->Watch(request);
      stream->RequestProgress();
      int64_t last = 0;
      while (last < 1 + kPuts) {
        const auto response = stream->Next();
        if (!response.has_value()) {
          std::this_thread::yield();
          continue;
        }
        for (const auto& event : response->events) {
          const int64_t revision = event->revision().value();
          EXPECT_TRUE(last == 0 || revision == last + 1) << revision;
          last = revision;
        }
      }
      // Its on_ready may be called until the pump has done something else.
      stream.reset();
      std::promise<void> passed;
      pump->Post([&passed] { passed.set_value(); });
      passed.get_future().wait();
      ++finished;
    });
  }
  for (int i = 0; i < kPuts; ++i) {
    CHECK_OK((*store)->Put({.key = "k", .value = "v"}));
    (*store)->EndEntry(LogIndex(static_cast<uint64_t>(i) + 1), Term(1));
    hub->Published();
  }
  // Those who began late have still to see something.
  while (finished < 4) {
    CHECK_OK((*store)->Put({.key = "k", .value = "v"}));
    (*store)->EndEntry((*store)->applied() + 1, Term(1));
    hub->Published();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  clients.clear();
  hub.reset();
  pump.reset();
  CHECK_OK((*store)->Close());
}

}  // namespace
}  // namespace strata
