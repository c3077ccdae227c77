#ifndef STRATA_BASE_STATUS_H_
#define STRATA_BASE_STATUS_H_

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace strata {

// The numbers are gRPC's, so that a Status crosses the wire unchanged.
enum class Code {
  kOk = 0,
  kCanceled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

std::string_view CodeName(Code code);

// The outcome of an operation that the outside world (disk, peer, user) can
// make fail. A value type; OK allocates nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(Code code, std::string message);

  static Status Ok() { return Status(); }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // "DataLoss: member/wal/0.wal offset 512: crc mismatch", or "OK".
  std::string ToString() const;

  // The same code, the message prefixed by `context` and ": ". OK stays OK.
  Status WithContext(std::string_view context) const;

  // For a status that is dropped on purpose; say why at the call.
  void IgnoreError() const {}

  friend bool operator==(const Status& a, const Status& b) {
    return a.code_ == b.code_ && a.message_ == b.message_;
  }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

std::ostream& operator<<(std::ostream& out, const Status& status);

Status InvalidArgumentError(std::string message);
Status NotFoundError(std::string message);
Status ResourceExhaustedError(std::string message);
Status FailedPreconditionError(std::string message);
Status OutOfRangeError(std::string message);
Status UnimplementedError(std::string message);
Status InternalError(std::string message);
Status UnavailableError(std::string message);
Status DataLossError(std::string message);

// "open /data/x: No space left on device"; ENOSPC and EDQUOT give
// kResourceExhausted, ENOENT kNotFound, EEXIST kAlreadyExists, EACCES and EPERM
// kPermissionDenied, EIO kDataLoss, others kUnknown.
Status ErrnoError(std::string_view what, int error_number);

// A value or the error that kept it from being made.
template <typename T>
class [[nodiscard]] StatusOr {
 public:
  StatusOr(Status status) : status_(std::move(status)) {  // NOLINT: implicit
    CHECK(!status_.ok()) << "a StatusOr without a value needs an error";
  }
  StatusOr(T value) : value_(std::move(value)) {}  // NOLINT: implicit
  // From what converts to T, such as unique_ptr<Derived>.
  template <typename U, typename = std::enable_if_t<
                            std::is_convertible_v<U&&, T> &&
                            !std::is_same_v<std::decay_t<U>, T> &&
                            !std::is_same_v<std::decay_t<U>, Status> &&
                            !std::is_same_v<std::decay_t<U>, StatusOr>>>
  StatusOr(U&& value) : value_(std::forward<U>(value)) {}  // NOLINT: implicit

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  std::string ToString() const { return status_.ToString(); }

  // REQUIRES: ok()
  T& value() & {
    CHECK(ok()) << status_.ToString();
    return *value_;
  }
  const T& value() const& {
    CHECK(ok()) << status_.ToString();
    return *value_;
  }
  // By value, so that `for (auto& x : F().value())` keeps what it walks.
  T value() && {
    CHECK(ok()) << status_.ToString();
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace strata

// RETURN_IF_ERROR(file->Sync());
#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (::strata::Status strata_status = (expression); !strata_status.ok()) \
        [[unlikely]] {                                                      \
      return strata_status;                                                 \
    }                                                                       \
  } while (false)

// ASSIGN_OR_RETURN(auto file, env->Open(path, options));
#define ASSIGN_OR_RETURN(left, expression)                             \
  STRATA_ASSIGN_OR_RETURN_(STRATA_CONCAT_(strata_or_, __LINE__), left, \
                           expression)
#define STRATA_ASSIGN_OR_RETURN_(temporary, left, expression) \
  auto temporary = (expression);                              \
  if (!temporary.ok()) [[unlikely]] {                         \
    return temporary.status();                                \
  }                                                           \
  left = std::move(temporary).value()
#define STRATA_CONCAT_(a, b) STRATA_CONCAT_INNER_(a, b)
#define STRATA_CONCAT_INNER_(a, b) a##b

#endif  // STRATA_BASE_STATUS_H_
