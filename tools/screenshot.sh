#!/bin/sh
# Takes the pictures of docs/ui/ with made-up calls. usage: tools/screenshot.sh BUILD_DIR
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
hepcat=$build/hepcat
data=$(mktemp -d)
"$hepcat" serve --data "$data/data" --http 127.0.0.1:19080 --listen udp://127.0.0.1:19060 2>"$data/log" &
server=$!
demo=
trap 'kill $server $demo; wait; rm -rf "$data"' EXIT
sleep 2
"$hepcat" demo --rate 6 --duration 150 --talk 35 --seed 3 --to udp://127.0.0.1:19060 -q
"$hepcat" demo --rate 6 --talk 35 --seed 4 --to udp://127.0.0.1:19060 -q &
demo=$!
WEB=$build/web node tests/e2e/web/shots.mjs http://127.0.0.1:19080 docs/ui
ls -l docs/ui
