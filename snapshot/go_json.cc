#include "snapshot/go_json.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace strata {
namespace {

// Outside of strings none of these occurs.
constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {
    {"<", "\\u003c"},
    {">", "\\u003e"},
    {"&", "\\u0026"},
    {"\xe2\x80\xa8", "\\u2028"},
    {"\xe2\x80\xa9", "\\u2029"},
};
constexpr const char* kFirst = "<>&\xe2";  // bytes of them

}  // namespace

std::string DumpLikeGo(const OrderedJson& json) {
  const std::string plain =
      json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::string out;
  out.reserve(plain.size());
  for (size_t at = 0; at < plain.size();) {
    const size_t special =
        std::min(plain.find_first_of(kFirst, at), plain.size());
    out.append(plain, at, special - at);
    at = special;
    const std::string_view rest = std::string_view(plain).substr(at);
    if (rest.empty()) break;
    size_t taken = 0;
    for (const auto& [from, to] : kEscapes) {
      if (!rest.starts_with(from)) continue;
      out += to;
      taken = from.size();
    }
    if (taken == 0) out += rest[0];
    at += std::max<size_t>(taken, 1);
  }
  return out;
}

const OrderedJson* FindField(const OrderedJson& json, const char* name) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(name);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

bool ReadString(const OrderedJson* field, std::string* out) {
  if (field == nullptr) return true;
  if (!field->is_string()) return false;
  *out = field->get_ref<const std::string&>();
  return true;
}

bool ReadStrings(const OrderedJson* field, std::vector<std::string>* out) {
  if (field == nullptr) return true;
  if (!field->is_array()) return false;
  out->clear();
  for (const OrderedJson& element : *field) {
    if (!element.is_string()) return false;
    out->push_back(element.get_ref<const std::string&>());
  }
  return true;
}

}  // namespace strata
