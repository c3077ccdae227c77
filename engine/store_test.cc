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

TEST(StoreTest, Transcript) {
  auto flusher = NewThreadedLoop("flusher");
  auto store = OpenStore(flusher.get(), Level::V3_4());
  testing::StoreScript script(store.get());
  EXPECT_EQ(RunTranscript("engine/testdata/store.txt",
                          [&](const TranscriptCommand& command) {
                            return script.Run(command);
                          }),
            "");
  EXPECT_TRUE(store->Close().ok());
}

}  // namespace
}  // namespace strata
