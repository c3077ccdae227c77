#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

// The main of tests with transcripts: --rewrite brings the files in the source
// tree up to date (`bazel run //x:y_test -- --rewrite`).
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rewrite") != 0) continue;
    const char* root = std::getenv("BUILD_WORKSPACE_DIRECTORY");
    setenv("STRATA_REWRITE_TRANSCRIPTS", root == nullptr ? "." : root, 1);
  }
  return RUN_ALL_TESTS();
}
