#!/bin/sh
# Writes what clang-tidy finds: run_tidy.sh REPORT SOURCE FLAG...
# A finding is no failure here, so that one run reports all files.
report=$1 source=$2
shift 2
clang-tidy --quiet "$source" -- "$@" >"$report" 2>"$report.err"
code=$?
# A failure that explains itself nowhere else.
if [ $code -ne 0 ] && ! [ -s "$report" ]; then
  { echo "$source: clang-tidy ended with $code"; cat "$report.err"; } >"$report"
fi
# The sandbox is gone when this is read: name files from the root of the tree.
sed -i "s|$PWD/||; s|^\./||" "$report"
rm -f "$report.err"
