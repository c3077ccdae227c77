// Watching a store inside a program: what happened, and what happens.
//
//   bazel run //docs/examples:watch -- /tmp/strata-example
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "strata.h"

namespace {

int Fail(const strata::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

void Print(const strata::WatchedChange& change) {
  const std::string key(change.kv->key);
  const std::string value(change.kv->value);
  std::printf("%s %s", change.is_delete ? "delete" : "put", key.c_str());
  if (!change.is_delete) std::printf(" %s", value.c_str());
  if (change.prev) {
    const std::string before((*change.prev)->value);
    std::printf(" (was %s)", before.c_str());
  }
  std::printf("\n");
}

int Run(const std::string& directory) {
  auto opened = strata::Db::Open(directory);
  if (!opened.ok()) return Fail(opened.status());
  strata::Db& db = **opened;
  if (auto put = db.Put("pet/cat", "asleep"); !put.ok()) {
    return Fail(put.status());
  }

  // All keys that begin with "pet/", from the put above on. Without `start` it
  // would be told of what happens from now on.
  strata::WatchRequest pets;
  pets.range = {"pet/", "pet0"};
  pets.start = db.revision();
  pets.prev_kv = true;
  auto watch = db.Watch(pets);
  if (!watch.ok()) return Fail(watch.status());

  // Changes may come from any thread; here they are made first.
  if (auto put = db.Put("pet/cat", "awake"); !put.ok()) {
    return Fail(put.status());
  }
  if (auto gone = db.Delete("pet/cat"); !gone.ok()) return Fail(gone.status());

  for (int seen = 0; seen < 3;) {
    auto next = (*watch)->Next(std::chrono::seconds(10));
    if (!next.ok()) return Fail(next.status());
    if (!next->has_value()) break;
    for (const strata::WatchedChange& change : (*next)->changes) {
      Print(change);
      ++seen;
    }
  }
  watch->reset();  // before the store is closed
  if (strata::Status closed = db.Close(); !closed.ok()) return Fail(closed);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return Run(argc > 1 ? argv[1] : "strata-example");
}
