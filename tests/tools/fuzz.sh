#!/bin/bash
# Runs every fuzz target for a bounded time over its kept corpus. Arguments: folder of the targets, seconds each.
set -eu
for target in "$1"/fuzz_*; do
    name=$(basename "$target")
    corpus=tests/fuzz/corpus/$name
    work=$(mktemp -d)
    mkdir -p "$corpus"
    dict=()
    [ -f "tests/fuzz/$name.dict" ] && dict=(-dict="tests/fuzz/$name.dict")
    echo "== $name"
    "$target" -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 "${dict[@]}" "$work" "$corpus" 2>&1 | tail -n 12
    rm -rf "$work"
done
