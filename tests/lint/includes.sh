#!/bin/bash
# The directions in which folders may include each other. A header that is private (named *_int.h, or including one that is) is
# for its own folder, and for the tests of that component.
set -u
cd "$(dirname "$0")/../.."

# Folders that the file $1 may include from, as a pattern.
allowed() {
    case $1 in
    common/*) echo 'common' ;;
    storage/message/*) echo 'storage/message|common' ;;
    storage/*) echo 'storage|common' ;;
    imap/login* | pop3/login*) echo "${1%%/*}/login|common" ;;
    imap/* | pop3/*) echo "${1%%/*}|storage|common" ;;
    worker/*) echo 'worker|imap|pop3|storage|common' ;;
    auth/* | lmtp/* | master/*) echo "${1%%/*}|common" ;;
    tests/*) echo '.' ;;
    esac
}

private=" $(grep -lE '^ *# *include "[^"]*_int\.h"' -r --include='*.h' common storage imap pop3 auth lmtp worker master | tr '\n' ' ') "
find common storage imap pop3 auth lmtp worker master tests -name '*.[ch]' | sort | while read -r file; do
    pattern=$(allowed "$file")
    grep -nE '^ *# *include "' "$file" | sed -E 's/^([0-9]+):[^"]*"([^"]*)".*/\1 \2/' | while read -r line header; do
        where="includes: $file:$line: $header"
        [ -e "$header" ] || [[ $file == tests/* && -e $(dirname "$file")/$header ]] || { echo "$where does not exist (paths begin at the root)"; continue; }
        [[ $header =~ ^($pattern) ]] || echo "$where is in a direction that is not allowed"
        [[ $header == *_int.h || $private == *" $header "* ]] || continue
        [ "$(dirname "$header")" = "$(dirname "$file")" ] && continue
        [[ $file == tests/fuzz/* || $file == tests/sim/* || $file == tests/unit/"${header%%/*}"/* ]] || echo "$where is private to its folder"
    done
done | { ! grep . >&2; }
