#include "engine/mem_backend.h"

#include "engine/backend_suite.h"

namespace strata {
namespace {

class MemHome : public BackendHome {
 public:
  StatusOr<std::unique_ptr<Backend>> Open() override { return NewMemBackend(); }
  bool durable() const override { return false; }
};

INSTANTIATE_TEST_SUITE_P(Mem, BackendSuite,
                         testing::Values(BackendSetup{
                             .name = "mem", .make_home = [] {
                               return std::make_unique<MemHome>();
                             }}));

}  // namespace
}  // namespace strata
