#!/bin/bash
# End-to-end tests: the real processes and real clients. First argument: the folder with the programs; the rest goes to pytest.
set -eu
export CULVER_BIN=$1
shift
exec /usr/bin/python3 -m pytest -q -p no:cacheprovider --timeout 120 tests/e2e "$@"
