#!/bin/sh
# reproducible.sh OUT - build the Debian package twice below OUT, in two folders, time zones, languages
# and umasks, and compare the two byte by byte.
set -eu
[ $# = 1 ] || { echo "usage: reproducible.sh OUT" >&2; exit 64; }
export DEB_BUILD_OPTIONS=nocheck
here=$(dirname "$0")

(umask 022 && TZ=Etc/UTC LC_ALL=C "$here/package.sh" "$1/one")
(umask 027 && TZ=Pacific/Auckland LC_ALL=C.UTF-8 "$here/package.sh" "$1/another/folder")
for deb in "$1"/one/*.deb; do
    cmp "$deb" "$1/another/folder/${deb##*/}"
    sha256sum "$deb"
done
