#include "server/validate.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace strata {
namespace {

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

std::string Txn(const std::string& text, int64_t max_ops = 128) {
  return CheckTxn(Parse<etcdserverpb::TxnRequest>(text), max_ops).ToString();
}

std::string Put(const std::string& key) {
  return " request_put { key: '" + key + "' } ";
}
std::string Delete(const std::string& key, const std::string& end = "") {
  return " request_delete_range { key: '" + key + "' range_end: '" + end +
         "' } ";
}
std::string Success(const std::string& op) { return "success {" + op + "} "; }
std::string Failure(const std::string& op) { return "failure {" + op + "} "; }
std::string Nested(const std::string& txn) {
  return Success("request_txn {" + txn + "}");
}

constexpr char kOk[] = "OK";
constexpr char kDuplicate[] =
    "InvalidArgument: etcdserver: duplicate key given in txn request";
constexpr char kTooMany[] =
    "InvalidArgument: etcdserver: too many operations in txn request";
constexpr char kNoKey[] = "InvalidArgument: etcdserver: key is not provided";

TEST(ValidateTest, Ranges) {
  const auto check = [](const std::string& text) {
    return CheckRange(Parse<etcdserverpb::RangeRequest>(text)).ToString();
  };
  EXPECT_EQ(check("key: 'a' sort_order: DESCEND sort_target: VALUE"), kOk);
  EXPECT_EQ(check("range_end: 'b'"), kNoKey);
  EXPECT_EQ(check("key: 'a' limit: -5 revision: -1"), kOk);
  etcdserverpb::RangeRequest request;
  request.set_key("a");
  request.set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(3));
  const std::string invalid =
      "InvalidArgument: etcdserver: invalid sort option";
  EXPECT_EQ(CheckRange(request).ToString(), invalid);
  request.clear_sort_order();
  request.set_sort_target(
      static_cast<etcdserverpb::RangeRequest::SortTarget>(5));
  EXPECT_EQ(CheckRange(request).ToString(), invalid);
}

TEST(ValidateTest, Puts) {
  const auto check = [](const std::string& text) {
    return CheckPut(Parse<etcdserverpb::PutRequest>(text)).ToString();
  };
  EXPECT_EQ(check("key: 'a'"), kOk);
  EXPECT_EQ(check("value: 'a'"), kNoKey);
  EXPECT_EQ(check("key: 'a' ignore_value: true"), kOk);
  EXPECT_EQ(check("key: 'a' value: 'v' ignore_value: true"),
            "InvalidArgument: etcdserver: value is provided");
  EXPECT_EQ(check("key: 'a' lease: 1 ignore_lease: true"),
            "InvalidArgument: etcdserver: lease is provided");
  // The key comes first, then the value, then the lease.
  EXPECT_EQ(check("value: 'v' ignore_value: true"), kNoKey);
  EXPECT_EQ(check("key: 'a' value: 'v' ignore_value: true lease: 1 "
                  "ignore_lease: true"),
            "InvalidArgument: etcdserver: value is provided");
}

TEST(ValidateTest, Deletes) {
  EXPECT_EQ(CheckDeleteRange(Parse<etcdserverpb::DeleteRangeRequest>("")),
            InvalidArgumentError("etcdserver: key is not provided"));
  EXPECT_TRUE(
      CheckDeleteRange(Parse<etcdserverpb::DeleteRangeRequest>("key: 'a'"))
          .ok());
}

TEST(ValidateTest, EveryOperationOfATransaction) {
  EXPECT_EQ(Txn(""), kOk);
  EXPECT_EQ(Txn("compare {}"), kNoKey);
  EXPECT_EQ(Txn(Success("request_range {}")), kNoKey);
  EXPECT_EQ(Txn(Failure("request_put {}")), kNoKey);
  EXPECT_EQ(Txn(Success("")), "InvalidArgument: etcdserver: key not found");
  EXPECT_EQ(Txn(Nested(Failure("request_delete_range {}"))), kNoKey);
}

TEST(ValidateTest, OperationsAreCountedByTheLongestOfThreeLists) {
  const std::string two = Success(Put("a")) + Success(Put("b"));
  EXPECT_EQ(Txn(two + Failure(Put("a")), 2), kOk);
  EXPECT_EQ(Txn(two, 1), kTooMany);
  const std::string compares = "compare { key: 'a' } compare { key: 'b' }";
  EXPECT_EQ(Txn(compares, 1), kTooMany);
  // What the outer one leaves over is for those inside.
  EXPECT_EQ(Txn(Nested(two), 3), kOk);
  EXPECT_EQ(Txn(Nested(two), 2), kTooMany);
}

TEST(ValidateTest, TransactionsNestOnlySoDeep) {
  std::string txn;
  for (int depth = 0; depth < kMaxTxnDepth; ++depth) txn = Nested(txn);
  EXPECT_EQ(Txn(txn), kOk);
  EXPECT_EQ(Txn(Nested(txn)), kTooMany);
}

TEST(ValidateTest, AKeyIsPutOnceInABranch) {
  EXPECT_EQ(Txn(Success(Put("a")) + Success(Put("a"))), kDuplicate);
  EXPECT_EQ(Txn(Success(Put("a")) + Failure(Put("a"))), kOk);
  EXPECT_EQ(Txn(Success(Put("a")) + Nested(Success(Put("a")))), kDuplicate);
  // The branches of a nested one exclude each other, those of two do not.
  EXPECT_EQ(Txn(Nested(Success(Put("a")) + Failure(Put("a")))), kOk);
  EXPECT_EQ(Txn(Nested(Success(Put("a"))) + Nested(Failure(Put("a")))),
            kDuplicate);
  EXPECT_EQ(
      Txn(Nested(Success(Put("a")) + Failure(Put("a"))) + Success(Put("a"))),
      kDuplicate);
}

TEST(ValidateTest, APutKeyIsNotDeleted) {
  EXPECT_EQ(Txn(Success(Put("b")) + Success(Delete("b"))), kDuplicate);
  EXPECT_EQ(Txn(Success(Put("b")) + Success(Delete("a", "c"))), kDuplicate);
  EXPECT_EQ(Txn(Success(Put("c")) + Success(Delete("a", "c"))), kOk);
  EXPECT_EQ(Txn(Success(Put("bb")) + Success(Delete("b"))), kOk);
  EXPECT_EQ(Txn(Success(Put("b")) + Failure(Delete("b"))), kOk);
  EXPECT_EQ(Txn(Success(Delete("a", "c")) + Success(Delete("b"))), kOk);
  // One interval inside, before, across and beside another.
  const std::string deletes = Success(Delete("d", "f")) +
                              Success(Delete("b", "e")) +
                              Success(Delete("f", "g"));
  for (const char* key : {"b", "d", "e", "f"}) {
    EXPECT_EQ(Txn(deletes + Success(Put(key))), kDuplicate) << key;
  }
  for (const char* key : {"a", "g"}) {
    EXPECT_EQ(Txn(deletes + Success(Put(key))), kOk) << key;
  }
}

TEST(ValidateTest, NestedDeletesCountForWhatComesAfterThem) {
  const std::string put = Nested(Success(Put("b")));
  const std::string del = Nested(Success(Delete("a", "c")));
  EXPECT_EQ(Txn(del + put), kDuplicate);
  EXPECT_EQ(Txn(put + del), kOk);  // etcd looks back only
  EXPECT_EQ(Txn(del + Success(Put("b"))), kDuplicate);
  EXPECT_EQ(Txn(put + Success(Delete("a", "c"))), kDuplicate);
}

TEST(ValidateTest, ADeleteToTheEndIsNeverFoundToOverlap) {
  EXPECT_EQ(Txn(Success(Put("b")) + Success(Delete("a", "\\000"))), kOk);
}

}  // namespace
}  // namespace strata
