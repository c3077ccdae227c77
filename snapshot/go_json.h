#ifndef STRATA_SNAPSHOT_GO_JSON_H_
#define STRATA_SNAPSHOT_GO_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

// What the JSON of etcd's Go code needs beyond the library. Never throws.
namespace strata {

// Fields in the order they were added, as Go writes a struct.
using OrderedJson = nlohmann::ordered_json;

// As Go's encoding/json prints it: compact, with < > & escaped.
std::string DumpLikeGo(const OrderedJson& json);

// `json[name]`, or null if `json` is no object or has no such field.
const OrderedJson& JsonField(const OrderedJson& json, const char* name);

// False if it is neither null nor of that form.
bool ReadStrings(const OrderedJson& json, std::vector<std::string>* out);
bool ReadString(const OrderedJson& json, std::string* out);

}  // namespace strata

#endif  // STRATA_SNAPSHOT_GO_JSON_H_
