#!/bin/sh
# fetch_uplot.sh - get uPlot, which draws the console's charts, into .cache/uplot: by version, and by the
# hash that src/console/package-lock.json has.  Once; the build takes it from there and asks nobody.
set -eu
cd "$(dirname "$0")/.."
new=.cache/uplot.new

rm -rf $new
mkdir -p $new
cp src/console/package.json src/console/package-lock.json $new
(cd $new && npm ci --ignore-scripts --no-progress --loglevel=error > /dev/null)
rm -rf .cache/uplot
mv $new .cache/uplot
