#include "base/random.h"

#include <bit>

#include "base/check.h"

namespace strata {

namespace {

uint64_t SplitMix64(uint64_t* state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix64(&seed);
}

uint64_t Random::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::Below(uint64_t bound) {
  CHECK(bound > 0);
  // The top of the range, where a remainder would favour small numbers, is
  // drawn again.
  const uint64_t rest = (UINT64_MAX % bound + 1) % bound;
  uint64_t draw = Next();
  while (draw > UINT64_MAX - rest) draw = Next();
  return draw % bound;
}

uint64_t Random::Between(uint64_t low, uint64_t high) {
  CHECK(low <= high) << low << ".." << high;
  const uint64_t span = high - low;
  return span == UINT64_MAX ? Next() : low + Below(span + 1);
}

double Random::Fraction() {
  return static_cast<double>(Next() >> 11) * 0x1.0p-53;
}

}  // namespace strata
