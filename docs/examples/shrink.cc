// Giving back what deleted data took on the disk, while the store is in use.
//
//   bazel run //docs/examples:shrink -- /tmp/strata-example
#include <cstdio>
#include <string>

#include "strata.h"

namespace {

int Fail(const strata::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

int Run(const std::string& directory) {
  auto opened = strata::Db::Open(directory);
  if (!opened.ok()) return Fail(opened.status());
  strata::Db& db = **opened;
  const std::string value(64 << 10, 'x');
  for (int i = 0; i < 200; ++i) {
    auto put = db.Put("big/" + std::to_string(i), value);
    if (!put.ok()) return Fail(put.status());
  }
  // Deleted keys are still there in the past, until that is compacted.
  strata::DeleteRangeRequest all;
  all.range = {"big/", "big0"};
  auto gone = db.DeleteRange(all);
  if (!gone.ok()) return Fail(gone.status());
  if (strata::Status status = db.Compact(gone->revision); !status.ok()) {
    return Fail(status);
  }
  // Called after each step; false would call it off.
  int steps = 0;
  auto reached = db.Shrink([&steps](const strata::ShrinkProgress&) {
    ++steps;
    return true;
  });
  if (!reached.ok()) return Fail(reached.status());
  std::printf("%s\n", steps > 0 && reached->done ? "shorter" : "not yet");
  if (strata::Status closed = db.Close(); !closed.ok()) return Fail(closed);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return Run(argc > 1 ? argv[1] : "strata-example");
}
