// A copy of a store while it is in use, for a backup.
//
//   bazel run //docs/examples:snapshot -- /tmp/strata-example /tmp/backup.db
#include <cstdio>
#include <string>

#include "strata.h"

namespace {

int Fail(const strata::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

int Run(const std::string& directory, const std::string& path) {
  auto opened = strata::Db::Open(directory);
  if (!opened.ok()) return Fail(opened.status());
  strata::Db& db = **opened;
  if (auto put = db.Put("color", "blue"); !put.ok()) return Fail(put.status());
  // `stratautl snapshot status` and `etcdctl snapshot restore` read it.
  if (strata::Status saved = db.Snapshot(path); !saved.ok()) return Fail(saved);
  std::printf("saved\n");
  if (strata::Status closed = db.Close(); !closed.ok()) return Fail(closed);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return Run(argc > 1 ? argv[1] : "strata-example",
             argc > 2 ? argv[2] : "strata-example.snapshot");
}
