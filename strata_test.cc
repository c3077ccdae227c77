#include "strata.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "snapshot/db_snapshot.h"

namespace strata {
namespace {

class StrataTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = JoinPath(std::getenv("TEST_TMPDIR"), info->name());
    Open();
  }
  void Open() {
    auto db = Db::Open(directory_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
  }
  void Reopen() {
    ASSERT_TRUE(db_->Close().ok());
    db_.reset();
    Open();
  }
  std::string Get(std::string_view key, Revision revision = Revision()) {
    auto record = db_->Get(key, revision);
    if (!record.ok()) return record.ToString();
    return *record ? std::string((**record)->value) : "(none)";
  }

  std::string directory_;
  std::unique_ptr<Db> db_;
};

TEST_F(StrataTest, KeepsThePastUntilItIsCompacted) {
  const auto first = db_->Put("k", "one");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->revision, Revision(2));
  ASSERT_TRUE(db_->Put("k", "two").ok());
  EXPECT_EQ(Get("k"), "two");
  EXPECT_EQ(Get("k", first->revision), "one");
  ASSERT_TRUE(db_->Compact(Revision(3)).ok());
  EXPECT_EQ(Get("k", first->revision),
            "OutOfRange: etcdserver: mvcc: required revision has been "
            "compacted");
  EXPECT_EQ(Get("k"), "two");
}

// A directory keeps its backend, and ConvertBackend() changes it.
TEST_F(StrataTest, AnotherBackend) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Close().ok());
  const DbOptions options{.backend = BackendKind::kLevelDb};
  const auto refused = Db::Open(directory_, options);
  EXPECT_EQ(refused.status().code(), Code::kFailedPrecondition);
  EXPECT_NE(refused.ToString().find("member/snap/db is there: the backend is "
                                    "btree, not leveldb"),
            std::string::npos)
      << refused.ToString();
  const auto converted =
      ConvertBackend(Env::Posix(), JoinPath(directory_, "member/snap"),
                     {.to = {.kind = BackendKind::kLevelDb}}, Logger::Null());
  ASSERT_TRUE(converted.ok()) << converted.ToString();
  for (int i = 0; i < 2; ++i) {
    auto db = Db::Open(directory_, options);
    ASSERT_TRUE(db.ok()) << db.ToString();
    db_ = std::move(*db);
    EXPECT_EQ(Get("a"), "1");
    if (i == 1) {
      EXPECT_EQ(Get("b"), "2");
      continue;
    }
    ASSERT_TRUE(db_->Put("b", "2").ok());
    ASSERT_TRUE(db_->Close().ok());
  }
}

TEST_F(StrataTest, ComesBackAsItWas) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Put("b", "2").ok());
  ASSERT_TRUE(db_->Delete("a").ok());
  Reopen();
  EXPECT_EQ(db_->revision(), Revision(4));
  EXPECT_EQ(Get("a"), "(none)");
  EXPECT_EQ(Get("a", Revision(3)), "1");
  EXPECT_EQ(Get("b"), "2");
}

TEST_F(StrataTest, TellsWhoElseHasTheDirectory) {
  const auto second = Db::Open(directory_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kUnavailable) << second.status();
}

TEST_F(StrataTest, RefusesInEtcdsWords) {
  EXPECT_EQ(db_->Put("", "x").status().message(),
            "etcdserver: key is not provided");
  EXPECT_EQ(db_->Get("").status().message(), "etcdserver: key is not provided");
  EXPECT_EQ(db_->Get("k", Revision(9)).status().message(),
            "etcdserver: mvcc: required revision is a future revision");
}

TEST_F(StrataTest, ATransactionIsAllOrNothing) {
  TxnRequest txn;
  PutRequest put;
  put.key = "a";
  put.value = "1";
  txn.success.emplace_back(put);
  put.key = "b";
  put.ignore_value = true;  // of a key that is not there
  put.value = "";
  txn.success.emplace_back(put);
  EXPECT_EQ(db_->Txn(txn).status().message(), "etcdserver: key not found");
  EXPECT_EQ(Get("a"), "(none)");
  EXPECT_EQ(db_->revision(), Revision(1));
}

TEST_F(StrataTest, ThreadsShareTheLogAndLoseNothing) {
  constexpr int kThreads = 8;
  constexpr int kPuts = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kPuts; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        EXPECT_TRUE(db_->Put(key, "v").ok());
        EXPECT_EQ(Get(key), "v");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(db_->revision(), Revision(1 + kThreads * kPuts));
  Reopen();
  EXPECT_EQ(db_->revision(), Revision(1 + kThreads * kPuts));
}

// --- watching ---

class StrataWatchTest : public StrataTest {
 protected:
  std::unique_ptr<WatchReader> Watch(const WatchRequest& request) {
    auto reader = db_->Watch(request);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return std::move(*reader);
  }
  // "put a=1 (0), delete b", or "nothing", or why not.
  static std::string Next(WatchReader* reader) {
    const auto next = reader->Next(std::chrono::seconds(10));
    if (!next.ok()) return next.status().message();
    if (!next->has_value()) return "nothing";
    std::string out;
    for (const WatchedChange& change : (*next)->changes) {
      out += out.empty() ? "" : ", ";
      out += change.is_delete ? "delete " : "put ";
      out += change.kv->key;
      if (!change.is_delete) out += "=" + std::string(change.kv->value);
      if (change.prev) out += " (" + std::string((*change.prev)->value) + ")";
    }
    return out;
  }
};

TEST_F(StrataWatchTest, WhatHappensAndWhatHappened) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  WatchRequest request{.range = {.key = "a", .end = "c"}, .prev_kv = true};
  const auto now = Watch(request);
  request.start = Revision(2);
  const auto all = Watch(request);
  EXPECT_EQ(Next(all.get()), "put a=1");
  ASSERT_TRUE(db_->Put("a", "2").ok());
  EXPECT_EQ(Next(now.get()), "put a=2 (1)");
  EXPECT_EQ(Next(all.get()), "put a=2 (1)");
  ASSERT_TRUE(db_->Put("c", "1").ok());
  ASSERT_TRUE(db_->DeleteRange({.range = {.key = "a", .end = "z"}}).ok());
  EXPECT_EQ(Next(now.get()), "delete a (2)");
  auto nothing = now->Next(std::chrono::milliseconds(1));
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->has_value());
}

TEST_F(StrataWatchTest, GoesOnAfterReopening) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Put("a", "2").ok());
  Reopen();
  const auto reader =
      Watch({.range = {.key = "a", .end = {}}, .start = Revision(3)});
  EXPECT_EQ(Next(reader.get()), "put a=2");
}

TEST_F(StrataWatchTest, RefusalsAndStop) {
  EXPECT_EQ(db_->Watch({.range = {.key = "b", .end = "a"}}).status().message(),
            "mvcc: watcher range is empty");
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Put("a", "2").ok());
  ASSERT_TRUE(db_->Compact(Revision(3)).ok());
  const auto late =
      Watch({.range = {.key = "a", .end = {}}, .start = Revision(2)});
  EXPECT_EQ(Next(late.get()),
            "etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(late->compact_revision(), Revision(3));
  const auto stopped = Watch({.range = {.key = "a", .end = {}}});
  std::thread stopper([&] { stopped->Stop(); });
  EXPECT_EQ(Next(stopped.get()), "nothing");
  stopper.join();
  EXPECT_EQ(Next(stopped.get()), "nothing");
}

TEST_F(StrataTest, Leases) {
  const auto lease = db_->GrantLease(100, LeaseId(7));
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(*lease, LeaseId(7));
  EXPECT_EQ(db_->GrantLease(100, LeaseId(7)).status().ToString(),
            "FailedPrecondition: etcdserver: lease already exists");
  ASSERT_TRUE(db_->Put({.key = "a", .value = "1", .lease = *lease}).ok());
  const auto status = db_->GetLease(*lease);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->ttl_seconds, 100);
  EXPECT_GT(status->left, std::chrono::seconds(90));
  EXPECT_EQ(status->keys, std::vector<std::string>{"a"});
  EXPECT_EQ(*db_->KeepLeaseAlive(*lease), 100);

  const auto chosen = db_->GrantLease(1);
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(db_->GetLease(*chosen)->ttl_seconds, 2);  // the least there is
  EXPECT_EQ(db_->Leases(), (std::vector<LeaseId>{*chosen, LeaseId(7)}));

  EXPECT_TRUE(db_->RevokeLease(*lease).ok());
  EXPECT_FALSE(db_->Get("a")->has_value());
  EXPECT_EQ(db_->GetLease(*lease).status().code(), Code::kNotFound);
  EXPECT_EQ(db_->KeepLeaseAlive(*lease).status().code(), Code::kNotFound);
  EXPECT_EQ(db_->RevokeLease(*lease).code(), Code::kNotFound);
}

TEST_F(StrataTest, ALeaseEndsByItself) {
  const auto lease = db_->GrantLease(2);
  ASSERT_TRUE(db_->Put({.key = "a", .value = "1", .lease = *lease}).ok());
  WatchRequest request;
  request.range.key = "a";
  auto watch = db_->Watch(request);
  ASSERT_TRUE(watch.ok());
  const auto gone = (*watch)->Next(std::chrono::seconds(10));
  ASSERT_TRUE(gone.ok() && gone->has_value());
  EXPECT_TRUE((*gone)->changes.front().is_delete);
  EXPECT_TRUE(db_->Leases().empty());
}

TEST_F(StrataTest, ASnapshotIsAFileOfItsOwn) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  const std::string path = directory_ + ".snapshot";
  ASSERT_TRUE(db_->Snapshot(path).ok());
  ASSERT_TRUE(VerifyDbSnapshotFile(Env::Posix(), path).ok());
  ASSERT_TRUE(db_->Put("a", "2").ok());
  EXPECT_EQ(*VerifyDbSnapshotFile(Env::Posix(), path) % 4096, 0U);
  EXPECT_FALSE(db_->Snapshot("/nonexistent/file").ok());
}

}  // namespace
}  // namespace strata
