// Readers, a snapshot and the writer at once; run under the thread sanitizer
// too.

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
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
    // What it notes of the pages, readers look up.
    EXPECT_TRUE(
        backend
            ->ScrubStep(
                20000, [](const std::string& fault) { ADD_FAILURE() << fault; })
            .ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  auto view = backend->NewView();
  EXPECT_EQ(ReadOnce(**view),
            std::to_string(rounds - 1) + std::string(300, 'v'));
}

// All values of a batch are of one letter.
void ExpectOneLetter(const View& view) {
  std::string first;
  auto it = view.NewIterator(Table::kKey);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    if (first.empty()) first = it->value();
    EXPECT_EQ(it->value(), first);
  }
  CHECK_OK(it->status());
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

// Readers hold views, young and old, while the file is filled, emptied and
// shrunk under them: each sees what was there when it was made.
TEST(ThreadsTest, ShrinkingUnderReaders) {
  constexpr int kRounds = 4;
  constexpr int kKeys = 3000;
  const std::string path = testing::TempDir() + "/shrink_threads.db";
  if (Env::Posix()->Exists(path)) CHECK_OK(Env::Posix()->Remove(path));
  BtreeOptions options;
  options.fsync = false;
  options.initial_mmap_bytes = 0;
  auto opened = OpenBtreeBackend(Env::Posix(), path, options, Logger::Null());
  CHECK_OK(opened);
  Backend* const backend = opened->get();
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      std::deque<std::shared_ptr<const View>> held;
      while (!stop) {
        auto view = backend->NewView();
        CHECK_OK(view);
        held.push_back(*view);
        if (held.size() > 1 + 10u * i) held.pop_front();
        ExpectOneLetter(*held.front());
        uint64_t bytes = 0;
        CHECK_OK(backend->WriteSnapshot(*held.front(), [&](auto piece) {
          for (size_t at = 0; at < piece.size(); at += 4096) bytes += piece[at];
          return Status::Ok();
        }));
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    Batch fill;
    Batch empty;
    const std::string value(200, static_cast<char>('a' + round));
    for (int i = 0; i < kKeys; ++i) {
      fill.Put(Table::kKey, std::to_string(10000 + i), value);
      if (i % 10 != round) empty.Erase(Table::kKey, std::to_string(10000 + i));
    }
    CHECK_OK(backend->Write(fill));
    CHECK_OK(backend->Write(empty));
    for (int step = 0; step < 300; ++step) {
      auto progress = backend->ShrinkStep(128 << 10);
      CHECK_OK(progress);
      if (progress->done) break;
      if (progress->blocker) std::this_thread::yield();
    }
    backend->EndShrink();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (bool done = false; !done;) {
    auto progress = backend->ShrinkStep(128 << 10);
    CHECK_OK(progress);
    done = progress->done;
  }
  EXPECT_LT(backend->Sizes().file_bytes, 200000u);
  CHECK_OK(backend->Check([](const std::string& f) { ADD_FAILURE() << f; }));
}

TEST(ThreadsTest, Mem) { RunThreads(NewMemBackend().get(), 50); }

}  // namespace
}  // namespace strata
