#include "cmd/utl/commands.h"
#include "cmd/utl/output.h"
#include "cmd/utl/progress.h"
#include "cmd/utl/target.h"
#include "engine/backend_dir.h"

namespace strata::utl {
namespace {

struct Options {
  std::string data_dir;
  std::string to;
  bool keep_old = false;
};

Status Convert(const Context& context, const Options& options) {
  ConvertOptions convert;
  convert.to.kind =
      options.to == "btree" ? BackendKind::kBtree : BackendKind::kLevelDb;
  convert.to.btree.initial_mmap_bytes = 0;  // nothing grows for long here
  convert.keep_old = options.keep_old;
  Progress shown(context, "converting", "rows", 0);
  convert.progress = [&](std::string_view phase, uint64_t rows) {
    shown.Say(std::string(phase) + ": " + std::to_string(rows) + " rows");
  };
  ASSIGN_OR_RETURN(const ConvertResult result,
                   ConvertBackend(context.env, SnapIn(options.data_dir),
                                  convert, Logger::Null()));
  PrintFields(context, {{"from", BackendName(result.from)},
                        {"to", options.to},
                        {"rows", result.rows},
                        {"old_bytes", result.old_bytes},
                        {"new_bytes", result.new_bytes}});
  return Status::Ok();
}

}  // namespace

void AddDbConvert(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      db, "convert", "CHANGES THE DIRECTORY: keep the store another way");
  AddOption(command, "--data-dir", &options->data_dir, "not in use by a server",
            Need::kRequired);
  AddChoice(command, "--to", &options->to, {"btree", "leveldb"},
            "btree is etcd's file; leveldb is Strata's alone", Need::kRequired);
  AddSwitch(command, "--keep-old", &options->keep_old,
            "leave the old one beside it, under another name");
  SetNotes(
      command,
      "The copy is read back against the original before it takes its place;\n"
      "at every moment of a crash one of them is there, whole. Run it again\n"
      "if it was cut off. Example:\n\n"
      "  stratautl db convert --to leveldb --data-dir /var/lib/strata");
  Choose(command, options, Convert, chosen);
}

}  // namespace strata::utl
