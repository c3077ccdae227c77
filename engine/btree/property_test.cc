// What holds of the tree and of the lists of free pages, whatever is done to
// them: rapidcheck makes up what is done and shrinks it when it finds a fault.
// RC_PARAMS="max_success=10000 seed=7" runs it longer, or that run again.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/fake_env.h"
#include "engine/btree/database.h"
#include "engine/btree/free_runs.h"

namespace strata::btree {
namespace {

// --- The tree: a database behaves as a map. ---

// Which key, and how long a value; 0 erases it.
using KeyChange = std::pair<uint8_t, uint16_t>;
using Rows = std::map<std::string, std::string>;

constexpr uint16_t kValueBytesMax = 2500;

std::string KeyOf(uint8_t number) {
  // Some are long, so that branches overflow.
  return "k" + std::to_string(100 + number) +
         std::string(number % 5 == 0 ? number * 3 : 0, 'k');
}

StatusOr<std::unique_ptr<Backend>> Open(Env* env, bool synced) {
  BtreeOptions options;
  options.page_size = 1024;
  options.freelist_sync = synced;
  options.initial_mmap_bytes = 0;
  return OpenDatabase(env, "db", options, Logger::Null(), {});
}

Rows ReadAll(Backend* backend) {
  Rows rows;
  auto view = backend->NewView();
  CHECK_OK(view);
  auto it = (*view)->NewIterator(Table::kKey);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    rows.emplace(it->key(), it->value());
  }
  CHECK_OK(it->status());
  return rows;
}

void ExpectSound(Backend* backend) {
  const auto fail = [](const std::string& fault) { RC_FAIL(fault); };
  RC_ASSERT(backend->Check(fail).ok());
  auto scrubbed = backend->ScrubStep(UINT64_MAX, fail);
  RC_ASSERT(scrubbed.ok() && scrubbed->finished);
}

void Apply(const std::vector<KeyChange>& changes, Batch* batch, Rows* model) {
  for (const auto& [number, size] : changes) {
    const std::string key = KeyOf(number);
    if (size % kValueBytesMax == 0 || size % 3 == 0) {
      batch->Erase(Table::kKey, key);
      model->erase(key);
    } else {
      const std::string value(size % kValueBytesMax, 'v');
      batch->Put(Table::kKey, key, value);
      (*model)[key] = value;
    }
  }
}

RC_GTEST_PROP(TreeProperty, BatchesMakeWhatTheyWouldMakeOfAMap,
              (const std::vector<std::vector<KeyChange>>& batches,
               bool synced)) {
  FakeEnv env;
  auto backend = Open(&env, synced);
  CHECK_OK(backend);
  Rows model;
  for (const auto& changes : batches) {
    Batch batch;
    Apply(changes, &batch, &model);
    RC_ASSERT((*backend)->Write(batch).ok());
    RC_ASSERT(ReadAll(backend->get()) == model);
    ExpectSound(backend->get());
  }
  backend->reset();
  backend = Open(&env, synced);
  CHECK_OK(backend);
  RC_ASSERT(ReadAll(backend->get()) == model);
}

// --- Free pages: both forms behave as a set of numbers. ---

using Ids = std::set<uint64_t>;

// The first of the lowest `count` neighbours; 0 if there are not so many.
uint64_t Lowest(const Ids& ids, uint64_t count) {
  uint64_t length = 0;
  uint64_t last = 0;
  for (uint64_t id : ids) {
    length = length > 0 && id == last + 1 ? length + 1 : 1;
    last = id;
    if (length == count) return id + 1 - count;
  }
  return 0;
}

Ids IdsOf(const std::vector<PageRun>& runs) {
  Ids ids;
  for (const PageRun& run : runs) {
    for (uint64_t i = 0; i < run.count; ++i) {
      ids.insert(run.first.value() + i);
    }
  }
  return ids;
}

// Takes, and moves what it took from `free` to `held`.
void Take(FreeRuns* runs, uint64_t count, bool lowest, Ids* free,
          std::vector<PageRun>* held) {
  const uint64_t expected = Lowest(*free, count);
  const auto got = lowest ? runs->TakeLowest(count) : runs->Take(count);
  RC_ASSERT(got.has_value() == (expected != 0));
  if (!got) return;
  if (lowest) RC_ASSERT(got->value() == expected);
  for (uint64_t i = 0; i < count; ++i) {
    RC_ASSERT(free->erase(got->value() + i) == 1u);
  }
  held->push_back({*got, count});
}

RC_GTEST_PROP(FreeRunsProperty, GiveAndTakeWhatASetWould,
              (const std::vector<std::pair<uint8_t, uint8_t>>& steps,
               bool array)) {
  auto runs = FreeRuns::New(array ? FreelistType::kArray : FreelistType::kMap);
  std::vector<PageRun> held = {{PageId(2), 40}, {PageId(50), 30}};
  Ids free;
  for (const auto& [what, number] : steps) {
    if (what % 2 == 0 && !held.empty()) {
      const size_t at = number % held.size();
      RC_ASSERT(runs->Give({held[at]}));
      free.merge(IdsOf({held[at]}));
      held.erase(held.begin() + at);
    } else {
      Take(runs.get(), 1 + number % 9, what % 4 == 1, &free, &held);
    }
    RC_ASSERT(runs->count() == free.size());
    RC_ASSERT(IdsOf(runs->runs()) == free);
  }
}

}  // namespace
}  // namespace strata::btree
