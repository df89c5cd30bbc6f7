#!/bin/bash
# clang-tidy with the checks of .clang-tidy over every C file, two at a time. A file that was good is not looked at again until what
# the compiler sees of it, the checks or clang-tidy itself change. Arguments: the files (none: all).
set -u
cd "$(dirname "$0")/../.."
good=${B:-build}/tidy
mkdir -p "$good"
flags="-std=c11 -D_GNU_SOURCE -I. -DCULVER_SANITIZED=0 $(pkg-config --cflags libpq 2>/dev/null)"
for name in VERSION LIBEXECDIR SYSCONFDIR STATEDIR RUNDIR; do
    flags+=" -DCULVER_$name=\"/tidy\""
done
base=$({ clang-tidy --version; cat .clang-tidy tests/.clang-tidy tests/lint/tidy.sh; } | sha256sum)
one() {
    sum=$({ echo "$2"; clang -E -P $3 "$1"; } | sha256sum)
    stamp=$4/${sum%% *}
    [ -e "$stamp" ] && exit 0
    out=$(clang-tidy --quiet "$1" -- $3 2>/dev/null) && : >"$stamp" && exit 0
    echo "$out"
    exit 1
}
export -f one
[ $# -gt 0 ] || set -- $(find common storage imap pop3 auth lmtp worker master tests -name '*.c' | sort)
printf '%s\n' "$@" | xargs -P 2 -I{} bash -c 'one "$@"' one {} "$base" "$flags" "$good" >&2
