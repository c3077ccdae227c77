#ifndef STRATA_CMD_UTL_UTL_TESTING_H_
#define STRATA_CMD_UTL_UTL_TESTING_H_

#include <string>
#include <vector>

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

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

// Runs stratautl on the files of `env`.
Outcome RunLine(Env* env, const std::vector<std::string>& arguments);

// Commands that only read, on the files above: all of them.
const std::vector<std::vector<std::string>>& ReadingCommands();

std::string Content(Env* env, const std::string& path);
void Overwrite(Env* env, const std::string& path, const std::string& content);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_UTL_TESTING_H_
