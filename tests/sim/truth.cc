#include "tests/sim/truth.h"

#include <algorithm>
#include <span>
#include <string>

namespace strata::sim {

void Truth::Look(Member* member) {
  if (!member->up() || !violation().empty()) return;
  const Store& store = *member->node()->store();
  Cursor& cursor = cursors_[member->id()];
  const int64_t now = store.revision().value();
  if (now < cursor.revision) {
    Violated("the revision of a member falls from " +
             std::to_string(cursor.revision) + " to " + std::to_string(now));
  }
  cursor.revision = now;
  const int64_t compacted = store.compact_revision().value();
  Compacted(compacted);
  cursor.next = std::max({cursor.next, compacted + 1, int64_t{2}});
  while (cursor.next <= now) {
    const auto list = store.ReadChanges(
        {.from = Revision(cursor.next), .end = Revision(now + 1)});
    if (!list.ok()) {
      if (member->IsOfRot(list.status())) return;
      return Violated("changes cannot be read: " + list.status().ToString());
    }
    // Whole revisions come, each complete.
    size_t begin = 0;
    while (begin < list->changes.size()) {
      const int64_t revision = list->changes[begin].id.main.value();
      size_t count = 0;
      for (; begin < list->changes.size(); ++begin, ++count) {
        const Change& change = list->changes[begin];
        if (change.id.main.value() != revision) break;
        if (count == shown_.size()) shown_.emplace_back();
        shown_[count].kv = change.kv;
        shown_[count].tombstone = change.tombstone;
      }
      Show(member->options().name, revision, std::span(shown_).first(count),
           world_->Now());
      if (!violation().empty()) return;
    }
    cursor.next = list->next.value();
  }
}

}  // namespace strata::sim
