#include "cmd/utl/explain.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "cmd/utl/describe.h"
#include "engine/btree/sum.h"

namespace strata::utl {
namespace {

using btree::Item;
using btree::kElementBytes;
using btree::kHeaderBytes;
using btree::Load;
using btree::Meta;
using btree::Page;
using btree::PageHeader;

constexpr size_t kRunsShown = 16;

std::string Number(uint64_t number) { return std::to_string(number); }

std::string FlagsText(uint16_t flags) {
  switch (flags) {
    case btree::kBranchPage:
      return "1, branch";
    case btree::kLeafPage:
      return "2, leaf";
    case btree::kMetaPage:
      return "4, meta";
    case btree::kFreelistPage:
      return "16, freelist";
    default:
      return Number(flags) + ", no kind of page";
  }
}

std::string NestedName(const std::string& bucket, std::string_view name) {
  return bucket.empty() ? std::string(name) : bucket + "/" + std::string(name);
}

std::string ElementText(const Item& item, bool leaf, uint64_t key_at) {
  std::string text =
      "key at " + Number(key_at) + ", " + Number(item.key.size()) + " bytes, ";
  if (!leaf) return text + "child page " + Number(item.child.value());
  if (item.flags == btree::kBucketFlag) text += "a bucket, ";
  if (item.flags > btree::kBucketFlag) {
    text += "unknown flags " + Number(item.flags) + ", ";
  }
  return text + "value of " + Number(item.value.size()) + " bytes";
}

// "3-5 9 and 2 more runs".
std::string RunsText(std::string_view ids) {
  std::string text;
  size_t runs = 0;
  for (size_t at = 0; at + 8 <= ids.size();) {
    const uint64_t first = LoadLittle64(ids.data() + at);
    uint64_t last = first;
    for (at += 8; at + 8 <= ids.size(); at += 8) {
      if (LoadLittle64(ids.data() + at) != last + 1) break;
      ++last;
    }
    if (++runs > kRunsShown) continue;
    if (!text.empty()) text += ' ';
    text += Number(first);
    if (last > first) text += "-" + Number(last);
  }
  if (runs > kRunsShown) {
    text += " and " + Number(runs - kRunsShown) + " more runs";
  }
  return text;
}

}  // namespace

void PageExplainer::Add(uint64_t at, uint64_t bytes, std::string field,
                        std::string meaning) {
  if (bytes == 0) return;
  ranges_.push_back(
      {offset_ + at, bytes, std::move(field), std::move(meaning)});
}

void PageExplainer::AddHeader(uint64_t at, const std::string& label,
                              uint64_t page_id) {
  const auto header = Load<PageHeader>(bytes_.data() + at);
  std::string id = Number(header.id);
  if (header.id != page_id) id += ": not its own, which is " + Number(page_id);
  Add(at, 8, label + "page id", id);
  Add(at + 8, 2, label + "flags", FlagsText(header.flags));
  Add(at + 10, 2, label + "count", Number(header.count));
  Add(at + 12, 4, label + "overflow", Number(header.overflow));
}

void PageExplainer::AddMeta() {
  const auto meta = Load<Meta>(bytes_.data() + kHeaderBytes);
  struct Field {
    uint64_t bytes;
    const char* name;
    std::string meaning;
  };
  const uint64_t sum = btree::MetaChecksum(meta);
  const bool no_list = meta.freelist == btree::kNoFreelist;
  const Field fields[] = {
      {4, "magic",
       HexId(meta.magic) + (meta.magic == btree::kMagic ? ", bbolt's" : "?")},
      {4, "version", Number(meta.version)},
      {4, "page size", Number(meta.page_size)},
      {4, "flags", Number(meta.flags)},
      {8, "root", "page " + Number(meta.root.root)},
      {8, "sequence", Number(meta.root.sequence)},
      {8, "freelist",
       no_list ? "none is stored" : "page " + Number(meta.freelist)},
      {8, "high water", Number(meta.high_water) + " pages"},
      {8, "transaction", Number(meta.tx)},
      {8, "checksum",
       HexId(meta.checksum) +
           (meta.checksum == sum ? ", right" : ": wrong, it is " + HexId(sum))},
  };
  uint64_t at = kHeaderBytes;
  for (const Field& field : fields) {
    Add(at, field.bytes, field.name, field.meaning);
    at += field.bytes;
  }
}

void PageExplainer::AddSum() {
  const btree::SumState sum = btree::CheckSum(bytes_);
  if (sum == btree::SumState::kNone) return;
  Add(bytes_.size() - btree::kSumBytes, btree::kSumBytes, "page checksum",
      sum == btree::SumState::kRight ? "right" : "wrong");
}

void PageExplainer::AddMark() {
  const uint64_t at = kHeaderBytes + sizeof(Meta);
  const btree::SumState mark = btree::CheckMark(bytes_);
  if (mark == btree::SumState::kNone) return;
  Add(at, btree::kSumBytes, "mark",
      mark == btree::SumState::kRight
          ? "every page of this state has a checksum"
          : "no mark, or a byte behind it is wrong");
}

void PageExplainer::AddFreelist() {
  const auto header = Load<PageHeader>(bytes_.data());
  uint64_t at = kHeaderBytes;
  uint64_t count = header.count;
  if (count == 0xFFFF) {
    count = LoadLittle64(bytes_.data() + at);
    Add(at, 8, "count of ids", Number(count));
    at += 8;
  }
  const uint64_t room = (bytes_.size() - at) / 8;
  const std::string_view ids = bytes_.substr(at, std::min(count, room) * 8);
  Add(at, ids.size(), "free pages", RunsText(ids));
}

void PageExplainer::AddElements(uint64_t at, uint64_t end,
                                const std::string& label,
                                const std::string& bucket) {
  Page page;
  const char* reason = nullptr;
  if (!Page::Parse(bytes_.substr(at, end - at), &page, &reason)) {
    Add(at + kHeaderBytes, end - at - kHeaderBytes, label + "body", reason);
    return;
  }
  for (int i = 0; i < page.count(); ++i) {
    const uint64_t element = at + kHeaderBytes + i * kElementBytes;
    const std::string number = std::to_string(i);
    Item item;
    if (!page.Get(i, &item)) {
      Add(element, kElementBytes, label + "element " + number,
          "leads outside the page");
      continue;
    }
    const uint64_t key_at = item.key.data() - bytes_.data();
    Add(element, kElementBytes, label + "element " + number,
        ElementText(item, page.is_leaf(), offset_ + key_at));
    Add(key_at, item.key.size(), label + "key " + number,
        DescribeKey(bucket, item.key));
    AddValue(item, key_at + item.key.size(), label, number, bucket);
  }
}

void PageExplainer::AddValue(const Item& item, uint64_t at,
                             const std::string& label,
                             const std::string& number,
                             const std::string& bucket) {
  if (item.flags == btree::kBucketFlag &&
      item.value.size() >= sizeof(btree::BucketHeader)) {
    AddBucket(item, at, label + "value " + number + ": ", bucket);
  } else {
    Add(at, item.value.size(), label + "value " + number,
        DescribeValue(bucket, item.key, item.value));
  }
}

void PageExplainer::AddBucket(const Item& item, uint64_t at,
                              const std::string& label,
                              const std::string& bucket) {
  const auto header = Load<btree::BucketHeader>(item.value.data());
  Add(at, 8, label + "root",
      header.root == 0 ? "0, inline: a leaf follows"
                       : "page " + Number(header.root));
  Add(at + 8, 8, label + "sequence", Number(header.sequence));
  const uint64_t inner = at + sizeof header;
  const uint64_t end = at + item.value.size();
  if (header.root != 0 || end - inner < kHeaderBytes) {
    Add(inner, end - inner, label + "rest", "not expected here");
    return;
  }
  AddHeader(inner, label, 0);
  const auto inline_header = Load<PageHeader>(bytes_.data() + inner);
  if (inline_header.flags != btree::kLeafPage) return;  // nothing deeper
  AddElements(inner, end, label, NestedName(bucket, item.key));
}

std::vector<ByteRange> PageExplainer::Explain(uint64_t page_id) {
  ranges_.clear();
  if (bytes_.size() < kHeaderBytes + sizeof(Meta)) return Covered();
  AddHeader(0, "", page_id);
  switch (Load<PageHeader>(bytes_.data()).flags) {
    case btree::kMetaPage:
      AddMeta();
      AddMark();
      break;
    case btree::kFreelistPage:
      AddFreelist();
      AddSum();
      break;
    case btree::kBranchPage:
    case btree::kLeafPage:
      AddElements(0, bytes_.size(), "", bucket_);
      AddSum();
      break;
    default:
      break;
  }
  return Covered();
}

// The ranges in order, with what lies between them.
std::vector<ByteRange> PageExplainer::Covered() {
  std::stable_sort(
      ranges_.begin(), ranges_.end(),
      [](const auto& a, const auto& b) { return a.offset < b.offset; });
  std::vector<ByteRange> covered;
  uint64_t at = 0;
  const auto fill = [&](uint64_t end) {
    if (end <= at) return;
    const std::string_view gap = bytes_.substr(at, end - at);
    const bool zero = gap.find_first_not_of('\0') == std::string_view::npos;
    covered.push_back({offset_ + at, end - at, "unused",
                       zero ? "zeros" : "left from before"});
  };
  for (ByteRange& range : ranges_) {
    const uint64_t start = range.offset - offset_;
    fill(start);
    if (start < at) range.field += " (overlaps what is before it)";
    at = std::max(at, start + range.bytes);
    covered.push_back(std::move(range));
  }
  fill(bytes_.size());
  return covered;
}

}  // namespace strata::utl
