#!/usr/bin/env bash
# Builds libhep alone, installs it into a folder, and builds the examples against it in three ways: pkg-config, CMake
# package, C++ include. Checks what the shared library shows to the outside. usage: tests/install.sh WORK_DIR
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$1
rm -rf "$work"
mkdir -p "$work"
cd "$work"

cmake -S "$root" -B build -DHEP_ONLY=ON -DHEP_ZLIB=OFF -DHEP_TESTS=OFF -DCMAKE_INSTALL_PREFIX="$work/prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib >/dev/null
cmake --build build >build.log 2>&1 || { cat build.log; exit 1; }
cmake --install build >/dev/null

# libc is all it needs, hep_ is all it shows, and the SONAME carries the major version.
readelf -d prefix/lib/libhep.so | grep -q 'SONAME.*libhep\.so\.0\]'
needed=$(readelf -d prefix/lib/libhep.so | grep NEEDED | grep -v 'libc\.so' || true)
[ -z "$needed" ] || { echo "libhep needs more than libc: $needed"; exit 1; }
foreign=$(nm -D --defined-only prefix/lib/libhep.so | awk '{print $3}' | grep -v '^hep_' || true)
[ -z "$foreign" ] || { echo "libhep shows: $foreign"; exit 1; }

export PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig LD_LIBRARY_PATH=$work/prefix/lib
for name in encode decode; do
    # shellcheck disable=SC2046 -- words are meant
    cc -std=c11 -Wall -Wextra -Werror -o "$name" "$root/examples/$name.c" $(pkg-config --cflags --libs hep)
done
./encode | ./decode | diff "$root/examples/expected.txt" -

mkdir user
cat >user/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.22)
project(user LANGUAGES C)
find_package(hep 0.1 REQUIRED)
add_executable(decode decode.c)
target_link_libraries(decode hep::hep_shared)
END
cp "$root/examples/decode.c" user/
cmake -S user -B user/build -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build user/build >user.log 2>&1 || { cat user.log; exit 1; }
./encode | user/build/decode | diff "$root/examples/expected.txt" -

# A C++ program can include the header.
if command -v c++ >/dev/null; then
    printf '#include <hep/hep.h>\nint main() { return hep_strerror(0) == nullptr; }\n' >cxx.cc
    # shellcheck disable=SC2046
    c++ -Wall -Wextra -Werror -o cxx cxx.cc $(pkg-config --cflags --libs hep)
    ./cxx
fi
echo "installed library works"
