#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "base/transcript.h"

// The main of tests with transcripts: --rewrite brings the files in the source
// tree up to date (`bazel run //x:y_test -- --rewrite`).
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rewrite") != 0) continue;
    const char* root = std::getenv("BUILD_WORKSPACE_DIRECTORY");
    strata::RewriteTranscripts(root == nullptr ? "." : root);
  }
  return RUN_ALL_TESTS();
}
