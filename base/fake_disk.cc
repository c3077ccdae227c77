#include "base/fake_disk.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace strata {

namespace {

void Set(FakeNode::Names* names, const FakeDisk::Change& change) {
  if (change.node == nullptr) {
    names->erase(change.name);
  } else {
    (*names)[change.name] = change.node;
  }
}

void SetSynced(const std::vector<FakeDisk::Change>& changes) {
  for (const auto& change : changes) {
    Set(&change.directory->synced_names, change);
  }
}

bool Touches(const std::vector<FakeDisk::Change>& changes,
             const FakeNode* directory) {
  return std::any_of(changes.begin(), changes.end(), [&](const auto& change) {
    return change.directory.get() == directory;
  });
}

}  // namespace

FakeDisk::FakeDisk(uint64_t file_bytes_max)
    : file_bytes_max_(file_bytes_max), root_(NewDirectory()) {}

FakeDisk::~FakeDisk() {
  // A rename into its own subdirectory would be a circle of owners.
  for (const auto& node : Nodes()) {
    node->names.clear();
    node->synced_names.clear();
  }
}

std::shared_ptr<FakeNode> FakeDisk::Find(std::string_view path) const {
  std::shared_ptr<FakeNode> node = root_;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    const auto it = node->names.find(name);
    if (it == node->names.end()) return nullptr;
    node = it->second;
  }
  return node;
}

std::shared_ptr<FakeNode> FakeDisk::NewFile() {
  auto node = NewDirectory();
  node->content = std::make_unique<FakeContent>(file_bytes_max_);
  return node;
}

std::shared_ptr<FakeNode> FakeDisk::NewDirectory() {
  auto node = std::make_shared<FakeNode>();
  node->id = ++last_id_;
  return node;
}

void FakeDisk::Apply(std::vector<Change> changes) {
  for (const Change& change : changes) Set(&change.directory->names, change);
  unsynced_.push_back(NameChange{.changes = std::move(changes)});
}

void FakeDisk::SyncDirectory(const FakeNode* directory) {
  // From the last to the first: a change takes those with it that its names
  // depend on.
  std::set<std::pair<const FakeNode*, std::string>> needed;
  std::vector<NameChange> synced;
  std::vector<NameChange> rest;
  for (auto it = unsynced_.rbegin(); it != unsynced_.rend(); ++it) {
    const bool is_needed = std::any_of(
        it->changes.begin(), it->changes.end(), [&](const Change& change) {
          return needed.count({change.directory.get(), change.name}) > 0;
        });
    const bool goes =
        is_needed || (Touches(it->changes, directory) && !it->doomed);
    if (goes) {
      for (const Change& change : it->changes) {
        needed.emplace(change.directory.get(), change.name);
      }
    }
    (goes ? synced : rest).push_back(std::move(*it));
  }
  for (auto it = synced.rbegin(); it != synced.rend(); ++it) {
    SetSynced(it->changes);
  }
  unsynced_.assign(std::make_move_iterator(rest.rbegin()),
                   std::make_move_iterator(rest.rend()));
}

void FakeDisk::FailSyncDirectory(const FakeNode* directory) {
  for (NameChange& change : unsynced_) {
    if (Touches(change.changes, directory)) change.doomed = true;
  }
}

std::vector<std::shared_ptr<FakeNode>> FakeDisk::Nodes() const {
  std::map<uint64_t, std::shared_ptr<FakeNode>> found;
  const std::function<void(const std::shared_ptr<FakeNode>&)> visit =
      [&](const std::shared_ptr<FakeNode>& node) {
        if (node == nullptr || !found.emplace(node->id, node).second) return;
        for (const auto& [name, child] : node->names) visit(child);
        for (const auto& [name, child] : node->synced_names) visit(child);
      };
  visit(root_);
  for (const NameChange& change : unsynced_) {
    for (const Change& one : change.changes) {
      visit(one.directory);
      visit(one.node);
    }
  }
  std::vector<std::shared_ptr<FakeNode>> nodes;
  for (auto& [id, node] : found) nodes.push_back(std::move(node));
  return nodes;
}

uint64_t FakeDisk::UsedBytes() const {
  std::set<const FakeNode*> seen;
  uint64_t blocks = 0;
  const std::function<void(const FakeNode*)> visit = [&](const FakeNode* node) {
    if (!seen.insert(node).second) return;
    if (!node->is_directory()) blocks += node->content->block_count();
    for (const auto& [name, child] : node->names) visit(child.get());
  };
  visit(root_.get());
  return blocks * FakeContent::kBlockBytes;
}

size_t FakeDisk::UnsyncedThings() const {
  size_t things = unsynced_.size();
  for (const auto& node : Nodes()) {
    if (!node->is_directory()) things += node->content->UnsyncedThings();
  }
  return things;
}

std::unique_ptr<FakeDisk> FakeDisk::After(const PowerLoss& loss) const {
  return After(loss, [](FakeNode* node, PowerLoss* decides) {
    auto content = node->content->Copy();
    content->LosePower(decides);
    return content;
  });
}

std::unique_ptr<FakeDisk> FakeDisk::After(std::unique_ptr<FakeDisk> disk,
                                          const PowerLoss& loss) {
  return disk->After(loss, [](FakeNode* node, PowerLoss* decides) {
    // Who has it mapped goes on seeing what was there before.
    auto content = node->content->shared() ? node->content->Copy()
                                           : std::move(node->content);
    content->LosePower(decides);
    return content;
  });
}

std::unique_ptr<FakeDisk> FakeDisk::After(
    PowerLoss loss, const ContentAfter& content_after) const {
  const auto nodes = Nodes();
  std::map<const FakeNode*, FakeNode::Names> names;
  for (const auto& node : nodes) names[node.get()] = node->synced_names;
  for (const NameChange& change : unsynced_) {
    if (loss.Pick(1) == 0) continue;
    for (const Change& one : change.changes) {
      Set(&names[one.directory.get()], one);
    }
  }
  auto after = std::make_unique<FakeDisk>(file_bytes_max_);
  std::map<const FakeNode*, std::shared_ptr<FakeNode>> copies;
  for (const auto& node : nodes) {
    auto copy = node == root_ ? after->root_ : std::make_shared<FakeNode>();
    copy->id = node->id;
    if (!node->is_directory()) copy->content = content_after(node.get(), &loss);
    copies[node.get()] = copy;
  }
  for (const auto& node : nodes) {
    FakeNode* copy = copies[node.get()].get();
    for (const auto& [name, child] : names[node.get()]) {
      copy->names[name] = copies[child.get()];
    }
    copy->synced_names = copy->names;
  }
  after->last_id_ = last_id_;
  return after;
}

}  // namespace strata
