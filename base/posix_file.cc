#include "base/posix_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/posix_lock.h"

namespace strata {

namespace {

class PosixMapping : public Mapping {
 public:
  PosixMapping(char* data, size_t size) : data_(data), size_(size) {}
  ~PosixMapping() override { munmap(data_, size_); }

  const char* data() const override { return data_; }
  size_t size() const override { return size_; }

 private:
  char* const data_;
  const size_t size_;
};

// Reads the first `size` bytes of a mapping in. A kernel that cannot do it at
// once (before 5.14) gets each page touched.
Status Populate(const std::string& path, char* data, size_t size) {
  if (size == 0 || madvise(data, size, MADV_POPULATE_READ) == 0) {
    return Status::Ok();
  }
  if (errno != EINVAL) return ErrnoError("populate " + path, errno);
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < size; i += page) {
    static_cast<void>(*static_cast<volatile char*>(data + i));
  }
  return Status::Ok();
}

class PosixFile : public File {
 public:
  PosixFile(std::string path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}
  // What was not synced is not promised, so an error of close tells nothing.
  ~PosixFile() override { close(descriptor_); }

  Status ReadAt(uint64_t offset, size_t size, char* out) const override;
  Status WriteAt(uint64_t offset, std::string_view data) override;
  Status Resize(uint64_t size) override;
  Status Allocate(uint64_t size) override;
  Status Sync() override;
  StatusOr<uint64_t> Size() const override;
  StatusOr<std::unique_ptr<Mapping>> Map(size_t size,
                                         const MapOptions& options) override;
  Status Lock() override { return LockDescriptor(descriptor_, path_); }
  const std::string& path() const override { return path_; }

 private:
  std::string What(const char* operation, uint64_t offset) const {
    return std::string(operation) + " " + path_ + " offset " +
           std::to_string(offset);
  }
  std::string What(const char* operation) const {
    return std::string(operation) + " " + path_;
  }
  Status AppendZeros(uint64_t size);

  const std::string path_;
  const int descriptor_;
};

Status PosixFile::ReadAt(uint64_t offset, size_t size, char* out) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t n = pread(descriptor_, out + done, size - done,
                            static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(What("read", offset + done), errno);
    if (n == 0) {
      return OutOfRangeError(What("read", offset + done) + ": end of file");
    }
    done += static_cast<size_t>(n);
  }
  return Status::Ok();
}

Status PosixFile::WriteAt(uint64_t offset, std::string_view data) {
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t n =
        pwrite(descriptor_, data.data() + done, data.size() - done,
               static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return ErrnoError(What("write", offset + done), n < 0 ? errno : ENOSPC);
    }
    done += static_cast<size_t>(n);
  }
  return Status::Ok();
}

Status PosixFile::Resize(uint64_t size) {
  while (ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) return ErrnoError(What("resize", size), errno);
  }
  return Status::Ok();
}

Status PosixFile::Allocate(uint64_t size) {
  if (size == 0) return Status::Ok();
  while (fallocate(descriptor_, 0, 0, static_cast<off_t>(size)) != 0) {
    if (errno == EOPNOTSUPP) return AppendZeros(size);
    if (errno != EINTR) return ErrnoError(What("allocate", size), errno);
  }
  return Status::Ok();
}

// For a file system without fallocate. Holes before the end stay holes.
Status PosixFile::AppendZeros(uint64_t size) {
  ASSIGN_OR_RETURN(uint64_t end, Size());
  const std::vector<char> zeros(1 << 20);
  while (end < size) {
    const size_t n = std::min<uint64_t>(zeros.size(), size - end);
    RETURN_IF_ERROR(WriteAt(end, std::string_view(zeros.data(), n)));
    end += n;
  }
  return Status::Ok();
}

Status PosixFile::Sync() {
  while (fdatasync(descriptor_) != 0) {
    if (errno != EINTR) return ErrnoError(What("sync"), errno);
  }
  return Status::Ok();
}

StatusOr<uint64_t> PosixFile::Size() const {
  struct stat info;
  if (fstat(descriptor_, &info) != 0) return ErrnoError(What("stat"), errno);
  return static_cast<uint64_t>(info.st_size);
}

StatusOr<std::unique_ptr<Mapping>> PosixFile::Map(size_t size,
                                                  const MapOptions& options) {
  if (size == 0) return InvalidArgumentError(What("map") + ": no bytes");
  void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (memory == MAP_FAILED) return ErrnoError(What("map", size), errno);
  auto* data = static_cast<char*>(memory);
  auto mapping = std::make_unique<PosixMapping>(data, size);
  if (options.random && madvise(data, size, MADV_RANDOM) != 0) {
    return ErrnoError(What("madvise"), errno);
  }
  // Pages beyond the end of the file are locked once the file has them.
  if (options.lock && mlock2(data, size, MLOCK_ONFAULT) != 0) {
    return ErrnoError(What("mlock", size), errno);
  }
  if (options.populate || options.lock) {
    ASSIGN_OR_RETURN(const uint64_t end, Size());
    RETURN_IF_ERROR(Populate(path_, data, std::min<uint64_t>(size, end)));
  }
  return mapping;
}

}  // namespace

std::unique_ptr<File> NewPosixFile(std::string path, int descriptor) {
  return std::make_unique<PosixFile>(std::move(path), descriptor);
}

}  // namespace strata
