#!/bin/bash
# An example prints what it should, also on the second run over the same
# directory: prints_test.sh PROGRAM LINE...
set -euo pipefail
program="$1"
shift
expected="$(printf '%s\n' "$@")"
for run in 1 2; do
  printed="$("$program" "$TEST_TMPDIR/example" "$TEST_TMPDIR/backup.$run")"
  if [[ "$printed" != "$expected" ]]; then
    printf 'run %s printed:\n%s\nnot:\n%s\n' "$run" "$printed" "$expected"
    exit 1
  fi
done
