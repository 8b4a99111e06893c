# Sourced by what compares with a peer on the same PostgreSQL: starts a ledger on a new embedded one, with a
# database of the peer's beside, and gives $url, $operator, $database_port, ask and compare. What it
# started ends with the shell.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
peers=$root/ops/bench/peers
work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

# Until that succeeds, two minutes at most.
await() {
  for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  echo "not so after two minutes: $*" >&2
  tail -n 30 "$work"/*.log >&2
  exit 1
}

"$root/ops/bin/ledger" serve --http-bind 127.0.0.1:0 --data-dir "$work/data" >"$work/out" 2>"$work/ledger.log" &
pids=($!)
await grep -q '^ledger ready' "$work/out"
url=$(sed -n 's/^ledger ready on //p' "$work/out")
operator=$("$root/ops/bin/ledger" create token --admin --host "$url" | sed -n 's/^Token: //p')
database_port=$(sed -n 4p "$work/data/postgres/postmaster.pid")
"$root/ops/examples/superuser" "$work/data" "CREATE ROLE peer LOGIN PASSWORD 'peer'" \
  "CREATE DATABASE peer OWNER peer" >/dev/null
port=$((20000 + RANDOM % 10000))

# Sends one request over and over: ask SECONDS SCRIPT URL -- ARGUMENTS; says how many a second, and how many wrong.
ask() { wrk -t2 -c16 -d"$1"s --timeout 10s -s "$peers/$2" "${@:3}" | sed -n 's/^RESULT //p'; }

# Two functions in turn, each of which takes seconds: compare WHAT OURS THEIRS GOAL.
compare() {
  "$2" "$warm" >/dev/null
  "$3" "$warm" >/dev/null
  : >"$work/ratios"
  for round in $(seq "$rounds"); do
    read -r mine wrong < <("$2" "$seconds")
    read -r other refused < <("$3" "$seconds")
    ratio=$(awk "BEGIN { printf \"%.2f\", $mine / $other }")
    echo "$1, round $round: ledger $mine/s ($wrong wrong), peer $other/s ($refused wrong), ratio $ratio"
    echo "$ratio" >>"$work/ratios"
  done
  sort -n "$work/ratios" | awk -v what="$1" -v goal="$4" '{ all[NR] = $1 }
    END { print what ": min " all[1] " median " all[int((NR + 1) / 2)] " max " all[NR] "; goal " goal }'
}
