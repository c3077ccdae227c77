#include "engine/store_testing.h"

#include <algorithm>
#include <future>

#include "base/check.h"
#include "engine/key_value.h"

namespace strata::testing {

namespace {

Table TableNamed(const std::string& name) {
  for (int i = 0; i < kTableCount; ++i) {
    if (TableName(static_cast<Table>(i)) == name) return static_cast<Table>(i);
  }
  CHECK(false) << "no table " << name;
  return Table::kMeta;
}

SortTarget TargetNamed(const std::string& name) {
  if (name == "key") return SortTarget::kKey;
  if (name == "version") return SortTarget::kVersion;
  if (name == "create") return SortTarget::kCreate;
  if (name == "mod") return SortTarget::kMod;
  CHECK_EQ(name, "value");
  return SortTarget::kValue;
}

bool Flag(const TranscriptCommand& command, const std::string& name) {
  return std::find(command.args.begin(), command.args.end(), name) !=
         command.args.end();
}

// "\x00" as an end is everything from the key on. A flag is no end.
KeyRange RangeOf(const TranscriptCommand& command) {
  KeyRange range{.key = command.args.at(0)};
  if (command.Has("end")) range.end = command.options.at("end");
  return range;
}

Compare ToCompare(const TranscriptCommand& command) {
  Compare compare{.range = {.key = command.args.at(1)}};
  if (command.Has("end")) compare.range.end = command.options.at("end");
  const std::string& target = command.args.at(0);
  const std::string& result = command.args.at(2);
  const std::string& operand = command.args.at(3);
  if (target == "value") {
    compare.target = CompareTarget::kValue;
    compare.value = operand;
  } else {
    compare.target = target == "version"  ? CompareTarget::kVersion
                     : target == "create" ? CompareTarget::kCreate
                     : target == "mod"    ? CompareTarget::kMod
                                          : CompareTarget::kLease;
    compare.number = std::stoll(operand);
  }
  compare.result = result == "is"    ? CompareResult::kEqual
                   : result == "not" ? CompareResult::kNotEqual
                   : result == "<"   ? CompareResult::kLess
                                     : CompareResult::kGreater;
  return compare;
}

template <typename T>
std::string Answer(const StatusOr<T>& result) {
  return result.ok() ? ToString(*result) : result.ToString();
}

std::string WithPrev(std::string text, const RangeResult& prev) {
  for (const std::string_view bytes : prev.kvs) {
    text += "\n  was " + ToString(*DecodeKeyValue(bytes));
  }
  return text;
}

}  // namespace

std::string ToString(const KeyValue& kv) {
  std::string text = Printable(kv.key) + "=" + Printable(kv.value) +
                     " create=" + std::to_string(kv.create_revision.value()) +
                     " mod=" + std::to_string(kv.mod_revision.value()) +
                     " version=" + std::to_string(kv.version);
  if (kv.lease != LeaseId(0)) {
    text += " lease=" + std::to_string(kv.lease.value());
  }
  return text;
}

std::string ToString(const RangeResult& result) {
  std::string text = "rev=" + std::to_string(result.revision.value()) +
                     " count=" + std::to_string(result.count);
  if (result.more) text += " more";
  for (const std::string_view bytes : result.kvs) {
    text += "\n  " + ToString(*DecodeKeyValue(bytes));
  }
  return text;
}

std::string ToString(const PutResult& result) {
  return WithPrev("rev=" + std::to_string(result.revision.value()),
                  result.prev);
}

std::string ToString(const DeleteRangeResult& result) {
  return WithPrev("rev=" + std::to_string(result.revision.value()) +
                      " deleted=" + std::to_string(result.deleted),
                  result.prev);
}

std::string ToString(const TxnResult& result, int depth) {
  const std::string indent(2 * static_cast<size_t>(depth), ' ');
  std::string text = "rev=" + std::to_string(result.revision.value()) +
                     (result.succeeded ? " then" : " else");
  for (const OpResult& op : result.responses) {
    std::string line;
    if (auto* range = std::get_if<RangeResult>(&op)) {
      line = "get " + ToString(*range);
    } else if (auto* put = std::get_if<PutResult>(&op)) {
      line = "put " + ToString(*put);
    } else if (auto* erase = std::get_if<DeleteRangeResult>(&op)) {
      line = "del " + ToString(*erase);
    } else {
      line = "txn " + ToString(*std::get<3>(op), depth + 1);
    }
    text += "\n" + indent + line;
  }
  return text;
}

RangeRequest ToRange(const TranscriptCommand& command) {
  RangeRequest request{.range = RangeOf(command)};
  request.limit = command.Number("limit");
  request.revision = Revision(command.Number("rev"));
  const std::string order = command.Option("order");
  request.sort_order = order == "asc"    ? SortOrder::kAscend
                       : order == "desc" ? SortOrder::kDescend
                                         : SortOrder::kNone;
  request.sort_target = TargetNamed(command.Option("target", "key"));
  request.keys_only = Flag(command, "keys_only");
  request.count_only = Flag(command, "count_only");
  request.min_mod_revision = Revision(command.Number("min_mod"));
  request.max_mod_revision = Revision(command.Number("max_mod"));
  request.min_create_revision = Revision(command.Number("min_create"));
  request.max_create_revision = Revision(command.Number("max_create"));
  return request;
}

PutRequest ToPut(const TranscriptCommand& command) {
  PutRequest request{.key = command.args.at(0)};
  request.ignore_value = Flag(command, "ignore_value");
  if (!request.ignore_value) request.value = command.args.at(1);
  request.lease = LeaseId(command.Number("lease"));
  request.prev_kv = Flag(command, "prev");
  request.ignore_lease = Flag(command, "ignore_lease");
  return request;
}

DeleteRangeRequest ToDelete(const TranscriptCommand& command) {
  return {.range = RangeOf(command), .prev_kv = Flag(command, "prev")};
}

std::string StoreScript::Run(const TranscriptCommand& command) {
  if (command.name == "txn" || !drafts_.empty()) return AddToTxn(command);
  std::string answer = RunOne(command);
  store_->EndEntry(LogIndex(++entry_), Term(1));
  return answer;
}

std::string StoreScript::RunOne(const TranscriptCommand& command) {
  if (command.name == "put") return Answer(store_->Put(ToPut(command)));
  if (command.name == "get") return Answer(store_->Range(ToRange(command)));
  if (command.name == "del") {
    return Answer(store_->DeleteRange(ToDelete(command)));
  }
  if (command.name == "compact") return Compact(command);
  if (command.name == "hash") return Hash(command);
  if (command.name == "record") return Record(command);
  if (command.name == "leases") return Leases();
  return Lease(command);
}

std::string StoreScript::Lease(const TranscriptCommand& command) {
  const LeaseId id(std::stoll(command.args.at(0)));
  if (command.name == "revoke") {
    const auto revision = store_->RevokeLease(id);
    return revision.ok() ? "rev=" + std::to_string(revision->value())
                         : revision.ToString();
  }
  const int64_t seconds = std::stoll(command.args.at(1));
  if (command.name == "grant") {
    return store_->GrantLease({.id = id, .ttl_seconds = seconds}).ToString();
  }
  if (command.name == "checkpoint") {
    return store_->CheckpointLease(id, seconds).ToString();
  }
  CHECK(false) << "no command " << command.name;
  return "";
}

std::string StoreScript::Leases() const {
  std::vector<LeaseRecord> leases = store_->leases().List();
  std::sort(leases.begin(), leases.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  std::string text;
  for (const LeaseRecord& lease : leases) {
    text += (text.empty() ? "" : "\n") + std::to_string(lease.id.value()) +
            " ttl=" + std::to_string(lease.ttl_seconds);
    if (lease.remaining_seconds != 0) {
      text += " remaining=" + std::to_string(lease.remaining_seconds);
    }
    for (const std::string& key : store_->leases().Keys(lease.id)) {
      text += " " + key;
    }
  }
  return text;
}

std::string StoreScript::AddToTxn(const TranscriptCommand& borrowed) {
  const TranscriptCommand& command = commands_.emplace_back(borrowed);
  if (command.name == "txn") {
    drafts_.push_back({.txn = std::make_unique<TxnRequest>()});
  } else if (command.name == "if") {
    drafts_.back().txn->compare.push_back(ToCompare(command));
  } else if (command.name == "else") {
    drafts_.back().otherwise = true;
  } else if (command.name == "put") {
    drafts_.back().ops().emplace_back(ToPut(command));
  } else if (command.name == "get") {
    drafts_.back().ops().emplace_back(ToRange(command));
  } else if (command.name == "del") {
    drafts_.back().ops().emplace_back(ToDelete(command));
  } else {
    CHECK_EQ(command.name, "end");
    std::unique_ptr<TxnRequest> txn = std::move(drafts_.back().txn);
    drafts_.pop_back();
    if (!drafts_.empty()) {
      drafts_.back().ops().emplace_back(std::move(txn));
      return "";
    }
    auto result = store_->Txn(*txn);
    store_->EndEntry(LogIndex(++entry_), Term(1));
    return result.ok() ? ToString(*result, 1) : result.ToString();
  }
  return "";
}

std::string StoreScript::Compact(const TranscriptCommand& command) {
  auto done = std::make_shared<std::promise<void>>();
  const Status status = store_->Compact(
      Revision(std::stoll(command.args.at(0))), [done] { done->set_value(); });
  if (!status.ok()) return status.ToString();
  store_->EndEntry(LogIndex(++entry_), Term(1));
  done->get_future().wait();
  return "ok";
}

std::string StoreScript::Hash(const TranscriptCommand& command) {
  auto result = store_->HashKv(Revision(command.Number("rev")));
  if (!result.ok()) return result.ToString();
  return "hash=" + std::to_string(result->hash) +
         " compacted=" + std::to_string(result->compact_revision.value()) +
         " at=" + std::to_string(result->hash_revision.value());
}

std::string StoreScript::Record(const TranscriptCommand& command) {
  const Table table = TableNamed(command.args.at(0));
  const std::string& key = command.args.at(1);
  if (command.args.size() > 2 && command.args[2] == "put") {
    store_->PutRecord(table, key, command.args.at(3));
  } else if (command.args.size() > 2) {
    store_->EraseRecord(table, key);
  }
  std::string text;
  const auto records = store_->List(table);
  CHECK_OK(records.status());
  for (const auto& [name, value] : *records) {
    text +=
        (text.empty() ? "" : " ") + Printable(name) + "=" + Printable(value);
  }
  return text;
}

void FlushAndWait(Store* store) {
  std::promise<Status> done;
  store->Flush([&done](Status status) { done.set_value(status); });
  CHECK_OK(done.get_future().get());
}

}  // namespace strata::testing
