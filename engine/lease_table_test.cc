#include "engine/lease_table.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(LeaseRecord, IsEtcdsEncoding) {
  const LeaseRecord lease{.id = LeaseId(0x1234), .ttl_seconds = 60};
  EXPECT_EQ(LeaseRecordKey(lease.id), std::string("\0\0\0\0\0\0\x12\x34", 8));
  EXPECT_EQ(EncodeLeaseRecord(lease), "\x08\xb4\x24\x10\x3c");
  const LeaseRecord left{
      .id = LeaseId(-1), .ttl_seconds = 60, .remaining_seconds = 7};
  for (const LeaseRecord& record : {lease, left}) {
    EXPECT_EQ(*DecodeLeaseRecord(EncodeLeaseRecord(record)), record);
  }
  for (const std::string bad : {"", "\x10\x3c", "\x08", "x"}) {
    EXPECT_EQ(DecodeLeaseRecord(bad).status().code(), Code::kDataLoss) << bad;
  }
}

TEST(LeaseTable, AKeyHangsOnOneLeaseAtMost) {
  LeaseTable table;
  table.Grant({.id = LeaseId(1), .ttl_seconds = 10});
  table.Grant({.id = LeaseId(2), .ttl_seconds = 10});
  table.Attach("b", LeaseId(1));
  table.Attach("a", LeaseId(1));
  table.Attach("a", LeaseId(1));
  using Keys = std::vector<std::string>;
  EXPECT_EQ(table.Keys(LeaseId(1)), (Keys{"a", "b"}));
  table.Attach("b", LeaseId(2));
  EXPECT_EQ(table.Keys(LeaseId(1)), Keys{"a"});
  EXPECT_EQ(table.Keys(LeaseId(2)), Keys{"b"});
  table.Attach("b", LeaseId(3));  // not there: as none
  EXPECT_EQ(table.Keys(LeaseId(2)), Keys{});
  table.Attach("a", LeaseId(0));
  table.Remove(LeaseId(1));
  EXPECT_FALSE(table.Find(LeaseId(1)).has_value());
  EXPECT_EQ(table.size(), 1u);
  table.SetRemaining(LeaseId(2), 4);
  EXPECT_EQ(table.Find(LeaseId(2))->remaining_seconds, 4);
  EXPECT_EQ(table.List().size(), 1u);
}

}  // namespace
}  // namespace strata
