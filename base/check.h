#ifndef STRATA_BASE_CHECK_H_
#define STRATA_BASE_CHECK_H_

#include <sstream>
#include <string>

// CHECK is for our own mistakes and stays on in release builds: a false
// condition prints file, line, condition and the streamed text to stderr and
// aborts the process. What a disk, a peer or a user can cause is a Status.
//
//   CHECK(index > applied_) << "index " << index;
//   CHECK_EQ(a, b);
//   CHECK_OK(status);

namespace strata::internal {

// Collects the message; its destructor prints it and aborts.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  [[noreturn]] ~CheckFailure();
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;

  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
};

// Lower precedence than << and higher than ?:, so that CHECK is an expression.
struct Voidify {
  void operator&(std::ostream&) const {}
};

}  // namespace strata::internal

#define CHECK(condition)                                                     \
  __builtin_expect(static_cast<bool>(condition), 1)                          \
      ? (void)0                                                              \
      : ::strata::internal::Voidify() &                                      \
            ::strata::internal::CheckFailure(__FILE__, __LINE__, #condition) \
                .stream()

#define CHECK_EQ(a, b) CHECK((a) == (b)) << (a) << " vs " << (b) << " "
#define CHECK_NE(a, b) CHECK((a) != (b)) << (a) << " vs " << (b) << " "
#define CHECK_LE(a, b) CHECK((a) <= (b)) << (a) << " vs " << (b) << " "
#define CHECK_LT(a, b) CHECK((a) < (b)) << (a) << " vs " << (b) << " "
#define CHECK_GE(a, b) CHECK((a) >= (b)) << (a) << " vs " << (b) << " "
#define CHECK_GT(a, b) CHECK((a) > (b)) << (a) << " vs " << (b) << " "
#define CHECK_OK(expression)                                   \
  do {                                                         \
    const auto& strata_check_ok = (expression);                \
    CHECK(strata_check_ok.ok()) << strata_check_ok.ToString(); \
  } while (false)

#endif  // STRATA_BASE_CHECK_H_
