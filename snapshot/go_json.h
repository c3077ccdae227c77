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

// The field `name`; null if there is none, it is null or `json` is no object.
const OrderedJson* FindField(const OrderedJson& json, const char* name);

// Nothing is read from a field that is not there. False if it has another form.
bool ReadString(const OrderedJson* field, std::string* out);
bool ReadStrings(const OrderedJson* field, std::vector<std::string>* out);

}  // namespace strata

#endif  // STRATA_SNAPSHOT_GO_JSON_H_
