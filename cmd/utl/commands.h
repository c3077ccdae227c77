#ifndef STRATA_CMD_UTL_COMMANDS_H_
#define STRATA_CMD_UTL_COMMANDS_H_

#include "cmd/utl/command.h"
#include "cmd/utl/context.h"

// The families of commands. Each Add adds its own below `app` and, if the
// command line names one, puts it into `*chosen`.
namespace strata::utl {

void AddDbCheck(CLI::App* db, Action* chosen);
void AddDbStats(CLI::App* db, Action* chosen);  // and buckets
void AddDbPages(CLI::App* db, Action* chosen);
void AddDbPage(CLI::App* db, Action* chosen);
void AddDbKeys(CLI::App* db, Action* chosen);  // and get, history
void AddDbDump(CLI::App* db, Action* chosen);
void AddDbCompact(CLI::App* db, Action* chosen);
void AddDbConvert(CLI::App* db, Action* chosen);
void AddDbCopy(CLI::App* db, Action* chosen);
void AddDbAdvice(CLI::App* db, Action* chosen);
void AddWalDump(CLI::App* wal, Action* chosen);
void AddWalCheck(CLI::App* wal, Action* chosen);
void AddHashKv(CLI::App* app, Action* chosen);
void AddSnapshot(CLI::App* app, Action* chosen);
void AddSnapshotRestore(CLI::App* snapshot, Action* chosen);
void AddDefrag(CLI::App* app, Action* chosen);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_COMMANDS_H_
