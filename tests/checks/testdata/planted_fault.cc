// A mistake the compiler does not warn of: for tidy_checker_test.
#include <string>
#include <utility>

size_t UseAfterMove(std::string word) {
  std::string other = std::move(word);
  return word.size() + other.size();
}
