#ifndef STRATA_CMD_UTL_EXPLAIN_H_
#define STRATA_CMD_UTL_EXPLAIN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/btree/inspect.h"

namespace strata::utl {

// Some bytes of a file and what they are.
struct ByteRange {
  uint64_t offset = 0;  // in the file
  uint64_t bytes = 0;
  std::string field = {};    // "element 3"
  std::string meaning = {};  // "key at 16702, 17 bytes, value of 24 bytes"
};

// Every byte of a page and of those that follow it, in order: no gap, and no
// overlap unless the page is damaged, which the field then says. Bytes without
// a meaning are "unused".
class PageExplainer {
 public:
  // `bytes` starts at `offset` of the file; `bucket` is the one whose keys it
  // holds.
  PageExplainer(std::string_view bytes, uint64_t offset, std::string bucket)
      : bytes_(bytes), offset_(offset), bucket_(std::move(bucket)) {}

  std::vector<ByteRange> Explain(uint64_t page_id);

 private:
  // All add ranges; `at` counts from the page's start. `label` is put before
  // the fields: "value 3: " inside an inline bucket.
  void AddHeader(uint64_t at, const std::string& label, uint64_t page_id);
  void AddMeta();
  void AddFreelist();
  void AddSum();   // at the page's end
  void AddMark();  // behind a meta
  // A page of elements in [at, end).
  void AddElements(uint64_t at, uint64_t end, const std::string& label,
                   const std::string& bucket);
  void AddValue(const btree::Item& item, uint64_t at, const std::string& label,
                const std::string& number, const std::string& bucket);
  void AddBucket(const btree::Item& item, uint64_t at, const std::string& label,
                 const std::string& bucket);
  void Add(uint64_t at, uint64_t bytes, std::string field, std::string meaning);
  std::vector<ByteRange> Covered();

  const std::string_view bytes_;
  const uint64_t offset_;
  const std::string bucket_;
  std::vector<ByteRange> ranges_;
};

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_EXPLAIN_H_
