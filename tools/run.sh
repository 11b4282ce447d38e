#!/bin/sh
# make run: the server on ./data, and made-up calls for it (DEMO=0: without). Ctrl-C ends both.
set -eu
build=$1
data=${DATA:-./data}
http=${HTTP:-127.0.0.1:9080}
rate=${RATE:-5}

"$build/hepcat" serve --data "$data" --http "$http" &
server=$!
demo=
trap 'kill $demo $server 2>/dev/null || true; wait $server; exit $?' INT TERM

i=0
until curl -fs "http://$http/ready" >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || { wait "$server"; exit $?; }
    i=$((i + 1))
    [ "$i" -lt 150 ] || { echo "the server does not become ready" >&2; kill "$server"; exit 1; }
    sleep 0.2
done
if [ "${DEMO:-1}" != 0 ]; then
    "$build/hepcat" demo --quiet --rate "$rate" --to udp://127.0.0.1:9060 &
    demo=$!
fi
cat <<TEXT

  hepcat keeps what arrives on UDP and TCP port 9060 in $data${demo:+; $rate made-up calls a second arrive}.

    $build/hepcat search                                  what arrived last
    $build/hepcat search 'method:INVITE status:486'       busy calls
    $build/hepcat search 'from:+1555*' --from -5m --count how many of a number
    $build/hepcat flow CALL-ID                            a call as a ladder
    $build/hepcat tail 'status:>=400'                     errors as they come
    http://$http/                                a page: search, live, calls as ladders

  Send your own: docs/senders.md has the lines for Kamailio, OpenSIPS, Asterisk, FreeSWITCH, rtpengine, heplify.
  Ctrl-C ends it.

TEXT
wait "$server"
