#!/bin/sh
# Installs what is missing on Debian 12 (or newer): tools/install-deps.sh [build] [test] [lint] [fuzz]
# Does nothing, and needs no root, where everything is there already.
set -eu

build="gcc make cmake pkg-config libc6-dev zlib1g-dev libuv1-dev libmicrohttpd-dev libgnutls28-dev
libcurl4-gnutls-dev libpcap-dev libyaml-dev libjansson-dev libxxhash-dev libpcre2-dev
libzstd-dev curl"
test="libcmocka-dev python3 python3-jsonschema python3-yaml gnutls-bin zsh fish groff-base chromium sngrep tshark kamailio sip-tester rtpengine-daemon procps time"
lint="clang clang-format clang-tidy cppcheck python3 libcmocka-dev"
fuzz="clang llvm libclang-rt-14-dev"

[ $# -gt 0 ] || set -- build
wanted=""
for group in "$@"; do
    case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    lint) wanted="$wanted $lint" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    *) echo "usage: $0 [build] [test] [lint] [fuzz]" >&2; exit 2 ;;
    esac
done

missing=""
for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -q '^installed$' || missing="$missing $package"
done
# DuckDB's library comes by npm, hep-js, a peer in the tests, wants Node; any installation of them will do.
case " $* " in
*" build "* | *" test "*) command -v node >/dev/null && command -v npm >/dev/null || missing="$missing nodejs npm" ;;
esac
[ -n "$missing" ] || exit 0

sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086 -- a list of words is meant
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
