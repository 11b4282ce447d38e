#!/bin/sh
# Compares our declarations of DuckDB's C API with DuckDB's own header, out of the npm package `duckdb`; 1.4.4 is its
# last version, and the C API only grows. usage: run.sh WORK_DIR
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
package=duckdb-1.4.4
sum=5bb967dcbcd517670ba5f169f238fb9d6787e53752c60ebe24386169d76941ed
mkdir -p "$1"
cd "$1"
if ! echo "$sum  $package.tgz" | sha256sum --check --status 2>/dev/null; then
    npm pack --silent "duckdb@${package#duckdb-}" >npm.log 2>&1 || { cat npm.log; exit 1; }
    echo "$sum  $package.tgz" | sha256sum --check --status || { echo "$package.tgz: another file than before"; exit 1; }
fi
tar xzf "$package.tgz" --strip-components=5 package/src/duckdb/src/include/duckdb.h
common="-std=c11 -D_GNU_SOURCE -Wall -I$root/src -I$root/lib -I$root/include"
# shellcheck disable=SC2086 -- words are meant
cc $common -o ours "$root/tests/duckdb-h/compare.c"
# shellcheck disable=SC2086
cc $common -DTHEIRS -I. -o theirs "$root/tests/duckdb-h/compare.c"
./ours >ours.txt
./theirs >theirs.txt
diff ours.txt theirs.txt
echo "$(wc -l <ours.txt) facts and the types of all functions are the same"
