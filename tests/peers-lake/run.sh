#!/bin/sh
# Writes sample files and has DuckDB and hyparquet read them. usage: run.sh PARQUET_SAMPLE LAKE_SAMPLE WORK_DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$3"
cp "$here/package.json" "$here/package-lock.json" "$here/check.mjs" "$here/check_lake.mjs" "$3/"
cd "$3"
cmp -s package-lock.json installed.json ||
    { npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 || { cat npm.log; exit 1; }; }
cp package-lock.json installed.json
"$1" sample.parquet sample.jsonl
node check.mjs sample.parquet sample.jsonl
rm -rf data
"$2" .
node check_lake.mjs sip.jsonl media.jsonl log.jsonl other.jsonl
