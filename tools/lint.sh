#!/usr/bin/env bash
# Warnings as errors on gcc and clang, clang-format, clang-tidy, cppcheck, layers, banned calls.
# usage: tools/lint.sh BUILD_DIR
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
jobs=$(nproc)
failed=0

step() {
    echo "== $1"
    shift
    "$@" || { failed=1; echo "   failed"; }
}

compile() { # compiler
    cmake -S . -B "$build/$1" -DCMAKE_C_COMPILER="$1" -DHEP_WERROR=ON >/dev/null &&
        cmake --build "$build/$1" -j"$jobs" >"$build/$1.log" 2>&1 || { tail -40 "$build/$1.log"; return 1; }
}

formatted() {
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
}

tidy() {
    git ls-files 'lib/*.c' 'src/*.c' | xargs -P"$jobs" -n4 clang-tidy --quiet -p "$build/clang" 2>/dev/null
}

check() {
    # Paths that do not exist on every machine are not looked for: libc and the libraries are modelled well enough.
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --suppressions-list=tools/cppcheck.txt -Iinclude -Ilib -Isrc -j"$jobs" lib src
}

# Calls without bounds or without a way to tell an error, and allocation on the stack.
banned() {
    ! git grep -nwE '(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|alloca|sscanf)[[:space:]]*\(' -- \
        'lib/*.[ch]' 'src/*.[ch]' 'include/*.h'
}

mkdir -p "$build"
step "gcc, warnings are errors" compile gcc
step "clang, warnings are errors" compile clang
step "clang-format" formatted
step "layers" tools/check-layers
step "banned calls" banned
step "cppcheck" check
step "clang-tidy" tidy
exit $failed
