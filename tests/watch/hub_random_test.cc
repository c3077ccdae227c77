#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/random.h"
#include "base/sim_loop.h"
#include "engine/mem_backend.h"
#include "engine/watch/hub_impl.h"
#include "tests/watch/checker.h"

namespace strata::testing {
namespace {

constexpr int kKeys = 12;

std::string Key(uint64_t i) {
  return std::string(1, static_cast<char>('a' + i));
}

// A watcher: its stream, what it was told.
struct Watching {
  explicit Watching(WatchLog::Wanted wanted) : log(std::move(wanted)) {}

  WatchLog log;
  std::string stream;
  WatchId id;
  int64_t from = 0;
  bool active = false;
};

// A store and a hub whose loops take turns as the seed decides, clients that
// take when they like, and a record of all of it.
class RandomWorld {
 public:
  explicit RandomWorld(uint64_t seed)
      : random_(seed), sim_({.shuffle = true, .random_seed = seed}) {
    StoreOptions options;
    options.flusher = flusher_.get();
    auto store = Store::Open(NewMemBackend(), options, Logger::Null());
    CHECK_OK(store);
    store_ = std::move(*store);
    hub_ = std::make_unique<WatchHubImpl>(store_.get(), pump_.get(),
                                          WatchHubOptions{}, Logger::Null());
    for (int i = 0; i < 12; ++i) {
      watching_.push_back(std::make_unique<Watching>(RandomWanted()));
      watching_.back()->id = WatchId(i + 1);
    }
  }
  ~RandomWorld() {
    streams_.clear();
    hub_.reset();
    CHECK_OK(store_->Close());
  }

  void Step() {
    const uint64_t dice = random_.Below(100);
    if (dice < 45) {
      Change();
    } else if (dice < 46) {
      Burst();
    } else if (dice < 48) {
      Compact();
    } else if (dice < 56) {
      Begin(watching_[random_.Below(watching_.size())].get());
    } else if (dice < 58) {
      BreakOff("s" + std::to_string(random_.Below(4)));
    } else if (dice < 62) {
      Stream("s" + std::to_string(random_.Below(4)))->RequestProgress();
    } else if (dice < 80) {
      for (uint64_t i = random_.Below(20); i > 0; --i) sim_.Step();
    } else {
      Take("s" + std::to_string(random_.Below(4)), random_.Below(6));
    }
    if (random_.OneIn(50)) hub_->Check();
  }

  // Everybody takes all; what is wrong then.
  std::string Finish() {
    BeginAll();
    for (int quiet = 0; quiet < 3; ++quiet) {
      CHECK(sim_.RunUntilIdle());
      for (auto& [name, stream] : streams_) {
        if (Take(name, SIZE_MAX)) quiet = 0;
      }
      BeginAll();
    }
    hub_->Check();
    std::string wrong;
    for (const auto& watching : watching_) {
      for (const Violation& violation :
           CheckWatch(truth_, watching->log, store_->revision().value())) {
        wrong += PromiseName(violation.promise) + ": " + violation.what + "\n";
      }
      events_ += watching->log.events();
    }
    return wrong;
  }
  size_t events() const { return events_; }

 private:
  WatchLog::Wanted RandomWanted() {
    WatchLog::Wanted wanted;
    wanted.key = Key(random_.Below(kKeys));
    if (random_.OneIn(2)) {
      wanted.end = random_.OneIn(2) ? std::string(1, '\0') : Key(kKeys);
    }
    wanted.no_put = random_.OneIn(8);
    wanted.no_delete = random_.OneIn(8);
    wanted.prev_kv = random_.OneIn(3);
    return wanted;
  }

  WatchStream* Stream(const std::string& name) {
    auto& stream = streams_[name];
    if (stream == nullptr) stream = hub_->NewStream([] {});
    return stream.get();
  }

  void EndEntry() {
    store_->EndEntry(store_->applied() + 1, Term(1));
    hub_->Published();
  }

  void Change() {
    const int64_t revision = store_->revision().value() + 1;
    if (random_.OneIn(6)) {
      const std::string key = Key(random_.Below(kKeys));
      const std::string end = Key(kKeys);
      for (auto at = now_.lower_bound(key); at != now_.end(); ++at) {
        truth_.Delete(revision, *at);
      }
      now_.erase(now_.lower_bound(key), now_.end());
      CHECK_OK(store_->DeleteRange({.range = {.key = key, .end = end}}));
    } else {
      Put(revision);
    }
    EndEntry();
  }
  void Put(int64_t revision) {
    const std::string key = Key(random_.Below(kKeys));
    const std::string value = std::to_string(++values_);
    CHECK_OK(store_->Put({.key = key, .value = value}));
    truth_.Put(revision, key, value);
    now_.insert(key);
  }
  // More than may wait for a watcher.
  void Burst() {
    for (uint64_t i = 0; i < limits::kWatchPendingEvents * 2; ++i) {
      Put(store_->revision().value() + 1);
      EndEntry();
    }
  }
  void Compact() {
    const int64_t now = store_->revision().value();
    const int64_t at =
        now - static_cast<int64_t>(random_.OneIn(3) ? 0 : random_.Below(300));
    if (at <= truth_.compacted() || at < 2) return;
    CHECK_OK(store_->Compact(Revision(at), nullptr));
    truth_.Compact(at);
    EndEntry();
  }

  // Begins where it was, or a little before, on any stream; or cancels.
  void Begin(Watching* watching) {
    if (watching->active) {
      if (random_.OneIn(3)) Stream(watching->stream)->Cancel(watching->id);
      return;
    }
    watching->stream = "s" + std::to_string(random_.Below(4));
    watching->from = watching->log.resume();
    if (random_.OneIn(4)) {
      watching->from = std::max<int64_t>(
          1, watching->from - static_cast<int64_t>(random_.Below(50)));
    }
    const WatchLog::Wanted& wanted = watching->log.wanted();
    Stream(watching->stream)
        ->Watch({.range = {.key = wanted.key, .end = wanted.end},
                 .start = Revision(watching->from),
                 .id = watching->id,
                 .prev_kv = wanted.prev_kv,
                 .no_put = wanted.no_put,
                 .no_delete = wanted.no_delete});
    watching->active = true;
  }

  void BeginAll() {
    for (const auto& watching : watching_) {
      if (!watching->active) Begin(watching.get());
    }
  }

  // The connection is gone, with what had not been taken.
  void BreakOff(const std::string& name) {
    streams_.erase(name);
    for (const auto& watching : watching_) {
      if (watching->stream == name) watching->active = false;
    }
  }

  bool Take(const std::string& name, uint64_t count) {
    bool any = false;
    for (; count > 0; --count) {
      const auto response = Stream(name)->Next();
      if (!response.has_value()) break;
      Record(name, *response);
      any = true;
    }
    return any;
  }

  void Record(const std::string& name, const WatchResponse& response) {
    if (response.id == kNoWatchId) {
      for (const auto& watching : watching_) {
        if (watching->active && watching->stream == name) {
          watching->log.Progress(response.revision.value());
        }
      }
      return;
    }
    Watching* const watching =
        watching_[static_cast<size_t>(response.id.value() - 1)].get();
    if (response.created) {
      ASSERT_FALSE(response.canceled) << response.cancel_reason;
      watching->log.Begin(watching->from == 0 ? response.revision.value() + 1
                                              : watching->from);
    } else if (response.canceled) {
      watching->active = false;
      if (response.compact_revision != Revision(0)) {
        watching->log.Compacted(response.compact_revision.value());
      }
    } else {
      watching->log.Events(ToEvents(response));
    }
  }

  static std::vector<WatchedEvent> ToEvents(const WatchResponse& response) {
    std::vector<WatchedEvent> events;
    for (const auto& from : response.events) {
      const auto kv = DecodeKeyValue(from->kv());
      CHECK_OK(kv);
      WatchedEvent& event = events.emplace_back();
      event.revision = from->revision().value();
      event.is_delete = from->is_delete();
      event.key = kv->key;
      event.value = kv->value;
      if (!response.prev_kv || from->prev_kv().empty()) continue;
      const auto prev = DecodeKeyValue(from->prev_kv());
      CHECK_OK(prev);
      event.prev = std::string(prev->value);
    }
    return events;
  }

  Random random_;
  SimWorld sim_;
  std::unique_ptr<SimLoop> flusher_ = sim_.NewLoop("flusher");
  std::unique_ptr<SimLoop> pump_ = sim_.NewLoop("pump");
  std::unique_ptr<Store> store_;
  std::unique_ptr<WatchHubImpl> hub_;
  std::map<std::string, std::unique_ptr<WatchStream>> streams_;
  std::vector<std::unique_ptr<Watching>> watching_;
  WatchTruth truth_;
  std::set<std::string> now_;
  int64_t values_ = 0;
  size_t events_ = 0;
};

TEST(HubRandomTest, PromisesAreKept) {
  size_t events = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    RandomWorld world(seed);
    for (int i = 0; i < 1500; ++i) world.Step();
    ASSERT_EQ(world.Finish(), "") << "seed " << seed;
    events += world.events();
  }
  EXPECT_GT(events, 100'000u);
}

}  // namespace
}  // namespace strata::testing
