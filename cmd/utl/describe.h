#ifndef STRATA_CMD_UTL_DESCRIBE_H_
#define STRATA_CMD_UTL_DESCRIBE_H_

#include <string>
#include <string_view>

#include "engine/key_value.h"
#include "raft/types.h"

// What the bytes in the files mean, in one line each. Never fails: what is not
// understood is shown as it is.
namespace strata::utl {

// "5.0", and "5.0t" for a tombstone.
std::string RevisionText(ChangeId id, bool tombstone);

// A record of the bucket: "revision 5.0", "lease 1a2b", "\"members\"".
std::string DescribeKey(std::string_view bucket, std::string_view key);
// "\"color\" = \"red\" (3 bytes), create 2, mod 3, version 2".
std::string DescribeValue(std::string_view bucket, std::string_view key,
                          std::string_view value);

// "normal" or "conf change".
std::string EntryTypeName(raft::EntryType type);
// The request in a log entry: "put key \"foo\", value of 3 bytes".
std::string DescribeEntry(const raft::Entry& entry);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_DESCRIBE_H_
