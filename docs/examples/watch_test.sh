#!/bin/bash
# The watching example prints what happened, also on the second run over the same
# directory.
set -euo pipefail
directory="$TEST_TMPDIR/example"
for run in 1 2; do
  printed="$("$1" "$directory")"
  expected="put pet/cat asleep
put pet/cat awake (was asleep)
delete pet/cat (was awake)"
  if [[ "$printed" != "$expected" ]]; then
    printf 'run %s printed:\n%s\nnot:\n%s\n' "$run" "$printed" "$expected"
    exit 1
  fi
done
