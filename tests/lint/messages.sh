#!/bin/sh
# Every message kind stands exactly once as a row of docs/processes.md, in the table of proto.c and (when it has a body) in the list
# of codecs that the tests and the fuzzer use; both tables agree on what is wiped; and the document names no kind that does not
# exist.
set -eu
cd "$(dirname "$0")/../.."
bad=0
fail()
{
    echo "messages: $*" >&2
    bad=1
}

kinds=$(sed -n '/^enum ipc_kind {/,/^};/p' common/ipc/kinds.h | grep -o 'IPC_[A-Z_]*' | grep -v '^IPC_KIND_COUNT$' | sort -u)
[ -n "$kinds" ] || fail "no kinds found in common/ipc/kinds.h"
# One row of the table a line, however it is broken.
rows=$(tr -s '\n ' '  ' < common/ipc/proto.c | sed 's/ROW(/\n&/g')

for kind in $kinds; do
    n=$(grep -c "^| \`$kind\`" docs/processes.md || true)
    [ "$n" = 1 ] || fail "$kind has $n rows in docs/processes.md"
    row=$(echo "$rows" | grep "^ROW($kind," || true)
    [ -n "$row" ] || fail "$kind is missing in common/ipc/proto.c"
    case $row in
    *", 0, 0, "[0-9]", "*) ;;
    *) grep -q "\[$kind\]" tests/fuzz/proto_codecs.h || fail "$kind is missing in tests/fuzz/proto_codecs.h" ;;
    esac
    wiped=no
    case $row in *", true)"*) wiped=yes ;; esac
    marked=no
    if grep -q "^| \`$kind\` (wiped)" docs/processes.md; then marked=yes; fi
    [ "$wiped" = "$marked" ] || fail "$kind: wiped is $wiped in common/ipc/proto.c and $marked in docs/processes.md"
done
for kind in $(grep -o 'IPC_[A-Z_]*' docs/processes.md | sort -u); do
    echo "$kinds" | grep -qx "$kind" || fail "docs/processes.md names $kind, which does not exist"
done
exit $bad
