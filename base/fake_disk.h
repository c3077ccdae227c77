#ifndef STRATA_BASE_FAKE_DISK_H_
#define STRATA_BASE_FAKE_DISK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fake_content.h"
#include "base/power_loss.h"

namespace strata {

// A file or a directory of the fake disk, under as many names as it has.
struct FakeNode {
  using Names = std::map<std::string, std::shared_ptr<FakeNode>, std::less<>>;

  uint64_t id = 0;                       // in the order of making
  std::unique_ptr<FakeContent> content;  // a file; null for a directory
  Names names;                           // a directory, as programs see it
  Names synced_names;
  const void* lock_holder = nullptr;

  bool is_directory() const { return content == nullptr; }
};

// The tree of names of the fake disk. Programs see `names`; a power loss goes
// back to `synced_names` and makes any subset of the later changes. Not
// thread-safe; FakeEnv guards it.
class FakeDisk {
 public:
  // An empty disk; no file can be larger than `file_bytes_max`.
  explicit FakeDisk(uint64_t file_bytes_max);
  ~FakeDisk();
  FakeDisk(const FakeDisk&) = delete;
  FakeDisk& operator=(const FakeDisk&) = delete;

  // Null if there is none. A relative path is one from the root.
  std::shared_ptr<FakeNode> Find(std::string_view path) const;

  std::shared_ptr<FakeNode> NewFile();
  std::shared_ptr<FakeNode> NewDirectory();

  struct Change {
    std::shared_ptr<FakeNode> directory;
    std::string name;
    std::shared_ptr<FakeNode> node;  // null: the name goes away
  };
  // Changes names now, and durably, all at once, when one of their directories
  // is synced.
  void Apply(std::vector<Change> changes);
  void SyncDirectory(const FakeNode* directory);
  // The changes not yet synced never will be, but may survive.
  void FailSyncDirectory(const FakeNode* directory);

  uint64_t UsedBytes() const;
  size_t UnsyncedThings() const;
  // What is there after a power loss.
  std::unique_ptr<FakeDisk> After(const PowerLoss& loss) const;
  // The same for a disk that is needed no more: little is copied.
  static std::unique_ptr<FakeDisk> After(std::unique_ptr<FakeDisk> disk,
                                         const PowerLoss& loss);

 private:
  struct NameChange {
    std::vector<Change> changes;
    bool doomed = false;
  };

  using ContentAfter = std::function<std::unique_ptr<FakeContent>(
      FakeNode* node, PowerLoss* loss)>;
  std::unique_ptr<FakeDisk> After(PowerLoss loss,
                                  const ContentAfter& content_after) const;
  // All that can be reached by a name, synced or not, in the order of making.
  std::vector<std::shared_ptr<FakeNode>> Nodes() const;

  const uint64_t file_bytes_max_;
  uint64_t last_id_ = 0;
  std::shared_ptr<FakeNode> root_;
  std::vector<NameChange> unsynced_;
};

}  // namespace strata

#endif  // STRATA_BASE_FAKE_DISK_H_
