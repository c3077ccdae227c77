#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/explain.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"

namespace strata::utl {
namespace {

using btree::PageRole;
using btree::PageUse;

struct Options {
  Target target;
  uint64_t page = 0;
  bool hex = false;
};

// A page with those that follow it, and what the walk says of it.
struct Whole {
  uint64_t first = 0;
  uint64_t pages = 1;
  std::string bucket;
  std::string role;
};

std::string RoleText(const btree::PageMap& map, uint64_t asked,
                     uint64_t first) {
  const PageUse& use = map.pages[first];
  std::string text = PageRoleName(use.role);
  if (use.role == PageRole::kFree) text += ", with what was there before";
  if (asked != first) {
    text = "overflow " + std::to_string(asked - first) + " of page " +
           std::to_string(first) + ", a " + text;
  }
  if (use.role == PageRole::kBranch || use.role == PageRole::kLeaf ||
      use.role == PageRole::kDamaged) {
    const std::string& bucket = map.buckets[use.bucket];
    if (use.role != PageRole::kDamaged) {
      text +=
          bucket.empty() ? " of the bucket of buckets" : " of bucket " + bucket;
    }
    if (use.parent != btree::PageId()) {
      text += ", below page " + std::to_string(use.parent.value());
    }
  }
  return text;
}

// What the header says, where no tree can: so many pages, if they are there.
uint64_t PagesByHeader(const btree::Inspection& file, uint64_t page) {
  const auto header =
      btree::Load<btree::PageHeader>(file.data() + page * file.page_size());
  const uint64_t wanted = uint64_t{header.overflow} + 1;
  return wanted <= file.pages() - page ? wanted : 1;
}

// The bucket whose form the first key of a page that is in no tree has.
std::string GuessBucket(const btree::Inspection& file, uint64_t page) {
  const std::string_view bytes(file.data() + page * file.page_size(),
                               file.page_size());
  btree::Page parsed;
  const char* reason = nullptr;
  std::string_view key;
  ChangeId id;
  bool tombstone = false;
  const bool revision = btree::Page::Parse(bytes, &parsed, &reason) &&
                        parsed.count() > 0 && parsed.Key(0, &key) &&
                        ParseRevisionKey(key, &id, &tombstone);
  return revision ? std::string(TableName(Table::kKey)) : "";
}

Whole FindWhole(const Context& context, const btree::Inspection& file,
                uint64_t page, FaultLog* faults) {
  const int newest = file.metas().Newest();
  if (newest < 0) {
    return {page, 1, GuessBucket(file, page), "unknown: no meta is sound"};
  }
  const btree::Tree tree = file.TreeOf(newest);
  if (page >= tree.meta.high_water) {
    return {page, 1, "", "above the high water mark: never used"};
  }
  const btree::PageMap map = MapTree(context, tree, faults, nullptr);
  Whole whole;
  const PageUse& use = map.pages[page];
  whole.first = use.role == PageRole::kOverflow ? use.parent.value() : page;
  const PageUse& first = map.pages[whole.first];
  whole.role = RoleText(map, page, whole.first);
  whole.bucket = map.buckets[first.bucket];
  whole.pages = uint64_t{first.overflow} + 1;
  const bool in_no_tree = first.role == PageRole::kFree ||
                          first.role == PageRole::kUnreached ||
                          first.role == PageRole::kDamaged;
  if (in_no_tree) whole.bucket = GuessBucket(file, page);
  if (first.role == PageRole::kDamaged) {
    whole.pages = PagesByHeader(file, page);
  }
  return whole;
}

void PrintRanges(const Context& context, const btree::Inspection& file,
                 const std::vector<ByteRange>& ranges, bool hex) {
  const bool dump = hex && context.format == Format::kSimple;
  Rows rows(context,
            {{"offset", 10}, {"bytes", 6}, {"field", 18}, {"meaning", 0}});
  for (const ByteRange& range : ranges) {
    rows.Add({range.offset, range.bytes, range.field, range.meaning});
    if (dump) {
      HexDump(context.out, range.offset,
              {file.data() + range.offset, range.bytes});
    }
  }
  rows.Finish();
}

Status ShowPage(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const std::string path,
                   DatabasePath(context.env, options.target));
  FaultLog faults(context);
  ASSIGN_OR_RETURN(const auto file, OpenInspection(context, path, &faults));
  if (options.page >= file->pages()) {
    return OutOfRangeError(
        path + " offset " + std::to_string(file->file_bytes()) +
        ": there is no page " + std::to_string(options.page) + ", it has " +
        std::to_string(file->pages()));
  }
  const Whole whole = FindWhole(context, *file, options.page, &faults);
  const uint64_t offset = whole.first * file->page_size();
  const uint64_t bytes =
      std::min(whole.pages * file->page_size(), file->file_bytes() - offset);
  PageExplainer explainer({file->data() + offset, bytes}, offset, whole.bucket);
  if (context.format == Format::kSimple) {
    *context.out << "page " << options.page << ": " << whole.role << "\n";
  }
  PrintRanges(context, *file, explainer.Explain(whole.first), options.hex);
  return faults.Result(path);
}

}  // namespace

void AddDbPage(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(db, "page", "Explain every byte of one page");
  AddOption(command, "N", &options->page, "the page's number", Need::kRequired);
  AddTarget(command, &options->target, "FILE");
  AddSwitch(command, "--hex", &options->hex, "the bytes themselves, too");
  SetNotes(
      command,
      "A page that continues another is shown with all of it. Example, the\n"
      "newest or the older meta page:\n\n"
      "  stratautl db page 0 data/member/snap/db");
  Choose(command, options, ShowPage, chosen);
}

}  // namespace strata::utl
