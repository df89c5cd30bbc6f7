#!/bin/bash
# Turns the commands of `make -B -n` (standard input) into compile_commands.json (standard output).
set -eu
dir=$(pwd)
echo '['
sep=
while read -r line; do
    case $line in
    *' -c -o '*.c) ;;
    *) continue ;;
    esac
    file=${line##* }
    printf '%s{"directory": "%s", "file": "%s", "command": "%s"}' "$sep" "$dir" "$file" "$(printf '%s' "$line" | sed 's/\\/\\\\/g; s/"/\\"/g')"
    sep=$',\n'
done
echo ']'
