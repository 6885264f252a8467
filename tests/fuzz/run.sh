#!/bin/sh
# tests/fuzz/run.sh - build every fuzzer and run each for some seconds.
#
#   tests/fuzz/run.sh [SECONDS [NAME ...]]
#
# What was found interesting stays in .cache/fuzz/corpus/NAME for the next time; an input that
# broke something is named at the end of the output.
set -eu

cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
work=.cache/fuzz
build=$work/build
flags="-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined -D__SANITIZE_ADDRESS__=1" # the arena asks gcc's macro
packages="libcurl libpq libcrypto libutf8proc simdjson yaml-0.1"

if [ ! -f $build/build.ninja ]; then
    CC=clang CXX=clang++ meson setup $build -Db_sanitize=address,undefined -Db_lundef=false \
        -Dbuildtype=debug -Doptimization=1 -Dtests=disabled \
        -Dc_args="$flags" -Dcpp_args="$flags" > $work.log 2>&1 || { cat $work.log; exit 1; }
fi
ninja -C $build libsluice.a > $work.log 2>&1 || { tail -40 $work.log; exit 1; }

[ $# -gt 0 ] || set -- tests/fuzz/fuzz_*.c
for name; do
    name=$(basename "$name" .c)
    clang -std=gnu17 -Wall -Wextra -Werror -D_GNU_SOURCE -D__SANITIZE_ADDRESS__=1 -Isrc -g -O1 \
        -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        -c -o "$work/$name.o" "tests/fuzz/$name.c"
    clang++ -fsanitize=fuzzer,address,undefined -o "$work/$name" "$work/$name.o" \
        $build/libsluice.a $(pkg-config --libs $packages) -lpthread
    mkdir -p "$work/corpus/$name" $work/broken
    echo "$name: $seconds s"
    "$work/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="$work/broken/$name-" "$work/corpus/$name" \
        $([ -d "tests/fuzz/seeds/$name" ] && echo "tests/fuzz/seeds/$name") > "$work/$name.log" 2>&1 ||
        { tail -60 "$work/$name.log"; echo "$name: broken"; exit 1; }
    grep -E 'number_of_executed_units|average_exec|new_units' "$work/$name.log" || true
done
