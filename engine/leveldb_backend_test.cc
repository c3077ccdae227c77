#include "engine/leveldb_backend.h"

#include "base/check.h"
#include "engine/backend_suite.h"

namespace strata {
namespace {

// A directory of its own, removed at the end.
class LeveldbHome : public BackendHome {
 public:
  LeveldbHome(LeveldbOptions options, bool threaded) : options_(options) {
    static int homes = 0;
    directory_ = testing::TempDir() + "/leveldb" + std::to_string(++homes);
    CHECK_OK(Env::Posix()->RemoveAll(directory_));
    if (threaded) compactor_ = NewThreadedLoop("compactor");
    options_.compactor = compactor_.get();
  }
  ~LeveldbHome() override {
    Env::Posix()->RemoveAll(directory_).IgnoreError();  // a temporary place
  }

  StatusOr<std::unique_ptr<Backend>> Open() override {
    return OpenLeveldbBackend(Env::Posix(), directory_, options_,
                              Logger::Null());
  }
  bool durable() const override { return true; }

 private:
  std::unique_ptr<Loop> compactor_;
  LeveldbOptions options_;
  std::string directory_;
};

BackendSetup Setup(std::string name, LeveldbOptions options, bool threaded) {
  options.fsync = false;  // a power loss is another test's
  return {.name = std::move(name),
          .make_home =
              [=] { return std::make_unique<LeveldbHome>(options, threaded); },
          .random_steps = 100};
}

// A write buffer of 64 KiB, LevelDB's least, has tables written and merged all
// the time.
INSTANTIATE_TEST_SUITE_P(
    Leveldb, BackendSuite,
    testing::Values(
        Setup("inline", {}, false), Setup("threaded", {}, true),
        Setup("small_buffer", {.write_buffer_bytes = 64 << 10}, false),
        Setup("small_buffer_threaded", {.write_buffer_bytes = 64 << 10}, true),
        Setup("plain", {.write_buffer_bytes = 64 << 10, .compress = false},
              false)),
    [](const auto& info) { return info.param.name; });

// What a fork copied goes with it; what it shows is the view's state.
TEST(LeveldbViewTest, AForkIsTheSameState) {
  LeveldbHome home({}, false);
  auto backend = home.Open();
  CHECK_OK(backend);
  Batch batch;
  batch.Put(Table::kKey, "a", "1");
  CHECK_OK((*backend)->Write(batch));
  auto view = (*backend)->NewView();
  CHECK_OK(view);
  batch.Clear();
  batch.Put(Table::kKey, "a", "2");
  CHECK_OK((*backend)->Write(batch));
  const std::shared_ptr<const View> fork = (*view)->Fork();
  ASSERT_NE(fork, nullptr);
  view->reset();
  const auto first = fork->Get(Table::kKey, "a");
  const auto second = fork->Get(Table::kKey, "a");
  CHECK_OK(first);
  CHECK_OK(second);
  EXPECT_EQ(**first, "1");
  EXPECT_EQ(**second, "1");
}

}  // namespace
}  // namespace strata
