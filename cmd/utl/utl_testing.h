#ifndef STRATA_CMD_UTL_UTL_TESTING_H_
#define STRATA_CMD_UTL_UTL_TESTING_H_

#include "base/env.h"

// Files of a data directory for tests, the same with every run.
namespace strata::utl {

inline constexpr char kData[] = "data";
inline constexpr char kDb[] = "data/member/snap/db";
inline constexpr char kLog[] = "data/member/wal";
inline constexpr char kSegment[] =
    "data/member/wal/0000000000000000-0000000000000000.wal";

// Revisions 2 to 7: color is put twice, deleted, put again; a large value; two
// changes in one transaction.
void MakeDb(Env* env);

// Eight entries of different kinds, of member abc in cluster def.
void MakeLog(Env* env);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_UTL_TESTING_H_
