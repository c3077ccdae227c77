#ifndef STRATA_ENGINE_BTREE_IMAGE_H_
#define STRATA_ENGINE_BTREE_IMAGE_H_

#include <string>

#include "engine/backend.h"
#include "engine/btree/meta.h"

namespace strata::btree {

// The four pages of a file without buckets, as bbolt makes it: two metas, an
// empty freelist, an empty leaf as the bucket of buckets.
std::string EmptyImage(uint32_t page_size);

// A whole file with the ten tables, holding what `view` (of any backend) shows;
// with a null view the tables are empty. Every page has a sum. Given to `sink`
// in file order.
Status WriteImage(const View* view, uint32_t page_size,
                  const Backend::Sink& sink);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_IMAGE_H_
