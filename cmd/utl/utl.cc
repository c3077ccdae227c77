#include "cmd/utl/utl.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cmd/utl/commands.h"

namespace strata::utl {
namespace {

constexpr char kAbout[] =
    "stratautl: looks at the files of a data directory that no server has\n"
    "open, Strata's or etcd's, and explains every byte of them. Nothing is\n"
    "changed unless a command says so.";

constexpr char kFooter[] =
    "Exit code: 0, or 1 for any error: damage (told with file and offset),\n"
    "a file in use (with who holds it), a wrong command line. Example:\n\n"
    "  stratautl db check --data-dir /var/lib/etcd/default";

constexpr char kVersion[] = "stratautl version: 0.1.0\nAPI version: 3.5\n";

void AddCommands(CLI::App* app, Action* chosen) {
  CLI::App* db = AddFamily(
      app, "db", "The db file: pages, buckets, keys and their history");
  SetNotes(db, "Example:\n\n  stratautl db stats data/member/snap/db");
  AddDbCheck(db, chosen);
  AddDbStats(db, chosen);
  AddDbPages(db, chosen);
  AddDbPage(db, chosen);
  AddDbKeys(db, chosen);
  AddDbDump(db, chosen);
  AddDbAdvice(db, chosen);
  AddDbCopy(db, chosen);
  AddDbConvert(db, chosen);
  AddDbCompact(db, chosen);
  CLI::App* wal =
      AddFamily(app, "wal", "The write-ahead log: segments and records");
  SetNotes(wal, "Example:\n\n  stratautl wal dump --data-dir data");
  AddWalDump(wal, chosen);
  AddWalCheck(wal, chosen);
  AddHashKv(app, chosen);
  AddSnapshot(app, chosen);
  AddDefrag(app, chosen);
  CLI::App* version =
      AddCommand(app, "version", "The version, and etcd's that it is for");
  SetNotes(version, "Example:\n\n  stratautl version");
  OnChosen(version, [chosen] {
    *chosen = [](const Context& context) {
      *context.out << kVersion;
      return Status::Ok();
    };
  });
}

int Finish(const Context& context, const Status& status) {
  context.out->flush();
  if (status.ok()) return EXIT_SUCCESS;
  *context.err << "Error: " << status.message() << "\n";
  return EXIT_FAILURE;
}

}  // namespace

int Run(const std::vector<std::string>& arguments, Context context) {
  CLI::App app(kAbout, "stratautl");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();  // -w may stand behind the command
  const std::map<std::string, Format> formats = {{"simple", Format::kSimple},
                                                 {"json", Format::kJson},
                                                 {"table", Format::kTable}};
  app.add_option("-w,--write-out", context.format,
                 "simple, json or table; lists are one JSON object per line")
      ->transform(CLI::CheckedTransformer(formats).description(""));
  Action chosen;
  AddCommands(&app, &chosen);
  try {
    // The library takes them from the back.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, *context.out, *context.err) == 0 ? EXIT_SUCCESS
                                                            : EXIT_FAILURE;
  }
  return Finish(context, chosen(context));
}

}  // namespace strata::utl
