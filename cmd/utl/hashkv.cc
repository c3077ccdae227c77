#include "cmd/utl/commands.h"
#include "cmd/utl/offline_store.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"

namespace strata::utl {
namespace {

struct Options {
  Target target;
  int64_t revision = 0;
  std::string level;
};

Status ShowHash(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const std::string path,
                   DatabasePath(context.env, options.target));
  ASSIGN_OR_RETURN(const auto offline,
                   OfflineStore::Open(context, path, options.level,
                                      OfflineStore::Use::kRead));
  ASSIGN_OR_RETURN(const HashKvResult result,
                   offline->store()->HashKv(Revision(options.revision)));
  const std::string hash = std::to_string(result.hash);
  const std::string at = std::to_string(result.hash_revision.value());
  const std::string compacted = std::to_string(result.compact_revision.value());
  if (context.format == Format::kJson) {
    const Json json = {{"hash", result.hash},
                       {"hashRevision", result.hash_revision.value()},
                       {"compactRevision", result.compact_revision.value()}};
    *context.out << Dump(json) << "\n";
  } else if (context.format == Format::kTable) {
    *context.out << DrawTable({"hash", "hash revision", "compact revision"},
                              {{hash, at, compacted}});
  } else {
    *context.out << hash << ", " << at << ", " << compacted << "\n";
  }
  return Status::Ok();
}

}  // namespace

void AddHashKv(CLI::App* app, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, "hashkv",
                 "The hash of the key-value history, as members compare it");
  AddTarget(command, &options->target, "FILE");
  AddOption(command, "--rev", &options->revision,
            "up to this revision (default: the last)");
  AddOption(command, "--etcd-level", &options->level,
            "3.4, 3.5 or 3.6: whose rules (default: as the file "
            "looks)");
  SetNotes(
      command,
      "Prints hash, hash revision and compact revision; the same numbers as\n"
      "`etcdctl endpoint hashkv` once all is in the db file. Example, whether\n"
      "two stopped members agree:\n\n"
      "  stratautl hashkv --data-dir a --rev 700\n"
      "  stratautl hashkv --data-dir b --rev 700");
  Choose(command, options, ShowHash, chosen);
}

}  // namespace strata::utl
