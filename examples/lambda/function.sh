#!/bin/sh
# One invocation: the API gateway's event on standard input, its answer on standard output.
# The JSON lines go to HEPCAT_OUT, a file or a pipe to analytics; HEP_AUTH_KEY is the key that senders must show.
set -eu

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if hepcat decode ${HEP_AUTH_KEY:+--auth-key "$HEP_AUTH_KEY"} - >>"$HEPCAT_OUT" 2>"$log"; then
    printf '{"statusCode":200,"body":"OK"}\n'
else
    cat "$log" >&2
    printf '{"statusCode":400,"body":"bad HEP"}\n'
fi
