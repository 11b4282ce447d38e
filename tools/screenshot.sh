#!/bin/sh
# Takes docs/page.png, the screenshot of the README: a call on the page at /. usage: tools/screenshot.sh BUILD_DIR
set -eu
cd "$(dirname "$0")/.."
hepcat=$1/hepcat
data=$(mktemp -d)
"$hepcat" serve --data "$data/data" --http 127.0.0.1:19080 --listen udp://127.0.0.1:19060 2>"$data/log" &
server=$!
trap 'kill $server; wait $server || true; rm -rf "$data"' EXIT
sleep 2
"$hepcat" demo --rate 10 --duration 25 --talk 5 --seed 3 --mix answered:3,busy,cancel --to udp://127.0.0.1:19060 -q
call=$("$hepcat" search --server http://127.0.0.1:19080 -q --format csv --columns call_id --limit 1 \
    'method:BYE status:200 proto:udp src:198.0.0.0/8,192.0.0.0/8' | tail -1 | tr -d '"\r')
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$data/profile" \
    --window-size=1280,800 --virtual-time-budget=5000 --screenshot="$PWD/docs/page.png" \
    "http://127.0.0.1:19080/?span=15m&q=method:INVITE%20NOT%20status:%3F&call=$call" 2>/dev/null
ls -l docs/page.png
