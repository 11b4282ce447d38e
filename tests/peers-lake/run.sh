#!/bin/sh
# Writes a sample file and has DuckDB and hyparquet read it. usage: run.sh SAMPLE_PROGRAM WORK_DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
cp "$here/package.json" "$here/package-lock.json" "$here/check.mjs" "$2/"
cd "$2"
cmp -s package-lock.json installed.json ||
    { npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 || { cat npm.log; exit 1; }; }
cp package-lock.json installed.json
"$1" sample.parquet sample.jsonl
node check.mjs sample.parquet sample.jsonl
