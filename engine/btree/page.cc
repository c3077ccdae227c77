#include "engine/btree/page.h"

namespace strata::btree {

Status PageSource::Damaged(PageId id, std::string_view what) const {
  return DataLossError(*path_ + " offset " +
                       std::to_string(id.value() * page_size_) + ": page " +
                       std::to_string(id.value()) + ": " + std::string(what));
}

}  // namespace strata::btree
