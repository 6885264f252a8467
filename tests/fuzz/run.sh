#!/bin/sh
# tests/fuzz/run.sh - build every fuzzer and run each for some seconds.
#
#   tests/fuzz/run.sh [SECONDS [NAME ...]]
#
# It starts from tests/fuzz/corpus/NAME; what was found interesting on the way stays in
# .cache/fuzz/corpus/NAME for the next time.  An input that broke something is named at the end of
# the output.
#
#   tests/fuzz/run.sh merge [NAME ...]
#
# adds to tests/fuzz/corpus/NAME the smallest of what was found that reach more than it does.
set -eu

cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
work=.cache/fuzz
build=$work/build
files_max=60 # of a corpus in the repository
bytes_max=4096 # of one of its files
sanitizers="-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined"
flags="-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined -D__SANITIZE_ADDRESS__=1" # the arena asks gcc's macro
packages="expat libcurl libpq libcrypto libutf8proc libzstd simdjson yaml-0.1 zlib"

build_library() {
    mkdir -p $work
    if [ ! -f $build/build.ninja ]; then
        CC=clang CXX=clang++ meson setup $build -Db_sanitize=address,undefined -Db_lundef=false \
            -Dbuildtype=debug -Doptimization=1 -Dtests=disabled \
            -Dc_args="$flags" -Dcpp_args="$flags" > $work.log 2>&1 || { cat $work.log; exit 1; }
    fi
    ninja -C $build libsluice.a > $work.log 2>&1 || { tail -40 $work.log; exit 1; }
}

build_fuzzer() {
    clang -std=gnu17 -Wall -Wextra -Werror -D_GNU_SOURCE -D__SANITIZE_ADDRESS__=1 -Isrc -g -O1 \
        $sanitizers $(pkg-config --cflags $packages) -c -o "$work/$1.o" "tests/fuzz/$1.c"
    clang++ $sanitizers -o "$work/$1" "$work/$1.o" \
        $build/libsluice.a $(pkg-config --libs $packages) -lpthread
    mkdir -p "$work/corpus/$1" $work/broken
}

fuzz() {
    echo "$1: $seconds s"
    "$work/$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        $([ -f "tests/fuzz/$1.dict" ] && echo "-dict=tests/fuzz/$1.dict") \
        -artifact_prefix="$work/broken/$1-" "$work/corpus/$1" "tests/fuzz/corpus/$1" \
        > "$work/$1.log" 2>&1 || { tail -60 "$work/$1.log"; echo "$1: broken"; exit 1; }
    grep -E 'number_of_executed_units|average_exec|new_units' "$work/$1.log" || true
    grep -E ' cov: ' "$work/$1.log" | tail -1
}

# The smallest first, as long as there is room.
merge() {
    into=$work/merged/$1
    kept=tests/fuzz/corpus/$1
    rm -rf "$into"
    mkdir -p $work/merged
    cp -r "$kept" "$into"
    "$work/$1" -merge=1 -max_len=$bytes_max "$into" "$work/corpus/$1" > "$work/$1.log" 2>&1 ||
        { tail -60 "$work/$1.log"; echo "$1: broken"; exit 1; }
    room=$((files_max - $(ls "$kept" | wc -l)))
    ls -Sr "$into" | while read -r file; do
        [ $room -gt 0 ] || break
        [ -e "$kept/$file" ] || { cp "$into/$file" "$kept" && room=$((room - 1)); }
    done
    echo "$1: $(ls "$into" | wc -l) reach all, $(ls "$kept" | wc -l) are in the corpus"
}

[ $# -gt 0 ] || set -- tests/fuzz/fuzz_*.c
build_library
for name; do
    name=$(basename "$name" .c)
    build_fuzzer "$name"
    if [ "$seconds" = merge ]; then
        merge "$name"
    else
        fuzz "$name"
    fi
done
