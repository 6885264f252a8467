#!/bin/sh
# tests/postgres/matrix.sh - what loads, remembers, keeps bad messages and recovers, on each server.
#
#   tests/postgres/matrix.sh [MAJOR ...]      all of tests/postgres/versions, and the machine's own
#
# SLUICE_BIN is the program, WORKERS how many tests run side by side.
set -u

cd "$(dirname "$0")/../.."
suites="sample golden tables refused once dedup upkeep schema add_columns dead rewrap sql_recovery"
work=.cache/postgres

run() {
    # shellcheck disable=SC2086 # words
    .cache/venv/bin/python -m pytest -n "${WORKERS:-2}" -q $(printf 'tests/e2e/test_%s.py ' $suites) \
        > "$work/$1.log" 2>&1
    code=$?
    sed -n 's/^SKIPPED \[\(.*\)\] tests.*[0-9]: \(.*\) takes/  not run: \1 of \2, which take/p; s/^FAILED/  FAILED/p; s/^ERROR/  ERROR/p' "$work/$1.log"
    echo "PostgreSQL $2: $(tail -1 "$work/$1.log")"
    return $code
}

failed=0
for major in ${*:-$(grep -v '^#' tests/postgres/versions | cut -d. -f1) own}; do
    if [ "$major" = own ]; then
        run own "$(psql --version | sed 's/[^0-9]*\([0-9.]*\).*/\1/') (this machine's)" || failed=1
    else
        SLUICE_PG_BIN=$PWD/$work/$major/bin run "$major" "$(cat "$work/$major/version")" || failed=1
    fi
done
exit $failed
