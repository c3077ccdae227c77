#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"

namespace strata::utl {
namespace {

using btree::PageRole;
using btree::PageUse;

bool InTree(PageRole role) {
  return role == PageRole::kBranch || role == PageRole::kLeaf;
}

void AddRow(uint64_t id, const PageUse& use, const btree::PageMap& map,
            uint32_t page_size, Rows* rows) {
  std::vector<Json> row = {
      id, PageRoleName(use.role), nullptr, nullptr, nullptr, nullptr, nullptr};
  if (InTree(use.role) || use.role == PageRole::kFreelist) {
    row[2] = use.count;
    row[3] = use.overflow;
  }
  if (use.used_bytes > 0) {
    const uint64_t bytes = (uint64_t{use.overflow} + 1) * page_size;
    row[4] = use.used_bytes * 100 / bytes;
  }
  if (use.parent != btree::PageId()) row[5] = use.parent.value();
  if (InTree(use.role) || use.role == PageRole::kOverflow) {
    row[6] =
        map.buckets[use.bucket].empty() ? "(root)" : map.buckets[use.bucket];
  }
  rows->Add(std::move(row));
}

Status ListPages(const Context& context, const Target& target) {
  ASSIGN_OR_RETURN(const std::string path, DatabasePath(context.env, target));
  ASSIGN_OR_RETURN(const auto reader, DbReader::Open(context, path));
  const btree::Tree& tree = reader->tree();
  const btree::PageMap map = MapTree(context, tree, reader->faults(), nullptr);
  Rows rows(context, {{"page", 8},
                      {"kind", 9},
                      {"count", 6},
                      {"overflow", 8},
                      {"used_percent", 12},
                      {"parent", 8},
                      {"bucket", 0}});
  for (uint64_t id = 0; id < map.pages.size(); ++id) {
    AddRow(id, map.pages[id], map, tree.meta.page_size, &rows);
  }
  rows.Finish();
  return reader->Finish();
}

}  // namespace

void AddDbPages(CLI::App* db, Action* chosen) {
  auto target = std::make_shared<Target>();
  CLI::App* command = AddCommand(
      db, "pages", "List all pages: kind, elements, use, and whose they are");
  AddTarget(command, target.get(), "FILE");
  SetNotes(
      command,
      "`parent` is the page whose element leads here or, for an overflow, the\n"
      "page that it continues. Example, the pages that are full to less than "
      "a\n"
      "quarter:\n\n"
      "  stratautl db pages data/member/snap/db -w json | jq -c "
      "'select(.used_percent < 25)'");
  Choose(command, target, ListPages, chosen);
}

}  // namespace strata::utl
