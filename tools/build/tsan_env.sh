#!/bin/sh
# Runs a test, and what it starts, with the thread sanitizer's options.
options=halt_on_error=0:second_deadlock_stack=1:ignore_noninstrumented_modules=1
export TSAN_OPTIONS="$options:suppressions=$PWD/tools/build/tsan.supp"
exec "$@"
