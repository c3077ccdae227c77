#ifndef STRATA_ENGINE_BTREE_FILE_TESTING_H_
#define STRATA_ENGINE_BTREE_FILE_TESTING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/btree/meta.h"

// A whole file in memory, for tests that damage it or write it as bbolt would.
namespace strata::btree {

struct Layout {
  int slot = 0;  // of the newest meta
  Meta meta;
  // For each page of the file, the first of those it belongs to; 0 for what
  // the newest state does not use, and for page 0.
  std::vector<uint64_t> first_of;

  bool used(uint64_t page) const {
    return page < 2 || (page < first_of.size() && first_of[page] != 0);
  }
};

// REQUIRES: a sound file
Layout LayoutOf(const std::string& file);

// The first pages of all that the newest state uses, in the file's order.
std::vector<uint64_t> FirstPages(const Layout& layout);

// Takes the page's sum out, as if bbolt had written it.
void ClearSum(std::string* file, const Layout& layout, uint64_t first);
// Takes the mark out.
void ClearMark(std::string* file, const Layout& layout, int slot);
// The file as bbolt would have written it.
std::string WithoutSums(std::string file);
// Whether meta `slot` has it.
bool HasMark(const std::string& file, const Layout& layout, int slot);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_FILE_TESTING_H_
