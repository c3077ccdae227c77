#include "engine/compare.h"

#include <compare>

namespace strata {
namespace {

std::strong_ordering Order(const Compare& compare, const KeyValue& kv) {
  switch (compare.target) {
    case CompareTarget::kVersion:
      return kv.version <=> compare.number;
    case CompareTarget::kCreate:
      return kv.create_revision.value() <=> compare.number;
    case CompareTarget::kMod:
      return kv.mod_revision.value() <=> compare.number;
    case CompareTarget::kValue:
      return kv.value <=> compare.value;
    case CompareTarget::kLease:
      return kv.lease.value() <=> compare.number;
  }
  return std::strong_ordering::equal;
}

}  // namespace

bool HoldsFor(const Compare& compare, const KeyValue& kv) {
  const std::strong_ordering order = Order(compare, kv);
  switch (compare.result) {
    case CompareResult::kEqual:
      return order == 0;
    case CompareResult::kNotEqual:
      return order != 0;
    case CompareResult::kGreater:
      return order > 0;
    case CompareResult::kLess:
      return order < 0;
  }
  return true;
}

}  // namespace strata
