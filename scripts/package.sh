#!/bin/sh
# package.sh OUT - build the Debian package of what git has here; OUT has it afterwards, and build.log.
set -eu
[ $# = 1 ] || { echo "usage: package.sh OUT" >&2; exit 64; }
cd "$(dirname "$0")/.."

tree=$1/sluice-$(dpkg-parsechangelog --show-field Version)
rm -rf "$1"
mkdir -p "$tree"
git ls-files -z | tar --create --null --files-from - | tar --extract --directory "$tree"
mkdir -p "$tree/.cache"
cp -r .cache/uplot "$tree/.cache/uplot" # scripts/fetch_uplot.sh; the build itself asks nobody
cd "$tree"
dpkg-buildpackage --build=binary --unsigned-changes > ../build.log 2>&1 || { tail -n 30 ../build.log; exit 1; }
