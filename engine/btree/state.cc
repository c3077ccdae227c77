#include "engine/btree/state.h"

namespace strata::btree {

StatusOr<std::unique_ptr<State>> State::Make(
    const PageSource& source, const Meta& meta,
    std::shared_ptr<const Mapping> mapping,
    std::shared_ptr<const PageNotes> notes) {
  std::unique_ptr<State> state(
      new State(source, meta, std::move(mapping), std::move(notes)));
  for (int i = 0; i < kTableCount; ++i) {
    ASSIGN_OR_RETURN(state->tables_[i],
                     FindBucket(source, PageId(meta.root.root),
                                TableName(static_cast<Table>(i))));
  }
  return state;
}

StatusOr<std::optional<std::string_view>> StateView::Get(
    Table table, std::string_view key) const {
  ASSIGN_OR_RETURN(std::optional<Item> item,
                   Find(state_->source(), state_->table(table), key));
  if (!item || item->flags != 0) return std::optional<std::string_view>();
  return std::optional<std::string_view>(item->value);
}

std::unique_ptr<View::Iterator> StateView::NewIterator(Table table) const {
  return std::make_unique<Cursor>(&state_->source(), &state_->table(table));
}

}  // namespace strata::btree
