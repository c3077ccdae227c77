#ifndef STRATA_CMD_UTL_OUTPUT_H_
#define STRATA_CMD_UTL_OUTPUT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/utl/context.h"

namespace strata::utl {

using Json = nlohmann::ordered_json;

// A list, row by row. Simple: columns of at least the given width; JSON: one
// object per line; table: drawn by Finish(), and so held in memory until then.
class Rows {
 public:
  struct Column {
    std::string name;  // "hash_revision"; people see "hash revision"
    size_t width = 0;
  };

  Rows(const Context& context, std::vector<Column> columns);

  // One cell for each column; null is left empty, and out of the JSON.
  void Add(std::vector<Json> cells);
  void Finish();

 private:
  void AddSimple(const std::vector<std::string>& cells);

  const Context& context_;
  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> kept_;  // for the table
};

// One object: `name: value` lines, JSON, or a table of one row per field.
void PrintFields(const Context& context, const Json& object);

// As etcdctl draws it: headers centred and in capitals, cells to the right.
std::string DrawTable(const std::vector<std::string>& header,
                      const std::vector<std::vector<std::string>>& rows);

// One line; bytes that are no UTF-8 are replaced.
std::string Dump(const Json& json);
// A cell as people see it.
std::string CellText(const Json& cell);

// Keys and values: base64 in JSON, as in etcdctl's; else printable, cut off
// after `limit` characters.
Json Bytes(const Context& context, std::string_view bytes, size_t limit = 64);
std::string Base64(std::string_view bytes);

// "25 kB", as etcdctl shows a size.
std::string HumanBytes(uint64_t bytes);

// Lines of `bytes` in hexadecimal and as text; the first has number `offset`.
// "*" stands for lines that are all as the one before.
void HexDump(std::ostream* out, uint64_t offset, std::string_view bytes);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_OUTPUT_H_
