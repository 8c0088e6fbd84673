#!/bin/sh
# Runs the tests; `punch test` calls it.
set -eu
cd "$(dirname "$0")"
PYTHONDONTWRITEBYTECODE=1 exec python3 -m unittest discover --start-directory tests --verbose
