#include <cstdlib>
#include <new>
#include <string>

#include "gtest/gtest.h"
#include "raft/trio_testing.h"

namespace {

uint64_t allocations = 0;

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace strata::raft {
namespace {

TEST(AllocationTest, NoneForAHeartbeat) {
  Trio trio;
  trio.Propose(1, "a");
  // The buffers find their sizes.
  for (int i = 0; i < 50; ++i) {
    trio.leader()->Tick();
    trio.Settle();
  }
  const uint64_t before = allocations;
  for (int i = 0; i < 1000; ++i) {
    trio.leader()->Tick();
    trio.Settle();
  }
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(trio.leader()->is_leader());

  // The counter counts.
  trio.Propose(1, std::string(100, 'b'));
  trio.Settle();
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace strata::raft
