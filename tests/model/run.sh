#!/bin/sh
# tests/model/run.sh - let spin look for a broken promise in sluice.pml: none in the protocol as it
# is, one in each that lacks a piece.  .cache/model/NAME/story tells how it was broken.
set -eu

cd "$(dirname "$0")/../.."
model=$PWD/tests/model/sluice.pml
work=$PWD/.cache/model
failures=0

row() { printf '  %-17s %-47s %-12s %-12s %8s %8s\n' "$@"; }

# The promise of a number in sluice.pml, as what happens when it is broken.
word() {
    case $1 in
    DOUBLE | 1) echo double ;;
    LOST | 2) echo lost ;;
    ONCE | 4) echo missing ;;
    RESTS | 8) echo stuck ;;
    COUNT | 16) echo miscounted ;;
    SUMS | 32) echo sums differ ;;
    HANDLE | 64) echo stale handle ;;
    *) echo "$1" ;;
    esac
}

# What pan has found, from its report in `out`.
found() {
    if grep -q 'reached -DMEMLIM\|out of memory\|max search depth too small' out; then
        echo incomplete
    elif grep -q 'errors: 0$' out; then
        echo holds
    else
        ./pan -S -r sluice.pml.trail 2>&1 | sed '/^pan:/,$d; /^spin:/,$d' > story
        if grep -q 'non-progress cycle (at' out; then
            echo never ends
        else
            word "$(sed -n 's/^broken promise //p' story)"
        fi
    fi
}

# look NAME TEXT EXPECTED CFLAGS PAN_FLAGS MODEL_FLAGS
look() {
    mkdir -p "$work/$1"
    cd "$work/$1"
    rm -f -- *.trail story
    # shellcheck disable=SC2086
    { spin -a $6 "$model" && gcc -w -DMEMLIM=2000 $4 -o pan pan.c; } > build.log 2>&1 \
        || { cat build.log; exit 1; }
    # shellcheck disable=SC2086
    ./pan $5 > out 2>&1 || true
    found=$(found)
    row "$1" "$2" "$3" "$found" "$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' out)" \
        "$(sed -n 's/.*elapsed time \([0-9.e+-]*\) seconds/\1/p' out)"
    [ "$found" = "$3" ] || failures=$((failures + 1))
}

holds() { look "$1" "$2" holds '-O2 -DSAFETY' '' "$3"; }
breaks() { look "$1" "$2" "$(word "$3")" '-O0 -DSAFETY -DREACH' -i "-D$1 -DCHECK=$3 $4"; }
ends() { look "$1" "$2" "$3" "$4 -DNP" -l "-DCHECK=0 $5"; }

row "the protocol" "" expected found states seconds
holds faults "2 crashes, 2 lapses, 2 losses" '-DCRASHES=2 -DLAPSES=2 -DLOSSES=2'
holds refused "the same, and a row may be refused" '-DCRASHES=2 -DLAPSES=2 -DLOSSES=2 -DREFUSED=2'
holds outages "1 of each, and an abort, and one who gives up" '-DABORTS=1 -DSTOPS=1 -DREFUSED=2'
ends ends "the same: no run goes on for ever" holds -O2 '-DABORTS=1 -DSTOPS=1 -DREFUSED=2'

row "without a piece" "" expected found states seconds
breaks NO_LEDGER "no ledger" DOUBLE '-DCRASHES=0 -DLOSSES=0'
breaks ASK_FIRST "ask first which keys are new; no unique index" DOUBLE '-DCRASHES=0 -DLOSSES=0'
breaks TRIM_LEDGER "forget a key once its delete was answered" DOUBLE '-DCRASHES=0 -DLOSSES=0'
breaks LEDGER_APART "commit the ledger before the rows" LOST '-DLAPSES=0 -DLOSSES=0'
breaks ACK_BEFORE_COMMIT "delete before the commit" ONCE '-DLAPSES=0 -DLOSSES=0'
breaks UNSORTED "ledger keys in any order" RESTS '-DCRASHES=0 -DLAPSES=2 -DLOSSES=0'
breaks FORGET_REPEATS "leave repeats in a batch uncounted" COUNT '-DCRASHES=0 -DLOSSES=0'
breaks NEW_ID "a batch id for each attempt" SUMS '-DCRASHES=0 -DLAPSES=0'
breaks OURS_FIRST "ask for our keys before the insert that waits" SUMS '-DCRASHES=0 -DLAPSES=2'
breaks STALE_HANDLE "delete with the handle at hand" HANDLE '-DCRASHES=0 -DLOSSES=0'
ends KEEP_DUPLICATES "leave duplicates in the queue" "never ends" -O0 \
    '-DKEEP_DUPLICATES -DCRASHES=0 -DLOSSES=0'

[ $failures = 0 ] || { echo "$failures not as expected; see $work"; exit 1; }
