// A durable, revision-keyed store inside a program.
//
//   bazel run //docs/examples:embedded -- /tmp/strata-example
#include <cstdio>
#include <string>

#include "strata.h"

namespace {

int Fail(const strata::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

void Print(const char* label, const std::optional<strata::Record>& record) {
  const std::string value =
      record ? std::string((*record)->value) : "(not there)";
  std::printf("%-8s %s\n", label, value.c_str());
}

int Run(const std::string& directory) {
  auto opened = strata::Db::Open(directory);
  if (!opened.ok()) return Fail(opened.status());
  strata::Db& db = **opened;

  // Durable when it returns; each change gets a revision.
  auto blue = db.Put("color", "blue");
  if (!blue.ok()) return Fail(blue.status());
  auto red = db.Put("color", "red");
  if (!red.ok()) return Fail(red.status());

  // The past stays readable until it is compacted.
  auto now = db.Get("color");
  if (!now.ok()) return Fail(now.status());
  auto before = db.Get("color", blue->revision);
  if (!before.ok()) return Fail(before.status());
  Print("now", *now);
  Print("before", *before);

  // Change only what nobody else has changed meanwhile.
  strata::TxnRequest txn;
  strata::Compare unchanged;
  unchanged.range.key = "color";
  unchanged.target = strata::CompareTarget::kMod;
  unchanged.number = red->revision.value();
  txn.compare.push_back(unchanged);
  strata::PutRequest green;
  green.key = "color";
  green.value = "green";
  txn.success.emplace_back(green);
  auto swapped = db.Txn(txn);
  if (!swapped.ok()) return Fail(swapped.status());
  std::printf("%-8s %s\n", "swapped", swapped->succeeded ? "yes" : "no");

  if (strata::Status closed = db.Close(); !closed.ok()) return Fail(closed);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return Run(argc > 1 ? argv[1] : "strata-example");
}
