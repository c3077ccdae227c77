#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/random.h"

// Apart from the rest of Random, so that what must have no chance of its own
// (raft) does not link it.
namespace strata {

uint64_t Random::SeedFromSystem() {
  uint64_t seed = 0;
  while (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    CHECK(errno == EINTR) << "getrandom: " << std::strerror(errno);
  }
  return seed;
}

}  // namespace strata
