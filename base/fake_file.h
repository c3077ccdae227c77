#ifndef STRATA_BASE_FAKE_FILE_H_
#define STRATA_BASE_FAKE_FILE_H_

#include <memory>
#include <string>

#include "base/fake_env.h"

namespace strata {

// An open file of a FakeEnv, whose mutex guards what it touches.
class FakeFile : public File {
 public:
  // REQUIRES: the env's mutex is held
  FakeFile(FakeEnv* env, std::shared_ptr<FakeNode> node, std::string path,
           bool writable);
  ~FakeFile() override;

  Status ReadAt(uint64_t offset, size_t size, char* out) const override;
  Status WriteAt(uint64_t offset, std::string_view data) override;
  Status Resize(uint64_t size) override;
  Status Allocate(uint64_t size) override;
  Status Sync() override;
  StatusOr<uint64_t> Size() const override;
  StatusOr<std::unique_ptr<Mapping>> Map(size_t size,
                                         const MapOptions& options) override;
  Status Lock() override;
  const std::string& path() const override { return path_; }

 private:
  using Guard = std::unique_lock<std::mutex>;

  std::string What(const char* operation) const;
  std::string What(const char* operation, uint64_t offset) const;
  // With the env's mutex held: that there is power, and that the file is of
  // this boot.
  Status CheckUsable() const;
  // What write(2) answers to who may not write, or not up to `end`, or 0.
  int WriteError(uint64_t end) const;
  FakeContent& content() const { return *node_->content; }

  FakeEnv* const env_;
  const std::shared_ptr<FakeNode> node_;
  const std::string path_;
  const bool writable_;
  const uint64_t boot_;
  // Of all that failed before: as on Linux, each is told once to every open
  // file.
  uint64_t failed_syncs_seen_ = 0;
};

}  // namespace strata

#endif  // STRATA_BASE_FAKE_FILE_H_
