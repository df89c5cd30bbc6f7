#!/bin/bash
# All tests: unit tests and the kept inputs of the fuzz targets under sanitizers, then end-to-end tests against the release build. Ends with "N passed, N failed".
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0
part() {
    name=$1
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    p=$(grep -oE '[0-9]+ passed' "$log" | tail -n 1 | grep -oE '[0-9]+')
    f=$(grep -oE '[0-9]+ (failed|errors?)' "$log" | tail -n 2 | grep -oE '[0-9]+' | awk "{n += \$1} END {print n + 0}")
    [ "$status" -ne 0 ] && [ "${f:-0}" -eq 0 ] && f=1
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
}
make --no-print-directory -j2 all >/dev/null || { echo "0 passed, 1 failed"; exit 1; }
make --no-print-directory -j2 SAN=address,undefined unit-bins replay-bins >/dev/null || { echo "0 passed, 1 failed"; exit 1; }
part "unit tests" make --no-print-directory unit
part "inputs of the fuzz targets" make --no-print-directory replay
part "end-to-end tests" make --no-print-directory e2e
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
