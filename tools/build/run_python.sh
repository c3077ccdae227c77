#!/bin/sh
# Runs a Python script with Debian's own interpreter: run_python.sh SCRIPT [ARG...]
exec /usr/bin/python3 "$@"
