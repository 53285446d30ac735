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

# The fast clock: `began` on the wall stands for `first`. What came before the day is counted in its first hours.
lead=$((3 * 3600))
first=$(($(date +%s) - day - lead))
began=$(date +%s.%N)
clock() { date -d "@$(awk "BEGIN { printf \"%d\", $first + ($(date +%s.%N) - $began) * $speed }")" '+@%F %T'; }
# Sets `fake`: what a command begins with, so that its clock is the fast one.
fake() { fake=(env LD_PRELOAD="$root/$faketime" FAKETIME="$(clock) x$speed"); }

export DATABASE_URL=$database CASTMETER_DATA_DIR=$work/data CASTMETER_CATALOG=$work/titled.csv
export CASTMETER_HTTP_LISTEN=127.0.0.1:18080 CASTMETER_SYSLOG_LISTEN=127.0.0.1:15514 CASTMETER_ADMIN_LISTEN=127.0.0.1:19310
export CASTMETER_STORE_FLUSH_INTERVAL=20ms RUST_LOG=error
traffic=("$castmeter" traffic http://127.0.0.1:18080/fastly --seed 7 --lines-per-day 30000 --listeners 12000)
CASTMETER_FEEDS=$("$castmeter" traffic --feeds)
export CASTMETER_FEEDS

echo "counting twelve days and a day more, which take $(((day + lead) / speed / 60)) minutes" >&2
fake
"${fake[@]}" "$castmeter" traffic --seed 7 --catalog-out "$work/catalog.csv"
awk -F, -f "$here/titles.awk" "$work/catalog.csv" >"$work/titled.csv"
fake
"${fake[@]}" FAKETIME_DONT_FAKE_MONOTONIC=1 "$castmeter" serve &
pids+=($!)
until "$castmeter" check-health 2>/dev/null; do sleep 0.2; done
fake
"${fake[@]}" "${traffic[@]}" &
pids+=($!)
for note in "9 deploy v1.2" "18 CDN service 41"; do
  at=$(date -d "@$((first + ${note%% *} * 3600))" +%FT%TZ)
  "$castmeter" annotate "${note#* }" --tag deploy --at "$at" >/dev/null
done
node "$here/scrape.mjs" http://127.0.0.1:19310/metrics "$first" "$began" $speed $seconds_apart $lead $((day + lead)) >"$work/metrics.txt"
"${psql[@]}" --dbname castmeter --file tests/dashboards/chapters.sql
"$tools/promtool" tsdb create-blocks-from openmetrics --quiet "$work/metrics.txt" "$work/prometheus" >&2

echo 'global: { scrape_interval: 60s }' >"$work/prometheus.yml"
"$tools/prometheus" --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/prometheus" \
  --storage.tsdb.retention.time=90d --web.listen-address=127.0.0.1:19090 --log.level=error &
pids+=($!)
until curl -sf http://127.0.0.1:19090/-/ready >/dev/null; do sleep 0.2; done
# An episode in its first week that has gone on for longest.
EPISODE=$("${psql[@]}" --dbname castmeter --tuples-only --no-align --command "
  SELECT episode FROM launch_projection WHERE show = 'ledger' AND expected_7d IS NOT NULL ORDER BY age_hours DESC LIMIT 1")
export EPISODE
node "$here/draw.mjs" "$database" http://127.0.0.1:19090 $((first + lead + day)) $seconds_apart docs/pictures
