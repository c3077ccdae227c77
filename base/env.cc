#include "base/env.h"

namespace strata {

namespace {

Status WriteAndSync(Env* env, const std::string& path,
                    std::string_view content) {
  ASSIGN_OR_RETURN(auto file, env->Open(path, OpenMode::kCreate));
  RETURN_IF_ERROR(file->Resize(0));
  RETURN_IF_ERROR(file->WriteAt(0, content));
  return file->Sync();
}

}  // namespace

std::string JoinPath(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  while (directory.size() > 1 && directory.back() == '/') {
    directory.remove_suffix(1);
  }
  while (!name.empty() && name.front() == '/') name.remove_prefix(1);
  std::string path(directory);
  if (path.back() != '/') path.push_back('/');
  return path.append(name);
}

std::string DirName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  std::string_view parent = path.substr(0, slash);
  while (!parent.empty() && parent.back() == '/') parent.remove_suffix(1);
  return parent.empty() ? "/" : std::string(parent);
}

StatusOr<std::string> ReadFile(Env* env, const std::string& path,
                               uint64_t limit) {
  ASSIGN_OR_RETURN(auto file, env->Open(path, OpenMode::kReadOnly));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > limit) {
    return OutOfRangeError("read " + path + ": " + std::to_string(size) +
                           " bytes, the limit is " + std::to_string(limit));
  }
  std::string content(size, '\0');
  RETURN_IF_ERROR(file->ReadAt(0, size, content.data()));
  return content;
}

Status WriteFileAtomically(Env* env, const std::string& path,
                           std::string_view content) {
  const std::string temporary = path + ".tmp";
  Status status = WriteAndSync(env, temporary, content);
  if (status.ok()) status = env->Rename(temporary, path);
  if (!status.ok()) {
    // The first error is the one to tell; a leftover is overwritten next time.
    env->Remove(temporary).IgnoreError();
    return status;
  }
  return env->SyncDir(DirName(path));
}

}  // namespace strata
