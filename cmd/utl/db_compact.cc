#include "cmd/utl/commands.h"
#include "cmd/utl/offline_store.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"

namespace strata::utl {
namespace {

struct CompactOptions {
  Target target;
  int64_t revision = 0;
  std::string level;
};

Status Compact(const Context& context, const CompactOptions& options) {
  ASSIGN_OR_RETURN(const std::string path,
                   DatabasePath(context.env, options.target));
  ASSIGN_OR_RETURN(const auto offline,
                   OfflineStore::Open(context, path, options.level,
                                      OfflineStore::Use::kWrite));
  RETURN_IF_ERROR(offline->Compact(Revision(options.revision)));
  if (context.format == Format::kSimple) {
    *context.out << "compacted revision " << options.revision << "\n";
  } else {
    PrintFields(context, {{"file", path}, {"compacted", options.revision}});
  }
  return Status::Ok();
}

}  // namespace

void AddDbCompact(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<CompactOptions>();
  CLI::App* command = AddCommand(
      db, "compact", "CHANGES THE FILE: forget what is older than a revision");
  AddTarget(command, &options->target, "FILE");
  AddOption(command, "--rev", &options->revision, "what stays readable",
            Need::kRequired);
  AddOption(command, "--etcd-level", &options->level,
            "3.4, 3.5 or 3.6: whose rules (default: as the file "
            "looks)");
  SetNotes(
      command,
      "As `etcdctl compaction` does on a server, but the other members do not\n"
      "hear of it: for a cluster's members use that. The space becomes free\n"
      "inside the file; `stratautl defrag` gives it back. Example:\n\n"
      "  stratautl db compact --rev 700 --data-dir /var/lib/etcd/default");
  Choose(command, options, Compact, chosen);
}

}  // namespace strata::utl
