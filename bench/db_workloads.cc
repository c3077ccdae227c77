#include "bench/db_workloads.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include "base/check.h"
#include "bench/process_stat.h"
#include "engine/key_value.h"

namespace strata::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kRandomBytes = 1 << 20;
constexpr uint64_t kTellEvery = 1024;
constexpr double kHotShare = 0.01;     // of the keys, for readhot
constexpr uint64_t kReaderLife = 100;  // reads of one view in `mixed`
constexpr uint64_t kReadSamples = 1 << 20;
constexpr uint64_t kCompactKeys = 10000;
constexpr int kOpens = 5;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Times one call.
template <typename Function>
void Timed(Histogram* latency, const Function& function) {
  const auto begin = Clock::now();
  function();
  latency->Add(static_cast<uint64_t>((Clock::now() - begin).count()));
}

std::string MakeRandomBytes(uint64_t seed) {
  Random random(seed);
  std::string bytes(kRandomBytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

}  // namespace

WorkloadRunner::WorkloadRunner(std::string engine, std::string directory,
                               const WorkloadSizes& sizes, uint64_t cache_bytes)
    : name_(std::move(engine)),
      directory_(std::move(directory)),
      sizes_(sizes),
      cache_bytes_(cache_bytes),
      random_bytes_(MakeRandomBytes(sizes.seed)),
      random_(sizes.seed),
      index_(std::make_unique<KeyIndex>()) {
  std::filesystem::remove_all(directory_);
  std::filesystem::create_directories(directory_);
  order_.resize(sizes_.num);
  std::iota(order_.begin(), order_.end(), 0);
  for (size_t i = order_.size(); i > 1; --i) {
    std::swap(order_[i - 1], order_[random_.Below(i)]);
  }
  OpenEngineAs(/*sync_commits=*/false);
}

WorkloadRunner::~WorkloadRunner() {
  engine_.reset();
  std::filesystem::remove_all(directory_);
}

const std::vector<WorkloadRunner::Named>& WorkloadRunner::All() {
  static const std::vector<Named> all = {
      {"fillrev", "puts of new keys; one sync at the end",
       &WorkloadRunner::FillRev},
      {"fillrev-sync", "a tenth as many, every commit synced",
       &WorkloadRunner::FillRevSync},
      {"overwrite",
       "half as many over keys that are there; one sync at the end",
       &WorkloadRunner::Overwrite},
      {"readrev", "gets by revision, at random", &WorkloadRunner::ReadRev},
      {"readkey", "gets by user key, at random: index, then revision",
       &WorkloadRunner::ReadKey},
      {"readrange", "ranges of keys in key order: index, then each revision",
       &WorkloadRunner::ReadRange},
      {"readhot", "readkey of one key in a hundred", &WorkloadRunner::ReadHot},
      {"scanhistory", "every revision, in order", &WorkloadRunner::ScanHistory},
      {"mixed", "readkey while a thread puts", &WorkloadRunner::Mixed},
      {"compact", "erases every revision that a later one supersedes",
       &WorkloadRunner::Compact},
      {"shrink", "gives free space back", &WorkloadRunner::Shrink},
      {"open", "closes and opens; the index is read anew apart",
       &WorkloadRunner::Open},
  };
  return all;
}

std::vector<std::string> WorkloadRunner::Names() {
  std::vector<std::string> names;
  for (const Named& named : All()) names.push_back(named.name);
  return names;
}

std::string WorkloadRunner::Describe(const std::string& name) {
  for (const Named& named : All()) {
    if (name == named.name) return named.what;
  }
  return "";
}

std::optional<WorkloadResult> WorkloadRunner::Run(const std::string& name) {
  const auto named =
      std::find_if(All().begin(), All().end(),
                   [&name](const Named& one) { return name == one.name; });
  CHECK(named != All().end()) << "no workload " << name;
  const ProcessStat before = ReadProcessStat();
  std::optional<WorkloadResult> result = (this->*named->run)();
  if (!result.has_value()) return result;
  const ProcessStat after = ReadProcessStat();
  result->workload = name;
  result->cpu_seconds = after.cpu_seconds - before.cpu_seconds;
  result->written_bytes = after.written_bytes - before.written_bytes;
  result->file_bytes = DirectoryBytes(directory_);
  result->rss_anon_bytes = after.rss_anon_bytes;
  result->rss_file_bytes = after.rss_file_bytes;
  return result;
}

void WorkloadRunner::OpenEngineAs(bool sync_commits) {
  engine_.reset();
  sync_commits_ = sync_commits;
  engine_ = OpenEngine(name_, {.directory = directory_,
                               .sync_commits = sync_commits,
                               .cache_bytes = cache_bytes_});
  CHECK(engine_ != nullptr) << "no engine " << name_;
}

void WorkloadRunner::Tell(uint64_t done, uint64_t all) const {
  if (progress != nullptr && done % kTellEvery == 0) {
    progress(static_cast<double>(done) / static_cast<double>(all));
  }
}

// --- writing ---

std::string WorkloadRunner::KeyOf(uint64_t number) const {
  std::string digits = std::to_string(number);
  std::string key = "key/" +
                    std::string(8 - std::min<size_t>(8, digits.size()), '0') +
                    digits;
  key.resize(std::max<size_t>(sizes_.key_bytes, key.size()), '.');
  return key;
}

// A share of it is zeros, the rest noise.
std::string_view WorkloadRunner::NextValue() {
  thread_local std::string value;
  const auto zeros = static_cast<size_t>(
      static_cast<double>(sizes_.value_bytes) * sizes_.compressible);
  const size_t noise = sizes_.value_bytes - zeros;
  const size_t at = (next_value_++ * 7919) % (kRandomBytes - noise);
  value.assign(random_bytes_, at, noise);
  value.append(zeros, '\0');
  return value;
}

void WorkloadRunner::CommitPuts(const std::vector<std::string>& keys,
                                uint64_t* bytes) {
  std::vector<std::string> revisions;
  std::vector<std::string> values;
  revisions.reserve(keys.size());
  values.reserve(keys.size());
  std::unique_lock<std::shared_mutex> lock(mutex_);
  Revision revision = revision_;
  for (const std::string& key : keys) {
    const ChangeId id{++revision, 0};
    const KeyState state = index_->Put(key, id);
    const KeyValue kv{.key = key,
                      .create_revision = state.create_revision,
                      .mod_revision = id.main,
                      .version = state.version,
                      .value = NextValue()};
    revisions.emplace_back(RevisionKey(id, false).view());
    values.push_back(EncodeKeyValue(kv));
    *bytes += revisions.back().size() + values.back().size();
  }
  lock.unlock();
  std::vector<Engine::Change> changes;
  changes.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    changes.push_back({.key = revisions[i], .value = values[i]});
  }
  engine_->Commit(changes);
  lock.lock();
  revision_ = revision;  // readers see it from now on
}

WorkloadResult WorkloadRunner::Put(uint64_t count, uint64_t batch,
                                   const std::function<uint64_t()>& key_of) {
  WorkloadResult result{.unit = "put", .latency_of = "commit"};
  std::vector<std::string> keys;
  const auto begin = Clock::now();
  for (uint64_t done = 0; done < count; done += keys.size()) {
    keys.clear();
    const uint64_t size = std::min(batch, count - done);
    for (uint64_t i = 0; i < size; ++i) keys.push_back(KeyOf(key_of()));
    Timed(&result.latency, [&] { CommitPuts(keys, &result.put_bytes); });
    if (progress != nullptr) {
      progress(static_cast<double>(done) / static_cast<double>(count));
    }
  }
  engine_->Finish();
  result.seconds = SecondsSince(begin);
  result.ops = count;
  return result;
}

std::optional<WorkloadResult> WorkloadRunner::FillRev() {
  uint64_t at = 0;
  return Put(sizes_.num, sizes_.batch, [&] { return order_[at++]; });
}

std::optional<WorkloadResult> WorkloadRunner::FillRevSync() {
  if (!IsDurable(name_)) return std::nullopt;
  OpenEngineAs(/*sync_commits=*/true);
  auto result = Put(std::max<uint64_t>(sizes_.num / 10, 1), sizes_.sync_batch,
                    [&] { return random_.Below(sizes_.num); });
  OpenEngineAs(/*sync_commits=*/false);
  return result;
}

std::optional<WorkloadResult> WorkloadRunner::Overwrite() {
  return Put(std::max<uint64_t>(sizes_.num / 2, 1), sizes_.batch,
             [&] { return random_.Below(sizes_.num); });
}

// --- reading ---

void WorkloadRunner::ReadLoop(uint64_t reads, uint64_t seed, const Read& read,
                              Histogram* latency, bool tell) {
  Slot slot{.random = Random(seed), .at = {}, .reader = nullptr};
  Refresh(&slot);
  for (uint64_t i = 0; i < reads; ++i) {
    Timed(latency, [&] { read(&slot); });
    if (tell) Tell(i, reads);
  }
}

// A commit shows in the engine before it does in revision_.
void WorkloadRunner::Refresh(Slot* slot) {
  std::shared_lock<std::shared_mutex> lock(mutex_);
  slot->at = revision_;
  slot->reader = engine_->NewReader();
}

WorkloadResult WorkloadRunner::ReadWith(uint64_t reads, const Read& read) {
  WorkloadResult result{.unit = "read"};
  const auto threads = static_cast<uint64_t>(sizes_.threads);
  std::vector<Histogram> latencies(threads);
  std::vector<std::thread> others;
  const auto begin = Clock::now();
  for (uint64_t i = 1; i < threads; ++i) {
    others.emplace_back([&, i] {
      ReadLoop(reads / threads, sizes_.seed + i, read, &latencies[i], false);
    });
  }
  ReadLoop(reads / threads, sizes_.seed, read, &latencies[0], true);
  for (std::thread& other : others) other.join();
  result.seconds = SecondsSince(begin);
  for (const Histogram& latency : latencies) result.latency.Merge(latency);
  result.ops = result.latency.total();
  return result;
}

void WorkloadRunner::GetKey(Slot* slot, std::string_view key) {
  std::optional<KeyState> state;
  {
    std::shared_lock<std::shared_mutex> lock(mutex_);
    state = index_->Get(key, slot->at);
  }
  CHECK(state.has_value()) << "no key " << key;
  const auto bytes = slot->reader->Get(RevisionKey(state->id, false).view());
  const auto kv = DecodeKeyValue(bytes);
  CHECK_OK(kv);
  CHECK_EQ(kv->key, key);
}

std::optional<WorkloadResult> WorkloadRunner::ReadRev() {
  // After a compaction not every revision is there, but those of the keys are.
  std::vector<Revision> revisions;
  const uint64_t samples =
      std::min<uint64_t>(sizes_.reads_or_num(), kReadSamples);
  for (uint64_t i = 0; i < samples; ++i) {
    if (compacted_ == Revision(0)) {
      const auto all = static_cast<uint64_t>(revision_.value() - 1);
      revisions.push_back(
          Revision(2 + static_cast<int64_t>(random_.Below(all))));
      continue;
    }
    const auto key = KeyOf(random_.Below(sizes_.num));
    const auto state = index_->Get(key, revision_);
    if (state.has_value()) revisions.push_back(state->id.main);
  }
  return ReadWith(sizes_.reads_or_num(), [&](Slot* slot) {
    const Revision at = revisions[slot->random.Below(revisions.size())];
    const auto bytes = slot->reader->Get(RevisionKey({at, 0}, false).view());
    CHECK_GT(bytes.size(), sizes_.value_bytes);
  });
}

std::optional<WorkloadResult> WorkloadRunner::ReadKey() {
  return ReadWith(sizes_.reads_or_num(), [this](Slot* slot) {
    GetKey(slot, KeyOf(slot->random.Below(sizes_.num)));
  });
}

std::optional<WorkloadResult> WorkloadRunner::ReadHot() {
  const auto hot = std::max<uint64_t>(
      1, static_cast<uint64_t>(static_cast<double>(sizes_.num) * kHotShare));
  return ReadWith(sizes_.reads_or_num(), [this, hot](Slot* slot) {
    GetKey(slot, KeyOf(slot->random.Below(hot)));
  });
}

std::optional<WorkloadResult> WorkloadRunner::ReadRange() {
  const uint64_t ranges =
      std::max<uint64_t>(1, sizes_.reads_or_num() / sizes_.range);
  auto result = ReadWith(ranges, [this](Slot* slot) {
    auto at = index_->LowerBound(KeyOf(slot->random.Below(sizes_.num)));
    for (uint64_t i = 0; i < sizes_.range && at.Valid(); ++i, at.Next()) {
      const auto state = at->history.Get(revision_);
      if (!state.has_value()) continue;
      slot->reader->Get(RevisionKey(state->id, false).view());
    }
  });
  result.latency_of = "range of " + std::to_string(sizes_.range);
  result.unit = "range";
  return result;
}

std::optional<WorkloadResult> WorkloadRunner::ScanHistory() {
  constexpr uint64_t kPiece = 1000;
  WorkloadResult result{.unit = "row",
                        .latency_of = std::to_string(kPiece) + " rows"};
  const auto reader = engine_->NewReader();
  const auto begin = Clock::now();
  auto piece = begin;
  uint64_t sum = 0;
  reader->Scan([&](std::string_view key, std::string_view value) {
    // The whole row is looked at, a byte in each cache line.
    for (size_t i = 0; i < value.size(); i += 64) sum += value[i];
    sum += static_cast<unsigned char>(key.back());
    if (++result.ops % kPiece != 0) return;
    const auto now = Clock::now();
    result.latency.Add(static_cast<uint64_t>((now - piece).count()));
    piece = now;
  });
  result.seconds = SecondsSince(begin);
  result.more["checksum"] = static_cast<double>(sum % 1000003);
  return result;
}

std::optional<WorkloadResult> WorkloadRunner::Mixed() {
  std::atomic<bool> reading = true;
  std::atomic<uint64_t> put{0};
  uint64_t put_bytes = 0;
  std::thread writer([&] {
    Random random(sizes_.seed + 1000);
    std::vector<std::string> keys(sizes_.sync_batch);
    while (reading) {
      for (std::string& key : keys) key = KeyOf(random.Below(sizes_.num));
      CommitPuts(keys, &put_bytes);
      put += keys.size();
    }
  });
  const uint64_t reads = sizes_.reads_or_num();
  WorkloadResult result = ReadWith(reads, [this](Slot* slot) {
    if (++slot->reads % kReaderLife == 0) Refresh(slot);
    GetKey(slot, KeyOf(slot->random.Below(sizes_.num)));
  });
  reading = false;
  writer.join();
  engine_->Finish();
  result.put_bytes = put_bytes;
  result.more["puts_per_s"] = static_cast<double>(put) / result.seconds;
  return result;
}

// --- the rest ---

std::optional<WorkloadResult> WorkloadRunner::Compact() {
  WorkloadResult result{.unit = "row", .latency_of = "commit"};
  std::string resume;
  std::vector<RemovedChange> removed;
  const auto begin = Clock::now();
  for (bool done = false; !done;) {
    removed.clear();
    done =
        index_->CompactStep(revision_, true, kCompactKeys, &resume, &removed);
    for (size_t from = 0; from < removed.size(); from += sizes_.batch) {
      const size_t to = std::min<size_t>(removed.size(), from + sizes_.batch);
      std::vector<RevisionKey> keys;
      std::vector<Engine::Change> changes;
      keys.reserve(to - from);
      for (size_t i = from; i < to; ++i) {
        keys.emplace_back(removed[i].id(), removed[i].tombstone);
        changes.push_back(
            {.erase = true, .key = keys.back().view(), .value = {}});
      }
      Timed(&result.latency, [&] { engine_->Commit(changes); });
      result.ops += changes.size();
    }
  }
  engine_->Finish();
  result.seconds = SecondsSince(begin);
  compacted_ = revision_;
  return result;
}

std::optional<WorkloadResult> WorkloadRunner::Shrink() {
  WorkloadResult result{.unit = "MB", .latency_of = "all"};
  const uint64_t before = DirectoryBytes(directory_);
  const auto begin = Clock::now();
  bool able = false;
  Timed(&result.latency, [&] { able = engine_->Shrink(); });
  if (!able) return std::nullopt;
  engine_->Finish();
  result.seconds = SecondsSince(begin);
  result.ops = (before >> 20) + 1;
  result.more["before_bytes"] = static_cast<double>(before);
  return result;
}

void WorkloadRunner::RebuildIndex() {
  index_ = std::make_unique<KeyIndex>();
  engine_->NewReader()->Scan(
      [this](std::string_view key, std::string_view value) {
        ChangeId id;
        bool tombstone = false;
        CHECK(ParseRevisionKey(key, &id, &tombstone));
        const auto kv = DecodeKeyValue(value);
        CHECK_OK(kv);
        index_->Restore(kv->key, id, kv->create_revision, kv->version);
      });
}

std::optional<WorkloadResult> WorkloadRunner::Open() {
  if (!IsDurable(name_)) return std::nullopt;
  WorkloadResult result{.unit = "open"};
  const auto last = index_->Get(KeyOf(order_[0]), revision_);
  CHECK(last.has_value());
  for (int i = 0; i < kOpens; ++i) {
    engine_.reset();
    const auto begin = Clock::now();
    Timed(&result.latency, [&] {
      OpenEngineAs(/*sync_commits=*/false);
      engine_->NewReader()->Get(RevisionKey(last->id, false).view());
    });
    result.seconds += SecondsSince(begin);
  }
  result.ops = kOpens;
  const auto begin = Clock::now();
  RebuildIndex();
  result.more["index_rebuild_ms"] = SecondsSince(begin) * 1000;
  return result;
}

}  // namespace strata::bench
