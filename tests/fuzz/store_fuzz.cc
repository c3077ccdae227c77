// Two stores, over a btree on a fake disk and over the mem backend, are told
// the same and must answer the same; now and then the first is stopped and
// opened again.

#include <memory>
#include <string>

#include "base/fake_env.h"
#include "base/sim_loop.h"
#include "base/transcript.h"
#include "engine/btree_backend.h"
#include "engine/mem_backend.h"
#include "engine/store.h"
#include "engine/store_testing.h"
#include "tests/fuzz/input.h"

namespace strata {
namespace {

constexpr char kPath[] = "db";
constexpr int kOperationsMax = 200;

// A store with a script, run by the one thread there is.
class Subject {
 public:
  explicit Subject(SimWorld* world)
      : world_(world), loop_(world->NewLoop("flusher")) {}

  void Open(std::unique_ptr<Backend> backend) {
    StoreOptions options;
    options.flusher = loop_.get();
    options.batch_changes = 7;
    options.scrub = {.bytes_per_second = 20000,
                     .pause = std::chrono::seconds(1)};
    auto store =
        Store::Open(std::move(backend), std::move(options), Logger::Null());
    CHECK_OK(store);
    store_ = std::move(*store);
    script_ = std::make_unique<testing::StoreScript>(store_.get());
  }

  void Close() {
    CHECK_OK(store_->Close());
    CHECK(store_->scrub_stats().faults == 0);
    script_.reset();
    store_.reset();
  }

  std::string Run(const std::string& line) {
    return script_->Run(ParseTranscriptCommand(line));
  }
  // To its end: what HashKV says depends on it.
  std::string Compact(Revision revision) {
    bool done = false;
    const Status status = store_->Compact(revision, [&done] { done = true; });
    if (!status.ok()) return status.ToString();
    store_->EndEntry(store_->applied() + 1, Term(1));
    CHECK(world_->RunUntil([&done] { return done; }, std::chrono::minutes(1)));
    return "ok";
  }
  Store* store() { return store_.get(); }

 private:
  SimWorld* const world_;
  std::unique_ptr<SimLoop> loop_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<testing::StoreScript> script_;
};

class Two {
 public:
  Two() : btree_(&world_), mem_(&world_) {
    OpenBtree();
    mem_.Open(NewMemBackend());
  }
  ~Two() {
    btree_.Close();
    mem_.Close();
  }

  void Step(fuzz::Input* input) {
    switch (input->Below(16)) {
      case 0:
        return world_.RunFor(std::chrono::milliseconds(input->Below(400)));
      case 1:
        return Reopen();
      case 2:
        return Compact(PastRevision(input));
      case 3:
        return Both("hash");
      case 4:
      case 5:
        return Both("del " + Key(input) + End(input));
      case 6:
      case 7:
      case 8:
        return Both("get " + Key(input) + End(input) + Options(input));
      default:
        return Both("put " + Key(input) + " " +
                    std::string(1 + input->Below(1500), 'v') +
                    std::to_string(input->Byte()));
    }
  }

  void ReadAll() { Both("get a end=\\x00"); }

 private:
  void OpenBtree() {
    BtreeOptions options;
    options.page_size = 1024;
    options.initial_mmap_bytes = 0;
    auto backend = OpenBtreeBackend(&env_, kPath, options, Logger::Null());
    CHECK_OK(backend);
    btree_.Open(std::move(*backend));
  }

  void Reopen() {
    btree_.Close();
    OpenBtree();
    CHECK(btree_.store()->revision() == mem_.store()->revision());
    ReadAll();
  }

  void Both(const std::string& line) {
    const std::string ours = btree_.Run(line);
    const std::string expected = mem_.Run(line);
    CHECK(ours == expected) << line << "\n" << ours << "\nnot\n" << expected;
  }

  void Compact(Revision revision) {
    CHECK(btree_.Compact(revision) == mem_.Compact(revision));
  }

  static std::string Key(fuzz::Input* input) {
    return std::string(1, static_cast<char>('a' + input->Below(4))) +
           std::to_string(input->Below(8));
  }
  static std::string End(fuzz::Input* input) {
    return input->Below(2) == 0 ? "" : " end=" + Key(input);
  }
  Revision PastRevision(fuzz::Input* input) {
    const int64_t now = mem_.store()->revision().value();
    const auto back = static_cast<uint64_t>(std::min<int64_t>(now, 30));
    return Revision(now - static_cast<int64_t>(input->Below(back)));
  }
  std::string Options(fuzz::Input* input) {
    std::string options;
    if (input->Below(3) == 0) {
      options += " rev=" + std::to_string(PastRevision(input).value());
    }
    if (input->Below(3) == 0) {
      options += " limit=" + std::to_string(input->Below(5));
    }
    if (input->Below(4) == 0) options += " order=desc";
    if (input->Below(4) == 0) options += " target=mod";
    return options;
  }

  FakeEnv env_;
  SimWorld world_;
  Subject btree_;
  Subject mem_;
};

}  // namespace
}  // namespace strata

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  strata::fuzz::Input input(data, size);
  strata::Two two;
  for (int i = 0; i < strata::kOperationsMax && !input.empty(); ++i) {
    two.Step(&input);
  }
  two.ReadAll();
  return 0;
}
