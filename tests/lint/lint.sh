#!/bin/bash
# Entry of `make lint`: runs every other script of this folder, all of them even when one fails. Arguments: names of single ones
# (format, tidy, includes, banned, sizes, messages ...).
set -u
cd "$(dirname "$0")/../.."
checks=("$@")
if [ $# -eq 0 ]; then
    for script in tests/lint/*.sh; do
        name=$(basename "$script" .sh)
        [ "$name" = lint ] || checks+=("$name")
    done
fi
failed=()
for name in "${checks[@]}"; do
    begin=$SECONDS
    if bash "tests/lint/$name.sh"; then
        echo "lint: $name: good ($((SECONDS - begin)) s)"
    else
        failed+=("$name")
        echo "lint: $name: FAILED"
    fi
done
[ ${#failed[@]} -eq 0 ] && exit 0
echo "lint: failed: ${failed[*]}"
exit 1
