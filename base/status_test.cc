#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <sstream>
#include <vector>

namespace strata {
namespace {

TEST(Status, OkAndErrors) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ("OK", Status::Ok().ToString());
  const Status status = DataLossError("wal/0.wal offset 512: crc mismatch");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(Code::kDataLoss, status.code());
  EXPECT_EQ("DataLoss: wal/0.wal offset 512: crc mismatch", status.ToString());
  std::ostringstream out;
  out << NotFoundError("x");
  EXPECT_EQ("NotFound: x", out.str());
}

TEST(Status, EveryMakerHasItsCode) {
  EXPECT_EQ(Code::kInvalidArgument, InvalidArgumentError("").code());
  EXPECT_EQ(Code::kNotFound, NotFoundError("").code());
  EXPECT_EQ(Code::kResourceExhausted, ResourceExhaustedError("").code());
  EXPECT_EQ(Code::kFailedPrecondition, FailedPreconditionError("").code());
  EXPECT_EQ(Code::kOutOfRange, OutOfRangeError("").code());
  EXPECT_EQ(Code::kUnimplemented, UnimplementedError("").code());
  EXPECT_EQ(Code::kInternal, InternalError("").code());
  EXPECT_EQ(Code::kUnavailable, UnavailableError("").code());
  EXPECT_EQ(Code::kDataLoss, DataLossError("").code());
}

TEST(Status, NamesOfCodes) {
  EXPECT_EQ("OK", CodeName(Code::kOk));
  EXPECT_EQ("ResourceExhausted", CodeName(static_cast<Code>(8)));
  EXPECT_EQ("Unauthenticated", CodeName(static_cast<Code>(16)));
  EXPECT_EQ("Code(?)", CodeName(static_cast<Code>(17)));
  EXPECT_EQ("Code(?)", CodeName(static_cast<Code>(-1)));
}

TEST(Status, Context) {
  EXPECT_TRUE(Status().WithContext("open").ok());
  EXPECT_EQ(NotFoundError("open: x"), NotFoundError("x").WithContext("open"));
  EXPECT_FALSE(NotFoundError("x") == NotFoundError("y"));
  EXPECT_FALSE(NotFoundError("x") == InternalError("x"));
}

TEST(Status, Errno) {
  const Status full = ErrnoError("write /data/x", ENOSPC);
  EXPECT_EQ(ResourceExhaustedError("write /data/x: No space left on device"),
            full);
  EXPECT_EQ(Code::kResourceExhausted, ErrnoError("", EDQUOT).code());
  EXPECT_EQ(Code::kNotFound, ErrnoError("", ENOENT).code());
  EXPECT_EQ(Code::kAlreadyExists, ErrnoError("", EEXIST).code());
  EXPECT_EQ(Code::kPermissionDenied, ErrnoError("", EACCES).code());
  EXPECT_EQ(Code::kDataLoss, ErrnoError("", EIO).code());
  EXPECT_EQ(Code::kUnknown, ErrnoError("", EBADF).code());
}

StatusOr<int> Half(int n) {
  if (n % 2 != 0) return InvalidArgumentError("odd");
  return n / 2;
}

StatusOr<int> Quarter(int n) {
  ASSIGN_OR_RETURN(const int half, Half(n));
  ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status CheckQuarter(int n) {
  RETURN_IF_ERROR(Quarter(n).status());
  return Status::Ok();
}

TEST(StatusOr, ValueOrError) {
  EXPECT_EQ(2, Quarter(8).value());
  EXPECT_EQ(2, *Quarter(8));
  EXPECT_EQ("odd", Quarter(6).status().message());
  EXPECT_TRUE(CheckQuarter(4).ok());
  EXPECT_FALSE(CheckQuarter(5).ok());
}

struct Base {
  virtual ~Base() = default;
};
struct Derived : Base {};

TEST(StatusOr, TakesWhatConverts) {
  const StatusOr<std::unique_ptr<Base>> made = std::make_unique<Derived>();
  EXPECT_TRUE(made.ok());
  const StatusOr<std::string> text = "text";
  EXPECT_EQ(4u, text->size());
}

StatusOr<std::vector<int>> Three() { return std::vector<int>{1, 2, 3}; }

TEST(StatusOr, ATemporaryCanBeWalked) {
  int sum = 0;
  for (const int n : Three().value()) sum += n;
  EXPECT_EQ(6, sum);
}

TEST(StatusDeathTest, OurMistakesAbort) {
  EXPECT_DEATH(Half(1).value(), "CHECK failed.*InvalidArgument: odd");
  EXPECT_DEATH(StatusOr<int>{Status::Ok()}, "needs an error");
  EXPECT_DEATH(Status(Code::kOk, "text"), "OK has no message");
}

TEST(CheckDeathTest, NamesPlaceConditionAndText) {
  const int n = 3;
  CHECK(n == 3) << "not evaluated";
  CHECK_EQ(n, 3);
  EXPECT_DEATH(CHECK(n > 3) << "n " << n,
               "base/status_test.cc:.* CHECK failed: n > 3 n 3");
  EXPECT_DEATH(CHECK_EQ(n, 4) << "four", "3 vs 4 four");
  EXPECT_DEATH(CHECK_NE(n, 3), "3 vs 3");
  EXPECT_DEATH(CHECK_LT(n, 3), "3 vs 3");
  EXPECT_DEATH(CHECK_LE(n, 2), "3 vs 2");
  EXPECT_DEATH(CHECK_GT(n, 3), "3 vs 3");
  EXPECT_DEATH(CHECK_GE(n, 4), "3 vs 4");
  EXPECT_DEATH(CHECK_OK(NotFoundError("gone")), "NotFound: gone");
}

TEST(Check, AnswersInAnIfWithoutBraces) {
  bool reached = false;
  if (reached)
    CHECK(false);
  else
    reached = true;
  EXPECT_TRUE(reached);
}

}  // namespace
}  // namespace strata
