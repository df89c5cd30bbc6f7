#!/bin/bash
# Runs the unit test programs below a build variant, two at a time, and ends with "N passed, N failed" over all test cases.
set -u
build=$1
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
find tests/unit -name 'test_*.c' | sort | sed 's/\.c$//' |
    xargs -P 2 -I{} sh -c '"$1/$2" >"$3/$(echo "$2" | tr / _)" 2>&1; echo "exit $?" >>"$3/$(echo "$2" | tr / _)"' sh "$build" {} "$logs"
passed=0 failed=0
for log in "$logs"/*; do
    p=$(grep -c '^\[ *OK *\]' "$log")
    f=$(grep -c '^\[ *FAILED *\] [^0-9]*$' "$log")
    status=$(tail -n 1 "$log")
    if [ "$status" != "exit 0" ]; then
        [ "$f" -eq 0 ] && f=1
        echo "--- $(basename "$log") ($status)"
        tail -n 60 "$log"
    fi
    passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
