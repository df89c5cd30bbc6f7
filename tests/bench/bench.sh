#!/bin/bash
# `make bench`: measures Culver and a private Dovecot side by side. First argument: the folder with the programs; the rest goes to
# bench.py (--help). Figures only mean something on a quiet machine and on the disk that the mail will be on: --dir.
set -eu
export CULVER_BIN=$1
shift
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$(dirname "$0")/bench.py" "$@"
