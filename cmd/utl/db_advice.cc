#include <algorithm>

#include "base/bytes.h"
#include "base/wire.h"
#include "cmd/utl/advice.h"
#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/log_check.h"
#include "cmd/utl/output.h"
#include "cmd/utl/snapshot_status.h"
#include "cmd/utl/target.h"
#include "engine/meta.h"
#include "server/cluster.h"

namespace strata::utl {
namespace {

struct Options {
  Target target;
  std::string snapshots;
};

// What can be read of the tree that a meta names.
void ReadState(const btree::Inspection& file, int slot, StateFacts* state) {
  const btree::Tree tree = file.TreeOf(slot);
  state->transaction = tree.meta.tx;
  const auto look = [&](const btree::Checker::Visit& visit) {
    if (!visit.page.is_leaf() || visit.bucket.size() != 1) return;
    btree::Item item;
    for (int i = 0; i < visit.page.count() && visit.page.Get(i, &item); ++i) {
      ++state->records;
      ChangeId id;
      bool tombstone = false;
      if (visit.bucket[0] == TableName(Table::kKey) &&
          ParseRevisionKey(item.key, &id, &tombstone)) {
        state->revision = std::max(state->revision, id.main);
      } else if (visit.bucket[0] == TableName(Table::kMeta) &&
                 item.key == meta::kConsistentIndex &&
                 item.value.size() == sizeof(uint64_t)) {
        state->applied = LogIndex(LoadBig64(item.value.data()));
      }
    }
  };
  const auto report = [&](const Status& fault) {
    if (state->faults++ == 0) state->first_fault = fault.message();
    return true;
  };
  btree::MapPages(tree, report, look);
}

Status ReadDb(const Context& context, const std::string& path, DbFacts* db) {
  db->path = path;
  db->exists = context.env->Exists(path);
  if (!db->exists) return Status::Ok();
  ASSIGN_OR_RETURN(const auto file, btree::Inspection::Open(context.env, path));
  for (const Status& fault : file->faults()) {
    db->file_faults.push_back(fault.message());
  }
  db->newest = file->metas().Newest();
  for (int slot = 0; slot < 2; ++slot) {
    db->states[slot].meta_fault = file->metas().faults[slot];
    if (db->states[slot].meta_fault.empty()) {
      ReadState(*file, slot, &db->states[slot]);
    }
  }
  return Status::Ok();
}

// The newest .snap file that is whole; all of them are listed.
RaftSnapshot ReadSnapFiles(const Context& context, const std::string& directory,
                           Facts* facts) {
  RaftSnapshot newest;
  const auto names = context.env->List(directory);
  if (!names.ok()) return newest;
  for (const std::string& name : *names) {
    if (!name.ends_with(".snap")) continue;
    const std::string path = JoinPath(directory, name);
    auto snapshot = ReadSnapFile(context.env, path);
    if (!snapshot.ok()) {
      facts->bad_snap_files.push_back(path);
      continue;
    }
    facts->snap_files.push_back(path);
    if (snapshot->index >= newest.index) newest = std::move(*snapshot);
  }
  return newest;
}

// Who else is in the cluster, as the newest .snap and the log behind it say.
void ReadMembers(const RaftSnapshot& snapshot,
                 const std::vector<raft::Entry>& entries, Facts* facts) {
  Membership start;
  if (snapshot.index != LogIndex()) {
    auto decoded = DecodeV2Store(snapshot.data);
    if (decoded.ok()) start = std::move(*decoded);
  }
  Cluster cluster(start);
  for (const raft::Entry& entry : entries) {
    const auto command = DecodeCommand(entry);
    // What cannot be read tells nothing of members.
    if (command.ok()) cluster.Apply(*command, nullptr).IgnoreError();
  }
  for (const auto& [id, member] : cluster.membership().members) {
    if (id != facts->self) facts->others.push_back(member);
  }
}

MemberId ReadSelf(std::string_view metadata) {
  wire::Reader reader(metadata);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == 1) return MemberId(field.varint);
  }
  return MemberId();
}

Status ReadLog(const Context& context, const std::string& data_dir,
               Facts* facts) {
  LogFacts& log = facts->log;
  log.directory = WalIn(data_dir);
  const RaftSnapshot snapshot = ReadSnapFiles(context, SnapIn(data_dir), facts);
  log.exists = Wal::Exists(context.env, log.directory);
  if (!log.exists) return Status::Ok();
  // Whether the log reaches what is applied is asked of it below, for each
  // state of the db file.
  ASSIGN_OR_RETURN(const LogReport report,
                   CheckLog(context, log.directory, LogIndex()));
  for (const Status& fault : report.faults) {
    log.faults.push_back(fault.message());
  }
  log.first_index = report.first_index;
  log.last_index = report.last_index;
  log.torn = report.torn;
  const int newest = facts->db.newest;
  if (newest >= 0 && facts->db.states[newest].applied > log.last_index &&
      log.faults.empty()) {
    log.faults.push_back(
        log.directory + " ends at entry " +
        std::to_string(log.last_index.value()) + ", but the db file has " +
        std::to_string(facts->db.states[newest].applied.value()));
  }
  facts->self = ReadSelf(report.metadata);
  ReadMembers(snapshot, report.entries, facts);
  return Status::Ok();
}

Status ReadBackups(const Context& context, const std::string& directory,
                   Facts* facts) {
  if (directory.empty()) return Status::Ok();
  ASSIGN_OR_RETURN(const auto names, context.env->List(directory));
  for (const std::string& name : names) {
    BackupFacts backup{.path = JoinPath(directory, name)};
    const auto status = ReadSnapshotStatus(context, backup.path);
    if (status.ok()) {
      backup.revision = status->revision;
    } else {
      backup.fault = status.status().message();
    }
    facts->backups.push_back(std::move(backup));
  }
  return Status::Ok();
}

Json StateJson(const DbFacts& db, int slot) {
  const StateFacts& state = db.states[slot];
  if (!state.meta_fault.empty()) return {{"fault", state.meta_fault}};
  Json json = {{"transaction", state.transaction},
               {"newest", slot == db.newest},
               {"faults", state.faults},
               {"records", state.records},
               {"revision", state.revision.value()},
               {"applied", state.applied.value()}};
  if (state.faults > 0) json["first_fault"] = state.first_fault;
  return json;
}

Json FactsJson(const Facts& facts) {
  Json json = {{"db", facts.db.path}, {"db_exists", facts.db.exists}};
  if (facts.db.exists) {
    json["db_whole"] = facts.db.whole();
    json["db_faults"] = facts.db.file_faults;
    for (int slot = 0; slot < 2; ++slot) {
      json["meta_" + std::to_string(slot)] = StateJson(facts.db, slot);
    }
  }
  if (facts.has_data_dir) {
    json["log"] = facts.log.directory;
    json["log_whole"] = facts.log.whole();
    json["log_faults"] = facts.log.faults;
    json["log_first_index"] = facts.log.first_index.value();
    json["log_last_index"] = facts.log.last_index.value();
    json["log_torn_tail"] = facts.log.torn;
    json["snap_files"] = facts.snap_files;
    json["damaged_snap_files"] = facts.bad_snap_files;
    json["other_members"] = facts.others.size();
  }
  for (const BackupFacts& backup : facts.backups) {
    Json one = {{"file", backup.path}};
    if (backup.fault.empty()) {
      one["revision"] = backup.revision;
    } else {
      one["fault"] = backup.fault;
    }
    json["snapshots"].push_back(std::move(one));
  }
  return json;
}

void Print(const Context& context, const Facts& facts,
           const std::vector<Advice>& advice) {
  Json json = FactsJson(facts);
  if (context.format == Format::kJson) {
    json["advice"] = Json::array();
    for (const Advice& one : advice) {
      json["advice"].push_back(
          {{"action", one.action}, {"why", one.why}, {"loses", one.loses}});
    }
    *context.out << Dump(json) << "\n";
    return;
  }
  PrintFields(context, json);
  if (facts.whole()) {
    *context.out << "\nNothing is damaged: nothing needs to be done.\n";
    return;
  }
  *context.out << "\nWhat can be done without changing what is there:\n";
  int number = 0;
  for (const Advice& one : advice) {
    *context.out << ++number << ". " << one.action
                 << "\n   because: " << one.why << "\n   loses: " << one.loses
                 << "\n";
  }
  if (advice.empty()) {
    *context.out << "nothing is left that could be read; look for snapshots "
                    "with --snapshots\n";
  }
}

Status GiveAdvice(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const std::string path,
                   DatabasePath(context.env, options.target));
  Facts facts;
  facts.has_data_dir = !options.target.data_dir.empty();
  RETURN_IF_ERROR(ReadDb(context, path, &facts.db));
  if (facts.has_data_dir) {
    RETURN_IF_ERROR(ReadLog(context, options.target.data_dir, &facts));
  }
  RETURN_IF_ERROR(ReadBackups(context, options.snapshots, &facts));
  Print(context, facts, Advise(facts));
  if (facts.whole()) return Status::Ok();
  for (const auto* faults : {&facts.db.file_faults, &facts.log.faults}) {
    if (!faults->empty()) return DataLossError(faults->front());
  }
  if (!facts.db.exists) return NotFoundError(path + ": no such file");
  if (facts.db.whole()) return NotFoundError("there is no log");
  return DataLossError(facts.db.states[facts.db.newest].first_fault);
}

}  // namespace

void AddDbAdvice(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      db, "advice", "What can be done about damage, without surgery");
  AddTarget(command, &options->target, "FILE");
  AddOption(command, "--snapshots", &options->snapshots,
            "a directory of saved snapshots to choose from");
  SetNotes(
      command,
      "Looks at both metas and their trees, the log, the .snap files, the\n"
      "other members and the saved snapshots, and says which ways lead\n"
      "back, that which loses least first. It changes nothing. Exit code:\n"
      "0 if nothing is damaged. Example:\n\n"
      "  stratautl db advice --data-dir data --snapshots /backup");
  Choose(command, options, GiveAdvice, chosen);
}

}  // namespace strata::utl
