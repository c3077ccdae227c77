// Keys that go away with whoever put them there.
//
//   bazel run //docs/examples:lease -- /tmp/strata-example
#include <chrono>
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

  // Ends after two seconds, unless KeepLeaseAlive is called before.
  auto lease = db.GrantLease(2);
  if (!lease.ok()) return Fail(lease.status());
  auto put = db.Put({.key = "workers/1", .value = "here", .lease = *lease});
  if (!put.ok()) return Fail(put.status());
  if (auto ttl = db.KeepLeaseAlive(*lease); !ttl.ok())
    return Fail(ttl.status());

  auto status = db.GetLease(*lease);
  if (!status.ok()) return Fail(status.status());
  std::printf("%zu key for %d seconds\n", status->keys.size(),
              static_cast<int>(status->ttl_seconds));

  strata::WatchRequest request;
  request.range.key = "workers/1";
  auto watch = db.Watch(request);
  if (!watch.ok()) return Fail(watch.status());
  auto next = (*watch)->Next(std::chrono::seconds(10));
  if (!next.ok()) return Fail(next.status());
  const bool gone = next->has_value() && (*next)->changes.front().is_delete;
  std::printf("%s\n", gone ? "it is gone" : "it is still there");
  watch->reset();
  if (strata::Status closed = db.Close(); !closed.ok()) return Fail(closed);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return Run(argc > 1 ? argv[1] : "strata-example");
}
