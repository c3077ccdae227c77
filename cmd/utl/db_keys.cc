#include <map>
#include <optional>

#include "base/bytes.h"
#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/describe.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"
#include "engine/errors.h"

namespace strata::utl {
namespace {

struct Options {
  Target target;
  std::string key;
  std::string prefix;
  std::string from;
  uint64_t limit = 0;
  int64_t revision = 0;
};

// A key as it was at some revision. Copies: the walk goes on.
struct KeyState {
  Revision create;
  Revision mod;
  int64_t version = 0;
  LeaseId lease;
  uint64_t value_bytes = 0;
  std::string value;  // only for get
};

StatusOr<std::unique_ptr<DbReader>> OpenReader(const Context& context,
                                               const Target& target) {
  ASSIGN_OR_RETURN(const std::string path, DatabasePath(context.env, target));
  return DbReader::Open(context, path);
}

// In the server's words.
Status CheckRevision(int64_t revision, Revision compacted, Revision last) {
  if (revision <= 0) return Status::Ok();
  if (Revision(revision) < compacted) return errors::Compacted();
  if (Revision(revision) > last) return errors::FutureRevision();
  return Status::Ok();
}

// The keys that `wanted` takes, as they were at a revision (0: the last).
class KeysAt {
 public:
  using Keys = std::map<std::string, KeyState, std::less<>>;

  static StatusOr<Keys> Read(
      DbReader* reader, int64_t revision, bool with_value,
      const std::function<bool(std::string_view key)>& wanted) {
    const Revision compacted = reader->CompactRevision();
    Revision last = std::max(Revision(1), compacted);
    Keys keys;
    reader->ForEachChange([&](const ChangeRecord& change) {
      last = std::max(last, change.id.main);
      const bool later = revision > 0 && change.id.main > Revision(revision);
      if (!later && wanted(change.kv.key)) Apply(change, with_value, &keys);
      return true;
    });
    RETURN_IF_ERROR(CheckRevision(revision, compacted, last));
    return keys;
  }

 private:
  static void Apply(const ChangeRecord& change, bool with_value, Keys* keys) {
    const auto found = keys->find(change.kv.key);
    if (change.tombstone) {
      if (found != keys->end()) keys->erase(found);
      return;
    }
    KeyState& state = found != keys->end()
                          ? found->second
                          : (*keys)[std::string(change.kv.key)];
    state.create = change.kv.create_revision;
    state.mod = change.kv.mod_revision;
    state.version = change.kv.version;
    state.lease = change.kv.lease;
    state.value_bytes = change.kv.value.size();
    if (with_value) state.value = change.kv.value;
  }
};

Json LeaseCell(LeaseId lease) {
  if (lease == LeaseId()) return nullptr;
  return HexId(static_cast<uint64_t>(lease.value()));
}

Status ListKeys(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const auto reader, OpenReader(context, options.target));
  const auto wanted = [&](std::string_view key) {
    return key.starts_with(options.prefix) && key >= options.from;
  };
  ASSIGN_OR_RETURN(const KeysAt::Keys keys,
                   KeysAt::Read(reader.get(), options.revision,
                                /*with_value=*/false, wanted));
  Rows rows(context, {{"key", 32},
                      {"create_revision", 15},
                      {"mod_revision", 12},
                      {"version", 7},
                      {"value_bytes", 11},
                      {"lease", 0}});
  uint64_t count = 0;
  for (const auto& [key, state] : keys) {
    if (options.limit > 0 && ++count > options.limit) break;
    rows.Add({Bytes(context, key, 256), state.create.value(), state.mod.value(),
              state.version, state.value_bytes, LeaseCell(state.lease)});
  }
  rows.Finish();
  return reader->Finish();
}

Status GetKey(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const auto reader, OpenReader(context, options.target));
  ASSIGN_OR_RETURN(
      const KeysAt::Keys keys,
      KeysAt::Read(reader.get(), options.revision, /*with_value=*/true,
                   [&](std::string_view key) { return key == options.key; }));
  for (const auto& [key, state] : keys) {
    if (context.format == Format::kSimple) {
      *context.out << key << "\n" << state.value << "\n";
      continue;
    }
    PrintFields(context, {{"key", Bytes(context, key, 256)},
                          {"create_revision", state.create.value()},
                          {"mod_revision", state.mod.value()},
                          {"version", state.version},
                          {"value", Bytes(context, state.value, 1024)},
                          {"lease", LeaseCell(state.lease)}});
  }
  return reader->Finish();
}

Status ShowHistory(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const auto reader, OpenReader(context, options.target));
  Rows rows(context, {{"revision", 10},
                      {"change", 6},
                      {"create_revision", 15},
                      {"version", 7},
                      {"lease", 5},
                      {"value_bytes", 11},
                      {"value", 0}});
  reader->ForEachChange([&](const ChangeRecord& change) {
    const KeyValue& kv = change.kv;
    if (kv.key != options.key) return true;
    const std::string revision = RevisionText(change.id, /*tombstone=*/false);
    if (change.tombstone) {
      rows.Add(
          {revision, "delete", nullptr, nullptr, nullptr, nullptr, nullptr});
    } else {
      rows.Add({revision, "put", kv.create_revision.value(), kv.version,
                LeaseCell(kv.lease), kv.value.size(),
                Bytes(context, kv.value)});
    }
    return true;
  });
  rows.Finish();
  return reader->Finish();
}

void AddRevision(CLI::App* command, Options* options) {
  AddOption(command, "--rev", &options->revision,
            "as it was at this revision (default: the last)");
}

void AddKeys(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(db, "keys", "List the keys, in order");
  AddTarget(command, &options->target, "FILE");
  AddOption(command, "--prefix", &options->prefix, "only keys that begin so");
  AddOption(command, "--from", &options->from, "only keys from this one on");
  AddOption(command, "--limit", &options->limit, "so many at most");
  AddRevision(command, options.get());
  SetNotes(command,
           "Keys are base64 in JSON, as etcdctl's are. Example, the first ten\n"
           "keys of /registry/ as they were at revision 700:\n\n"
           "  stratautl db keys --prefix /registry/ --limit 10 --rev 700 db");
  Choose(command, options, ListKeys, chosen);
}

void AddGet(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(db, "get", "Show a key's value, as etcdctl get does");
  AddOption(command, "KEY", &options->key, "the key", Need::kRequired);
  AddTarget(command, &options->target, "FILE");
  AddRevision(command, options.get());
  SetNotes(command,
           "Prints nothing if there is no such key. Example:\n\n"
           "  stratautl db get color --rev 2 data/member/snap/db");
  Choose(command, options, GetKey, chosen);
}

void AddHistory(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      db, "history", "List all changes of a key that are not compacted");
  AddOption(command, "KEY", &options->key, "the key", Need::kRequired);
  AddTarget(command, &options->target, "FILE");
  SetNotes(
      command,
      "A revision is shown with the place of the change in its transaction.\n"
      "Example:\n\n"
      "  stratautl db history color --data-dir /var/lib/etcd/default");
  Choose(command, options, ShowHistory, chosen);
}

}  // namespace

void AddDbKeys(CLI::App* db, Action* chosen) {
  AddKeys(db, chosen);
  AddGet(db, chosen);
  AddHistory(db, chosen);
}

}  // namespace strata::utl
