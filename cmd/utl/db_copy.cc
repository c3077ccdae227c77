#include "base/bytes.h"
#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"
#include "engine/btree/image.h"
#include "engine/btree_backend.h"

namespace strata::utl {
namespace {

struct Options {
  Target target;
  std::string out;
};

struct Sizes {
  uint64_t before = 0;
  uint64_t after = 0;
};

bool IsTable(const std::string& bucket) {
  for (int i = 0; i < kTableCount; ++i) {
    if (bucket == TableName(static_cast<Table>(i))) return true;
  }
  return false;
}

// That the newest state of the file is whole, and that a copy of its tables is
// a copy of all there is. Metas may be damaged, if one is left.
Status CheckCopyable(const btree::Inspection& file) {
  const int newest = file.metas().Newest();
  if (newest < 0) return file.faults().front();
  Status first;
  const btree::PageMap map = btree::MapPages(
      file.TreeOf(newest),
      [&](const Status& fault) {
        first = fault;
        return false;
      },
      nullptr);
  RETURN_IF_ERROR(first);
  for (const std::string& bucket : map.buckets) {
    if (bucket.empty() || IsTable(bucket)) continue;
    return FailedPreconditionError(file.path() + ": bucket '" +
                                   Printable(bucket) +
                                   "' is not etcd's; it would be lost");
  }
  return Status::Ok();
}

Status WriteImageTo(File* file, Backend* from, uint32_t page_size,
                    uint64_t* bytes) {
  ASSIGN_OR_RETURN(const auto view, from->NewView());
  RETURN_IF_ERROR(file->Lock());
  RETURN_IF_ERROR(file->Resize(0));
  *bytes = 0;
  const auto sink = [&](std::string_view piece) -> Status {
    RETURN_IF_ERROR(file->WriteAt(*bytes, piece));
    *bytes += piece.size();
    return Status::Ok();
  };
  RETURN_IF_ERROR(btree::WriteImage(view.get(), page_size, sink));
  return file->Sync();
}

// Writes the newest state of `from`, packed, to `to`, which `mode` opens. The
// backend stays locked until `finish`, which is called when all is on disk.
StatusOr<Sizes> Copy(Env* env, const std::string& from, bool accept_one_meta,
                     const std::string& to, OpenMode mode,
                     const std::function<Status()>& finish) {
  Sizes sizes;
  BtreeOptions options;
  options.read_only = true;
  options.initial_mmap_bytes = 0;
  options.accept_one_meta = accept_one_meta;
  {
    ASSIGN_OR_RETURN(const auto file, btree::Inspection::Open(env, from));
    if (!accept_one_meta && !file->faults().empty()) {
      return file->faults().front();
    }
    RETURN_IF_ERROR(CheckCopyable(*file));
    sizes.before = file->file_bytes();
    options.page_size = file->page_size();
  }
  ASSIGN_OR_RETURN(const auto backend,
                   OpenBtreeBackend(env, from, options, Logger::Null()));
  ASSIGN_OR_RETURN(auto file, env->Open(to, mode));
  const Status written =
      WriteImageTo(file.get(), backend.get(), options.page_size, &sizes.after);
  file.reset();
  if (!written.ok()) {
    env->Remove(to).IgnoreError();  // the first error is the one to tell
    return written;
  }
  RETURN_IF_ERROR(finish());
  return sizes;
}

Status CopyFile(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const std::string path,
                   DatabasePath(context.env, options.target));
  Env* const env = context.env;
  ASSIGN_OR_RETURN(const Sizes sizes,
                   Copy(env, path, /*accept_one_meta=*/true, options.out,
                        OpenMode::kCreateNew,
                        [&] { return env->SyncDir(DirName(options.out)); }));
  PrintFields(context, {{"file", path},
                        {"bytes", sizes.before},
                        {"copy", options.out},
                        {"copy_bytes", sizes.after}});
  return Status::Ok();
}

Status Defrag(const Context& context, const Options& options) {
  const std::string& data_dir = options.target.data_dir;
  const std::string path = DatabaseIn(data_dir);
  const std::string copy = path + ".tmp";
  Env* const env = context.env;
  ASSIGN_OR_RETURN(const Sizes sizes,
                   Copy(env, path, /*accept_one_meta=*/false, copy,
                        OpenMode::kCreate, [&]() -> Status {
                          RETURN_IF_ERROR(env->Rename(copy, path));
                          return env->SyncDir(SnapIn(data_dir));
                        }));
  if (context.format == Format::kSimple) {
    *context.out << "Finished defragmenting directory " << data_dir << ": "
                 << HumanBytes(sizes.before) << " to "
                 << HumanBytes(sizes.after) << "\n";
  } else {
    PrintFields(context, {{"file", path},
                          {"before_bytes", sizes.before},
                          {"after_bytes", sizes.after}});
  }
  return Status::Ok();
}

}  // namespace

void AddDbCopy(CLI::App* db, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(db, "copy", "Write what a db file has to a new file, packed");
  AddTarget(command, &options->target, "FILE");
  AddOption(command, "--out", &options->out, "the new file; must not be there",
            Need::kRequired);
  SetNotes(
      command,
      "The file itself stays as it is. If one of its metas is damaged, the\n"
      "state of the other is copied (see `db advice`). Takes memory for the\n"
      "whole store. Example:\n\n"
      "  stratautl db copy --out new.db data/member/snap/db");
  Choose(command, options, CopyFile, chosen);
}

void AddDefrag(CLI::App* app, Action* chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, "defrag",
      "CHANGES THE FILE: write the db file anew, without free space");
  AddOption(command, "--data-dir", &options->target.data_dir,
            "not in use by a server", Need::kRequired);
  SetNotes(
      command,
      "The old file stays until the new one is whole on disk. A damaged file\n"
      "is left alone. Takes memory for the whole store. Example:\n\n"
      "  stratautl defrag --data-dir /var/lib/etcd/default");
  Choose(command, options, Defrag, chosen);
}

}  // namespace strata::utl
