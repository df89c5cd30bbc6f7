#!/bin/bash
# Links between the documents lead to files that are there.
set -u
cd "$(dirname "$0")/../.."
for page in README.md docs/*.md; do
    grep -noE '\]\([^)#]+' "$page" | sed -E 's/^([0-9]+):\]\(/\1 /' | while read -r line target; do
        [[ $target == *://* ]] && continue
        [ -e "$(dirname "$page")/$target" ] || echo "links: $page:$line: $target does not exist"
    done
done | { ! grep . >&2; }
