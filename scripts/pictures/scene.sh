#!/usr/bin/env bash
# Draws the dashboards into docs/pictures: castmeter counts twelve days of generated traffic and then a day as it happens,
# with a clock that runs 240 times as fast; its metrics of that day go to Prometheus, its sums are in Postgres; then each
# dashboard is drawn by Grafana's own components in Chromium. Takes about ten minutes. `make pictures` runs it.
#
# Only the clock on the wall is faked (libfaketime): fsyncs and commits take as long as they take.
set -euo pipefail
cd "$(dirname "$0")/../.."
export TZ=UTC
root=$PWD
here=$root/scripts/pictures
castmeter=${1:-$root/target/release/castmeter}
speed=240
day=86400
seconds_apart=60 # between scrapes, by the fast clock

tests/tools.sh
tools=$root/target/tools/usr/bin
faketime=$(find target/tools -name libfaketime.so.1 | head -n1)
(cd "$here" && [ -d node_modules ] || npm ci --ignore-scripts --no-audit --no-fund >&2)

work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  exec {to_postgres}>&- || true
  rm -rf "$work"
}
trap cleanup EXIT

# The server of the tests: it prints its folder, obeys lines, and ends with its input.
as_postgres=()
[ "$(id -u)" -ne 0 ] || as_postgres=(runuser -u postgres --)
bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n1)
coproc POSTGRES { cd / && "${as_postgres[@]}" sh -c "$(cat "$root/tests/support/postgres.sh")" castmeter-postgres "$bin"; }
exec {to_postgres}>&"${POSTGRES[1]}"
read -r socket <&"${POSTGRES[0]}"
echo start >&"$to_postgres"
read -r _ <&"${POSTGRES[0]}"
psql=(psql --quiet --host "$socket" --username postgres)
"${psql[@]}" --command 'CREATE DATABASE castmeter'
database="postgres://postgres@localhost/castmeter?host=$socket"

# The fast clock: once the day has begun, `began` on the wall stands for `first`. Given a speed, what libfaketime takes.
first=$(($(date +%s) - day))
began=
clock() {
  local now=$first
  [ -z "$began" ] || now=$(awk "BEGIN { printf \"%d\", $first + ($(date +%s.%N) - $began) * $speed }")
  echo "@$(date -d "@$now" '+%F %T') x$1"
}
faked() {
  local rate=$1
  shift
  env LD_PRELOAD="$root/$faketime" FAKETIME="$(clock "$rate")" "$@"
}

export DATABASE_URL=$database CASTMETER_DATA_DIR=$work/data CASTMETER_CATALOG=$work/titled.csv
export CASTMETER_HTTP_LISTEN=127.0.0.1:18080 CASTMETER_SYSLOG_LISTEN=127.0.0.1:15514 CASTMETER_ADMIN_LISTEN=127.0.0.1:19310
export CASTMETER_STORE_FLUSH_INTERVAL=20ms RUST_LOG=error
traffic=("$castmeter" traffic http://127.0.0.1:18080/fastly --seed 7 --lines-per-day 60000 --listeners 12000)
CASTMETER_FEEDS=$("$castmeter" traffic --feeds)
export CASTMETER_FEEDS

serve() {
  faked "$1" FAKETIME_DONT_FAKE_MONOTONIC=1 "$castmeter" serve &
  pids+=($!)
  until "$castmeter" check-health 2>/dev/null; do sleep 0.2; done
}
echo "counting the twelve days before" >&2
faked 1 "${traffic[0]}" traffic --seed 7 --catalog-out "$work/catalog.csv"
awk -F, -f "$here/titles.awk" "$work/catalog.csv" >"$work/titled.csv"
serve 1
faked 1 "${traffic[@]}" --once
until curl -s http://127.0.0.1:19310/metrics | grep -q '^castmeter_backlog_lines 0$'; do sleep 0.5; done
kill "${pids[0]}" && wait "${pids[0]}"
pids=()
"${psql[@]}" --dbname castmeter --file tests/dashboards/chapters.sql

echo "counting a day, 240 times as fast as it went" >&2
began=$(date +%s.%N)
serve $speed
for note in "6 deploy v1.2" "15 CDN service 41"; do
  at=$(date -d "@$((first + ${note%% *} * 3600))" +%FT%TZ)
  "$castmeter" annotate "${note#* }" --tag deploy --at "$at" >/dev/null
done
faked $speed "${traffic[@]}" --days 0 &
pids+=($!)
node "$here/scrape.mjs" http://127.0.0.1:19310/metrics "$first" "$began" $speed $seconds_apart $day >"$work/metrics.txt"
"$tools/promtool" tsdb create-blocks-from openmetrics --quiet "$work/metrics.txt" "$work/prometheus" >&2

echo 'global: { scrape_interval: 60s }' >"$work/prometheus.yml"
"$tools/prometheus" --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/prometheus" \
  --storage.tsdb.retention.time=90d --web.listen-address=127.0.0.1:19090 --log.level=error &
pids+=($!)
until curl -sf http://127.0.0.1:19090/-/ready >/dev/null; do sleep 0.2; done
node "$here/draw.mjs" "$database" http://127.0.0.1:19090 $((first + day)) $seconds_apart docs/pictures
