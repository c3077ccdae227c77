#ifndef STRATA_ENGINE_BACKEND_SUITE_H_
#define STRATA_ENGINE_BACKEND_SUITE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "engine/backend.h"

namespace strata {

// A place that a backend lives in, made afresh for each test.
class BackendHome {
 public:
  virtual ~BackendHome() = default;
  // Opens the backend; again after the last one was destroyed.
  virtual StatusOr<std::unique_ptr<Backend>> Open() = 0;
  // Whether what was written is there after opening again.
  virtual bool durable() const = 0;
};

struct BackendSetup {
  std::string name;
  std::function<std::unique_ptr<BackendHome>()> make_home;
  // A cheaper random run, for backends on a slow disk.
  int random_steps = 400;
};
inline void PrintTo(const BackendSetup& kind, std::ostream* out) {
  *out << kind.name;
}

// What every backend must do, whatever it is made of. To run it:
//   INSTANTIATE_TEST_SUITE_P(Mem, BackendSuite, testing::Values(kind));
class BackendSuite : public testing::TestWithParam<BackendSetup> {
 protected:
  void SetUp() override;
  void TearDown() override;  // Check() and a scrub must be clean

  void Reopen();

  std::unique_ptr<BackendHome> home_;
  std::unique_ptr<Backend> backend_;
};

}  // namespace strata

#endif  // STRATA_ENGINE_BACKEND_SUITE_H_
