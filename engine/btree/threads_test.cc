// Readers, a snapshot and the writer at once; run under the thread sanitizer
// too.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/btree_backend.h"
#include "engine/mem_backend.h"

namespace strata {
namespace {

constexpr int kKeys = 200;

// All keys have the same value in any one state.
Batch Round(int number) {
  Batch batch;
  for (int i = 0; i < kKeys; ++i) {
    batch.Put(Table::kKey, "key" + std::to_string(i),
              std::to_string(number) + std::string(300, 'v'));
  }
  return batch;
}

std::string ReadOnce(const View& view) {
  auto first = view.Get(Table::kKey, "key0");
  CHECK_OK(first);
  if (!first->has_value()) return "";
  const std::string expected(**first);
  int keys = 0;
  auto it = view.NewIterator(Table::kKey);
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++keys) {
    EXPECT_EQ(it->value(), expected);
  }
  EXPECT_TRUE(it->status().ok());
  EXPECT_EQ(keys, kKeys);
  return expected;
}

void RunThreads(Backend* backend, int rounds) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        auto view = backend->NewView();
        CHECK_OK(view);
        ReadOnce(**view);
        backend->Sizes();
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      auto view = backend->NewView();
      CHECK_OK(view);
      uint64_t bytes = 0;
      EXPECT_TRUE(backend
                      ->WriteSnapshot(**view,
                                      [&](std::string_view piece) {
                                        bytes += piece.size();
                                        return Status::Ok();
                                      })
                      .ok());
      EXPECT_GT(bytes, 8192u);
    }
  });
  for (int round = 0; round < rounds; ++round) {
    EXPECT_TRUE(backend->Write(Round(round)).ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  auto view = backend->NewView();
  EXPECT_EQ(ReadOnce(**view),
            std::to_string(rounds - 1) + std::string(300, 'v'));
}

TEST(ThreadsTest, Btree) {
  const std::string path = testing::TempDir() + "/threads.db";
  if (Env::Posix()->Exists(path)) CHECK_OK(Env::Posix()->Remove(path));
  BtreeOptions options;
  options.fsync = false;
  options.initial_mmap_bytes = 0;  // so that the file is mapped anew meanwhile
  auto backend = OpenBtreeBackend(Env::Posix(), path, options, Logger::Null());
  ASSERT_TRUE(backend.ok()) << backend.ToString();
  RunThreads(backend->get(), 200);
  EXPECT_TRUE(
      (*backend)
          ->Check([](const std::string& fault) { ADD_FAILURE() << fault; })
          .ok());
}

TEST(ThreadsTest, Mem) { RunThreads(NewMemBackend().get(), 50); }

}  // namespace
}  // namespace strata
