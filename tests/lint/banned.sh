#!/bin/bash
# Calls that this project does without, and notes to self. Comments and texts in quotes do not count as calls.
set -u
cd "$(dirname "$0")/../.."
calls='strcpy|strcat|sprintf|vsprintf|strtok|strtok_r|sscanf|gets|atoi|atol|alloca|system|popen|rand|srand'
# memcmp on something secret tells by its duration how much is right: folders that hold secrets compare with secret_equal() and
# sodium_memcmp(). Exceptions, with what they compare:
#   auth/passwd_line.c    network addresses
memcmp_allowed='^auth/passwd_line\.c$'
code=$(mktemp)
trap 'rm -f "$code"' EXIT

find common storage imap pop3 auth lmtp worker master tests -name '*.[ch]' | sort | while read -r file; do
    gcc -fpreprocessed -dD -E -P -x c "$file" 2>/dev/null | sed -E 's/"([^"\\]|\\.)*"/""/g' >"$code"
    grep -noE "(^|[^A-Za-z0-9_>.])($calls) *\(" "$code" | sed "s|^[0-9]*:[^a-z]*|banned: $file: |"
    case $file in
    auth/* | common/secret/*)
        [[ $file =~ $memcmp_allowed ]] || grep -noE '(^|[^A-Za-z0-9_])memcmp *\(' "$code" | sed "s|^[0-9]*:[^a-z]*|banned: $file: |"
        ;;
    esac
done | { ! grep . >&2; }
calls_bad=$?

notes=$(git ls-files -co --exclude-standard -- '*.c' '*.h' '*.py' '*.sh' '*.md' '*.conf' Makefile | grep -v '^tests/lint/banned.sh$' |
    xargs -d '\n' grep -nE '\b(TODO|FIXME|XXX)\b' | sed 's/^/banned: /')
[ -n "$notes" ] && echo "$notes" >&2
[ "$calls_bad" -eq 0 ] && [ -z "$notes" ]
