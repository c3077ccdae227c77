#include "rpc/encode.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "rpc/proto/rpc.pb.h"

namespace strata {
namespace {

constexpr ResponseHeader kHeader = {
    .cluster_id = ClusterId(std::numeric_limits<uint64_t>::max()),
    .member_id = MemberId(7),
    .revision = Revision(1),  // not looked at
    .term = Term(300)};
constexpr char kHeaderText[] =
    "header { cluster_id: 18446744073709551615 member_id: 7 revision: 130 "
    "raft_term: 300 }";
const Revision kRevision(130);

// `bytes` must be exactly what the protobuf library makes of `text`.
template <typename Message>
void ExpectIs(const std::string& bytes, const std::string& text) {
  Message expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &expected))
      << text;
  EXPECT_EQ(bytes, expected.SerializeAsString()) << expected.DebugString();
}

std::string EncodedKv(const std::string& key, const std::string& value) {
  mvccpb::KeyValue kv;
  kv.set_key(key);
  kv.set_value(value);
  return kv.SerializeAsString();
}

TEST(EncodeTest, Range) {
  const std::string small = EncodedKv("k", "v");
  const std::string large = EncodedKv("l", std::string(100'000, 'x'));
  RangeResult result;
  result.revision = kRevision;
  ExpectIs<etcdserverpb::RangeResponse>(EncodeRangeResponse(kHeader, result),
                                        kHeaderText);
  result.kvs = {small, large};
  result.more = true;
  result.count = 12345;
  ExpectIs<etcdserverpb::RangeResponse>(
      EncodeRangeResponse(kHeader, result),
      std::string(kHeaderText) + "kvs { key: 'k' value: 'v' } kvs { key: 'l' " +
          "value: '" + std::string(100'000, 'x') +
          "' } more: true count: 12345");
}

TEST(EncodeTest, PutAndDelete) {
  const std::string kv = EncodedKv("k", "v");
  PutResult put;
  put.revision = kRevision;
  ExpectIs<etcdserverpb::PutResponse>(EncodePutResponse(kHeader, put),
                                      kHeaderText);
  put.prev.kvs = {kv};
  ExpectIs<etcdserverpb::PutResponse>(
      EncodePutResponse(kHeader, put),
      std::string(kHeaderText) + "prev_kv { key: 'k' value: 'v' }");
  DeleteRangeResult deleted;
  deleted.revision = kRevision;
  deleted.deleted = 2;
  deleted.prev.kvs = {kv, kv};
  ExpectIs<etcdserverpb::DeleteRangeResponse>(
      EncodeDeleteRangeResponse(kHeader, deleted),
      std::string(kHeaderText) +
          "deleted: 2 prev_kvs { key: 'k' value: 'v' } "
          "prev_kvs { key: 'k' value: 'v' }");
}

// Headers inside have the revision alone; that of a nested transaction nothing.
TEST(EncodeTest, Txn) {
  const std::string kv = EncodedKv("k", "v");
  RangeResult range;
  range.revision = Revision(129);
  range.kvs = {kv};
  range.count = 1;
  PutResult put;
  put.revision = kRevision;
  auto nested = std::make_unique<TxnResult>();
  nested->revision = kRevision;
  nested->responses.emplace_back(DeleteRangeResult{
      .revision = kRevision, .deleted = 1, .prev = RangeResult()});
  TxnResult txn;
  txn.revision = kRevision;
  txn.succeeded = true;
  txn.responses.emplace_back(std::move(range));
  txn.responses.emplace_back(std::move(put));
  txn.responses.emplace_back(std::move(nested));
  ExpectIs<etcdserverpb::TxnResponse>(EncodeTxnResponse(kHeader, txn),
                                      std::string(kHeaderText) + R"(
        succeeded: true
        responses { response_range {
          header { revision: 129 } kvs { key: 'k' value: 'v' } count: 1 } }
        responses { response_put { header { revision: 130 } } }
        responses { response_txn { header {}
          responses { response_delete_range {
            header { revision: 130 } deleted: 1 } } } })");
}

TEST(EncodeTest, HeaderAlone) {
  ResponseHeader header = kHeader;
  header.revision = kRevision;
  ExpectIs<etcdserverpb::CompactionResponse>(EncodeHeaderResponse(header),
                                             kHeaderText);
}

}  // namespace
}  // namespace strata
