#!/bin/bash
# Line coverage of the product code by the tests: tools/build/coverage.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/../.."
workspace=$PWD
bazel() { "${BAZEL:-/usr/bin/bazel}" ${BAZEL_STARTUP:-} "$@"; }

root=$(bazel info execution_root 2>/dev/null)
objects=$root/bazel-out/k8-dbg-gcov/bin
# Counts of an earlier run would be added to.
find "$objects" -name '*.gcda' -delete 2>/dev/null || true

(($#)) || set -- //...
# Bazel compiles under /proc/self/cwd; strip that, so that data lie beside the
# notes. A failing test still has covered what it reached.
bazel test --config=gcov --keep_going --ui_event_filters=-info \
  --test_env=GCOV_PREFIX="$root" --test_env=GCOV_PREFIX_STRIP=3 "$@" ||
  echo "coverage.sh: some tests did not pass" >&2

cd "$root"
find "$objects" -name '*.gcda' -not -path '*.runfiles/*' -print0 |
  xargs -0r gcov-12 --json-format --stdout 2>/dev/null |
  python3 "$workspace/tools/build/gcov_summary.py"
