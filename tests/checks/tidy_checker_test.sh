#!/bin/sh
# The tidy test of a file with a fault fails, and names the fault.
if said=$("$1"); then
  echo "passed in spite of the fault: $said"
  exit 1
fi
echo "$said"
echo "$said" | grep -q "planted_fault.cc:7:.*bugprone-use-after-move"
