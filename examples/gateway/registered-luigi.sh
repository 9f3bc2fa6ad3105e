#!/usr/bin/env bash
# Runs stock Luigi on a machine that is not the gateway's: registers it there, so that luigid knows whose it is, runs the command,
# ends the registration, and ends as the command did. docs/gateway/luigid-rollout.md
#
#   PLUMBLINE_GATEWAY=https://plumbline.example.com PLUMBLINE_TOKEN_FILE=/run/sales/token \
#     ./registered-luigi.sh sales-nightly sales_nightly sales.Nightly  luigi --module sales_nightly sales.Nightly --day 2026-11-21
#
# Role, module and task for the gateway's decision; the rest is the command. luigi.cfg says
#   [core]
#   default_scheduler_url=${PLUMBLINE_SCHEDULER_URL}
#   [worker]
#   id=${PLUMBLINE_WORKER_ID}
# PLUMBLINE_END_TOKEN_FILE: the token for the end, where a token is good for one request. PLUMBLINE_LIFETIME_MS: for how long;
# without it as long as the role allows. Needs bash, curl and python3.
set -euo pipefail

: "${PLUMBLINE_GATEWAY:?is missing: the address of the gateway}"
: "${PLUMBLINE_TOKEN_FILE:?is missing: a file with a token of this machine or job}"
if (($# < 4)); then
  echo 'usage: registered-luigi.sh ROLE MODULE TASK COMMAND…' >&2
  exit 64
fi

# call TOKEN-FILE CURL-ARGUMENTS…: no token is ever an argument of a process.
call() {
  local token
  token=$(<"$1") || return
  shift
  curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused --max-time 60 \
    --header @<(printf 'Authorization: Bearer %s\n' "$token") "$@"
}

body=$(python3 -c '
import json, sys
role, module, task, lifetime = sys.argv[1:]
print(json.dumps({"role": role, "module": module, "task": task, **({"lifetimeMs": int(lifetime)} if lifetime else {})}))
' "$1" "$2" "$3" "${PLUMBLINE_LIFETIME_MS:-}")
shift 3

# A key of its own for each start: the same key would be the same worker.
key=$(python3 -c 'import uuid; print(uuid.uuid4())')
answer=$(call "$PLUMBLINE_TOKEN_FILE" --header "Idempotency-Key: $key" --header 'Content-Type: application/json' \
  --data "$body" "$PLUMBLINE_GATEWAY/v1/luigid/workers") || {
  printf 'The gateway did not register this worker: %s\n' "$answer" >&2
  exit 1
}
{ read -r PLUMBLINE_SCHEDULER_URL && read -r PLUMBLINE_WORKER_ID; } < <(printf %s "$answer" | python3 -c '
import json, sys
answer = json.load(sys.stdin)
print(answer["schedulerUrl"], answer["workerId"], sep="\n")
')
export PLUMBLINE_SCHEDULER_URL PLUMBLINE_WORKER_ID

end() {
  call "${PLUMBLINE_END_TOKEN_FILE:-$PLUMBLINE_TOKEN_FILE}" --request DELETE "$PLUMBLINE_GATEWAY/v1/luigid/workers/$PLUMBLINE_WORKER_ID" >/dev/null || {
    echo "The registration of $PLUMBLINE_WORKER_ID could not be ended: it ends by itself when its time is over." >&2
    [[ -n ${PLUMBLINE_END_TOKEN_FILE:-} ]] ||
      echo 'Where a token is good for one request, name a second one in PLUMBLINE_END_TOKEN_FILE.' >&2
  }
}
trap end EXIT

"$@" &
child=$!
interrupted=yes
trap 'interrupted=yes; kill -TERM "$child" 2>/dev/null || true' INT TERM HUP
while [[ $interrupted == yes ]]; do
  interrupted=no
  status=0
  wait "$child" || status=$?
done
exit "$status"
