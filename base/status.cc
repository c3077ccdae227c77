#include "base/status.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace strata {

std::string_view CodeName(Code code) {
  static constexpr std::array<std::string_view, 17> kNames = {
      "OK",
      "Canceled",
      "Unknown",
      "InvalidArgument",
      "DeadlineExceeded",
      "NotFound",
      "AlreadyExists",
      "PermissionDenied",
      "ResourceExhausted",
      "FailedPrecondition",
      "Aborted",
      "OutOfRange",
      "Unimplemented",
      "Internal",
      "Unavailable",
      "DataLoss",
      "Unauthenticated"};
  const auto i = static_cast<size_t>(code);
  return i < kNames.size() ? kNames[i] : "Code(?)";
}

Status::Status(Code code, std::string message)
    : code_(code), message_(std::move(message)) {
  CHECK(code != Code::kOk || message_.empty()) << "OK has no message";
}

std::string Status::ToString() const {
  std::string text(CodeName(code_));
  if (!message_.empty()) text.append(": ").append(message_);
  return text;
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  return Status(code_, std::string(context) + ": " + message_);
}

std::ostream& operator<<(std::ostream& out, const Status& status) {
  return out << status.ToString();
}

Status InvalidArgumentError(std::string message) {
  return Status(Code::kInvalidArgument, std::move(message));
}
Status NotFoundError(std::string message) {
  return Status(Code::kNotFound, std::move(message));
}
Status ResourceExhaustedError(std::string message) {
  return Status(Code::kResourceExhausted, std::move(message));
}
Status FailedPreconditionError(std::string message) {
  return Status(Code::kFailedPrecondition, std::move(message));
}
Status OutOfRangeError(std::string message) {
  return Status(Code::kOutOfRange, std::move(message));
}
Status UnimplementedError(std::string message) {
  return Status(Code::kUnimplemented, std::move(message));
}
Status InternalError(std::string message) {
  return Status(Code::kInternal, std::move(message));
}
Status UnavailableError(std::string message) {
  return Status(Code::kUnavailable, std::move(message));
}
Status DataLossError(std::string message) {
  return Status(Code::kDataLoss, std::move(message));
}

namespace {

Code CodeOfErrno(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return Code::kResourceExhausted;
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
      return Code::kPermissionDenied;
    case EIO:
      return Code::kDataLoss;
    default:
      return Code::kUnknown;
  }
}

}  // namespace

Status ErrnoError(std::string_view what, int error_number) {
  char buffer[128];
  // GNU's strerror_r: the text may or may not be in the buffer.
  const char* text = strerror_r(error_number, buffer, sizeof buffer);
  return Status(CodeOfErrno(error_number),
                std::string(what) + ": " + std::string(text));
}

}  // namespace strata
