#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/log_check.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"
#include "engine/meta.h"

namespace strata::utl {
namespace {

// What the db file beside the log has applied; 0 if there is none to ask.
StatusOr<LogIndex> AppliedBeside(const Context& context,
                                 const std::string& data_dir) {
  const std::string path = DatabaseIn(data_dir);
  if (data_dir.empty() || !context.env->Exists(path)) return LogIndex();
  const auto reader = DbReader::Open(context, path);
  if (reader.status().code() == Code::kDataLoss) {
    *context.err << "not asked what it has applied: "
                 << reader.status().message() << "\n";
    return LogIndex();
  }
  RETURN_IF_ERROR(reader.status());
  return LogIndex((*reader)->MetaNumber(meta::kConsistentIndex).value_or(0));
}

Json ToJson(const std::string& directory, const LogReport& report) {
  return {{"directory", directory},
          {"whole", report.whole()},
          {"segments", report.segments},
          {"records", report.records},
          {"first_index", report.first_index.value()},
          {"last_index", report.last_index.value()},
          {"term", report.hard_state.term.value()},
          {"commit", report.hard_state.commit.value()},
          {"torn_tail", report.torn},
          {"faults", report.faults.size()}};
}

Status Check(const Context& context, const Target& target) {
  ASSIGN_OR_RETURN(const std::string path, WalPath(context.env, target));
  ASSIGN_OR_RETURN(const LogIndex applied,
                   AppliedBeside(context, target.data_dir));
  ASSIGN_OR_RETURN(const LogReport report, CheckLog(context, path, applied));
  Json json = ToJson(path, report);
  if (context.format == Format::kJson) {
    json["found"] = Json::array();
    for (const Status& fault : report.faults) {
      json["found"].push_back(fault.message());
    }
    *context.out << Dump(json) << "\n";
  } else {
    for (const Status& fault : report.faults) {
      *context.out << fault.message() << "\n";
    }
    PrintFields(context, json);
  }
  if (report.whole()) return Status::Ok();
  return DataLossError(path +
                       " is damaged: " + report.faults.front().message());
}

}  // namespace

void AddWalCheck(CLI::App* wal, Action* chosen) {
  auto target = std::make_shared<Target>();
  CLI::App* command =
      AddCommand(wal, "check", "Check a log from end to end, as a start would");
  AddTarget(command, target.get(), "DIRECTORY");
  SetNotes(
      command,
      "Sums, order, meaning, and whether the tail is a torn write or damage;\n"
      "with --data-dir also that the log reaches what the db file has.\n"
      "Exit code: 0 if the log is whole, a torn tail included, for a start\n"
      "cuts it and loses nothing that was acknowledged; 1 if it is damaged, "
      "or\n"
      "cannot be checked because it is in use, missing or cannot be read.\n"
      "Example:\n\n"
      "  stratautl wal check --data-dir /var/lib/etcd/default");
  Choose(command, target, Check, chosen);
}

}  // namespace strata::utl
