#include "server/alarms.h"

#include <string>

#include "base/bytes.h"
#include "server/errors.h"
#include "server/quota.h"

namespace strata {
namespace {

using etcdserverpb::AlarmRequest;
using etcdserverpb::InternalRaftRequest;

// A record's key is the alarm itself; it has no value.
std::string RecordKey(const AlarmRecord& alarm) {
  etcdserverpb::AlarmMember message;
  message.set_memberid(alarm.member.value());
  message.set_alarm(static_cast<etcdserverpb::AlarmType>(alarm.type));
  return message.SerializeAsString();
}

bool IsRefusedWhenCorrupt(const InternalRaftRequest& request) {
  return request.has_put() || request.has_range() ||
         request.has_delete_range() || request.has_txn() ||
         request.has_compaction() || request.has_lease_grant() ||
         request.has_lease_revoke();
}

}  // namespace

Status Alarms::Restore(const Store& store) {
  ASSIGN_OR_RETURN(const auto records, store.List(Table::kAlarm));
  const std::lock_guard lock(mutex_);
  raised_.clear();
  for (const auto& [key, value] : records) {
    etcdserverpb::AlarmMember message;
    if (!message.ParseFromString(key)) {
      return DataLossError("the alarm table has a key that is no alarm: " +
                           Printable(key));
    }
    raised_.insert({MemberId(message.memberid()), message.alarm()});
  }
  Count();
  return Status::Ok();
}

AlarmResult Alarms::Apply(const AlarmRequest& request, Store* store) {
  const AlarmRecord alarm{MemberId(request.memberid()), request.alarm()};
  switch (request.action()) {
    case AlarmRequest::GET:
      return {ListType(alarm.type)};
    case AlarmRequest::ACTIVATE:
      if (!IsRaised(alarm)) Raise(alarm, store);
      return {{alarm}};
    case AlarmRequest::DEACTIVATE:
      if (!IsRaised(alarm)) return {};
      Clear(alarm, store);
      return {{alarm}};
    default:
      return {};
  }
}

void Alarms::Raise(const AlarmRecord& alarm, Store* store) {
  store->PutRecord(Table::kAlarm, RecordKey(alarm), "");
  const std::lock_guard lock(mutex_);
  raised_.insert(alarm);
  Count();
}

void Alarms::Clear(const AlarmRecord& alarm, Store* store) {
  store->EraseRecord(Table::kAlarm, RecordKey(alarm));
  const std::lock_guard lock(mutex_);
  raised_.erase(alarm);
  Count();
}

// REQUIRES: mutex_
void Alarms::Count() {
  const auto any = [this](int type) {
    for (const AlarmRecord& alarm : raised_) {
      if (alarm.type == type) return true;
    }
    return false;
  };
  no_space_ = any(etcdserverpb::NOSPACE);
  corrupt_ = any(etcdserverpb::CORRUPT);
}

Status Alarms::Refusal(const InternalRaftRequest& request) const {
  if (corrupt_ && IsRefusedWhenCorrupt(request)) return errors::Corrupt();
  if (no_space_ && QuotaCost(request) > 0) return errors::NoSpace();
  return Status::Ok();
}

std::vector<AlarmRecord> Alarms::ListType(int type) const {
  const std::lock_guard lock(mutex_);
  std::vector<AlarmRecord> alarms;
  for (const AlarmRecord& alarm : raised_) {
    if (type == etcdserverpb::NONE || alarm.type == type) {
      alarms.push_back(alarm);
    }
  }
  return alarms;
}

std::vector<AlarmRecord> Alarms::List() const {
  return ListType(etcdserverpb::NONE);
}

bool Alarms::IsRaised(const AlarmRecord& alarm) const {
  const std::lock_guard lock(mutex_);
  return raised_.contains(alarm);
}

}  // namespace strata
