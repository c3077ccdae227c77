#ifndef STRATA_TESTS_FUZZ_INPUT_H_
#define STRATA_TESTS_FUZZ_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// What each fuzz target defines; a failed CHECK or a sanitizer ends the run.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace strata::fuzz {

// Turns the bytes of a fuzzer into decisions. Once they are used up all numbers
// are 0. A value.
class Input {
 public:
  Input(const uint8_t* data, size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }

  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }

  // REQUIRES: n > 0
  uint64_t Below(uint64_t n) {
    uint64_t number = 0;
    for (uint64_t most = n - 1; most > 0; most >>= 8) {
      number = number << 8 | Byte();
    }
    return number % n;
  }

  std::string Bytes(size_t most) {
    const size_t size = Below(most + 1);
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(bytes.size());
    return std::string(bytes);
  }

  std::string_view TakeRest() {
    const std::string_view rest = rest_;
    rest_ = {};
    return rest;
  }

 private:
  std::string_view rest_;
};

// Changes some bytes of `file`, most of them where `block` bytes begin, as that
// is where headers are. Takes all that is left of `input`.
inline void Damage(Input* input, size_t block, std::string* file) {
  while (!input->empty() && !file->empty()) {
    const uint64_t blocks = (file->size() + block - 1) / block;
    const uint64_t start = input->Below(blocks) * block;
    const uint64_t within =
        input->Byte() % 4 == 0 ? input->Below(block) : input->Below(256);
    const uint64_t at = (start + within) % file->size();
    // A small change of a number is more telling than any byte.
    const uint8_t how = input->Byte();
    char& byte = (*file)[at];
    if (how < 64) {
      byte = static_cast<char>(byte + how % 5 - 2);
    } else {
      byte = static_cast<char>(input->Byte());
    }
  }
}

}  // namespace strata::fuzz

#endif  // STRATA_TESTS_FUZZ_INPUT_H_
