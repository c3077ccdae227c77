#include "engine/btree_backend.h"

#include "engine/backend_suite.h"

namespace strata {
namespace {

// A directory of its own, removed at the end.
class BtreeHome : public BackendHome {
 public:
  explicit BtreeHome(BtreeOptions options) : options_(options) {
    static int homes = 0;
    directory_ = testing::TempDir() + "/btree" + std::to_string(++homes);
    CHECK_OK(Env::Posix()->RemoveAll(directory_));
    CHECK_OK(Env::Posix()->MakeDirs(directory_));
  }
  ~BtreeHome() override {
    Env::Posix()->RemoveAll(directory_).IgnoreError();  // a temporary place
  }

  StatusOr<std::unique_ptr<Backend>> Open() override {
    return OpenBtreeBackend(Env::Posix(), directory_ + "/db", options_,
                            Logger::Null());
  }
  bool durable() const override { return true; }

 private:
  const BtreeOptions options_;
  std::string directory_;
};

BackendSetup Kind(std::string name, BtreeOptions options, int steps = 100) {
  options.fsync = false;  // a power loss is another test's
  return {
      .name = std::move(name),
      .make_home = [options] { return std::make_unique<BtreeHome>(options); },
      .random_steps = steps};
}

INSTANTIATE_TEST_SUITE_P(
    Btree, BackendSuite,
    testing::Values(Kind("map", {}, 400),
                    Kind("array", {.freelist_type = FreelistType::kArray}),
                    Kind("map_synced", {.freelist_sync = true}),
                    Kind("array_synced", {.freelist_type = FreelistType::kArray,
                                          .freelist_sync = true}),
                    Kind("small_pages", {.page_size = 1024}),
                    Kind("large_pages",
                         {.page_size = 16384, .freelist_sync = true}),
                    Kind("remapped", {.initial_mmap_bytes = 0}),
                    Kind("half_full", {.fill_fraction = 0.5})),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace strata
