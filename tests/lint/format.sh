#!/bin/bash
# Every C file is as clang-format leaves it. `make format` rewrites those that are not.
set -u
cd "$(dirname "$0")/../.."
folders="common storage imap pop3 auth lmtp worker master tests"
bad=$(find $folders -name '*.[ch]' -print0 | sort -z | xargs -0 -n 40 -P 2 clang-format --dry-run -Werror 2>&1 | grep -oE '^[^ :]+\.[ch]:[0-9]+' |
    awk -F: '!seen[$1]++ { print "format: " $1 ":" $2 ": not as clang-format has it" }')
[ -z "$bad" ] && exit 0
echo "$bad" >&2
exit 1
