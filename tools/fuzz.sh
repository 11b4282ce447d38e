#!/usr/bin/env bash
# Runs every libFuzzer target for a while on its corpus; what is found stays in BUILD_DIR/corpus. usage: tools/fuzz.sh BUILD_DIR SECONDS [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
seconds=$2
shift 2
cmake -S . -B "$build" -DCMAKE_C_COMPILER=clang -DHEP_FUZZ=ON -DHEP_TESTS=OFF >/dev/null
cmake --build "$build" -j"$(nproc)" >"$build/build.log" 2>&1 || { tail -40 "$build/build.log"; exit 1; }
[ $# -gt 0 ] || set -- $(cd fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
for target in "$@"; do
    work=$build/corpus/$target
    mkdir -p "$work"
    echo "== $target"
    "$build/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$build/$target-" "$work" "fuzz/corpus/$target" 2>"$build/$target.log" ||
        { tail -40 "$build/$target.log"; exit 1; }
    grep -E 'stat::number_of_executed_units|stat::peak_rss_mb' "$build/$target.log"
done
