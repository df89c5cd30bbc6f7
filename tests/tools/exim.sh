#!/bin/bash
# Exim for the tests, unpacked and not installed: Debian's Exim and Postfix exclude each other. $1: the folder; what is there stays. Takes
# the libraries along that are missing on this machine. Without it (no network, no such package) the tests that need it are skipped.
set -u
folder=$1
[ -e "$folder/done" ] && exit 0
mkdir -p "$folder/packages"
cd "$folder/packages" || exit 1
packages=$(apt-get install -s --no-install-recommends exim4-daemon-heavy 2>/dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
if [ -z "$packages" ] || ! apt-get -q -o APT::Sandbox::User="$(id -un)" download $packages >../log 2>&1; then
    echo "Exim cannot be had: tests with it are skipped"
    exit 0
fi
for package in *.deb; do
    dpkg -x "$package" .. || exit 1
done
rm -f ./*.deb
# Else it would not look for its libraries here.
chmod u-s ../usr/sbin/exim4 || exit 1
touch ../done
