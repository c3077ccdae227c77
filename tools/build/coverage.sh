#!/bin/bash
# Line coverage of the product code by the tests: tools/build/coverage.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/../.."
workspace=$PWD
root=$(bazel info execution_root 2>/dev/null)
find "$root/bazel-out/k8-dbg-gcov" -name '*.gcda' -delete 2>/dev/null || true
# Bazel compiles under /proc/self/cwd; strip that, so that data lie beside the notes.
bazel test --config=gcov --test_env=GCOV_PREFIX="$root" --test_env=GCOV_PREFIX_STRIP=3 "${@:-//...}"
cd "$root"
find bazel-out/k8-dbg-gcov/bin -name '*.gcda' -not -path '*.runfiles/*' -print0 |
  xargs -0 gcov-12 --json-format --stdout |
  python3 "$workspace/tools/build/gcov_summary.py"
