#!/bin/bash
# Runs every fuzz target of a build variant over its kept inputs, two at a time, and ends with "N passed, N failed" over the targets.
set -u
build=$1
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
find tests/fuzz -name 'fuzz_*.c' | sort | sed 's,.*/,,; s/\.c$//' |
    xargs -P 2 -I{} sh -c '"$1/tests/fuzz/$2" "tests/fuzz/corpus/$2" >"$3/$2" 2>&1; echo "exit $?" >>"$3/$2"' sh "$build" {} "$logs"
passed=0 failed=0
for log in "$logs"/*; do
    if [ "$(tail -n 1 "$log")" = "exit 0" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "--- $(basename "$log")"
        tail -n 60 "$log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
