#include "engine/store.h"

#include <gtest/gtest.h>

#include "engine/mem_backend.h"
#include "engine/store_testing.h"

namespace strata {
namespace {

std::unique_ptr<Store> OpenStore(Loop* flusher, Level level) {
  StoreOptions options;
  options.level = level;
  options.flusher = flusher;
  options.batch_interval = std::chrono::milliseconds(1);
  options.lease_exists = [](LeaseId lease) { return lease == LeaseId(5); };
  auto store = Store::Open(NewMemBackend(), options, Logger::Null());
  CHECK_OK(store.status());
  return std::move(*store);
}

std::string RunStory(const std::string& path, Level level) {
  auto flusher = NewThreadedLoop("flusher");
  auto store = OpenStore(flusher.get(), level);
  testing::StoreScript script(store.get());
  const std::string difference =
      RunTranscript(path, [&script](const TranscriptCommand& command) {
        return script.Run(command);
      });
  CHECK_OK(store->Close());
  return difference;
}

TEST(StoreTest, Transcript) {
  EXPECT_EQ(RunStory("engine/testdata/store.txt", Level::V3_4()), "");
}

// tests/conformance:hash_test runs the same file against a real etcd.
TEST(StoreTest, HashTranscript) {
  EXPECT_EQ(RunStory("engine/testdata/hash_3.4.txt", Level::V3_4()), "");
}

}  // namespace
}  // namespace strata
