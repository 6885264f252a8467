#!/bin/sh
# build.sh ROOT - build a release of sluice and put what the image holds of our own below ROOT.
#
# The first stage of the Dockerfile runs it; it runs without Docker as well.
set -eu
[ $# = 1 ] || { echo "usage: build.sh ROOT" >&2; exit 64; }
mkdir -p "$1"
root=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
[ -f .cache/uplot/node_modules/uplot/LICENSE ] || scripts/fetch_uplot.sh
meson setup "$build" --buildtype=release --prefix=/usr/local -Dtests=disabled
ninja -C "$build" sluice
meson install -C "$build" --no-rebuild --tags runtime --strip --destdir "$root"

install -m 0755 deploy/docker/keys.sh "$root/usr/local/bin/sluice-keys"
install -m 0755 deploy/docker/health.sh "$root/usr/local/bin/sluice-health"
