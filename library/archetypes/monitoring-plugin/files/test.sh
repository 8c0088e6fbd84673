#!/bin/sh
# Builds the check and runs the tests; `punch test` calls it.
set -eu
cd "$(dirname "$0")"
./build.sh
PYTHONDONTWRITEBYTECODE=1 exec python3 -m unittest discover --start-directory tests --verbose
