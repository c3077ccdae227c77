#!/bin/bash
# The embedded example says what the README says it does, also on the second
# run over the same directory.
set -euo pipefail
directory="$TEST_TMPDIR/example"
for run in 1 2; do
  printed="$("$1" "$directory")"
  expected="now      red
before   blue
swapped  yes"
  if [[ "$printed" != "$expected" ]]; then
    printf 'run %s printed:\n%s\nnot:\n%s\n' "$run" "$printed" "$expected"
    exit 1
  fi
done
