"""What `serve` costs a million lines: over HTTP and syslog, into SQLite and Postgres.

Counted is the CPU time of the castmeter process from the first line until the last is in the store; each run has a service
of its own, with an empty journal. Lines are of the last three days, for the service refuses those of the future.
"""

import statistics
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import postgres
from measure import in_turns
from posting import batches, gzipped, post_all, request, send_syslog
from service import TOKEN, Service
from table import seconds
from workspace import BINARY, FOLDER, environment, generated

ROUNDS = 3
SYSLOG_CONNECTIONS = 2
START = ["--start", (datetime.now(timezone.utc) - timedelta(days=4)).strftime("%Y-%m-%d")]


@dataclass(frozen=True)
class Served:
    cpu_s: float
    lines_a_second: float


def measured(lines, send, **service):
    """One run: `send` is given the service's addresses."""
    running = Service(**service)
    try:
        cpu_s, began = running.cpu_s(), time.monotonic()
        send(running.addresses)
        sent_s = time.monotonic() - began
        running.wait_for(lines)
        return Served(running.cpu_s() - cpu_s, lines / sent_s)
    finally:
        running.stop()


def bodies(lines):
    with generated(lines, options=START).open("rb") as file:
        return list(batches(file))


def syslog_streams(lines):
    """Lines behind Fastly's header, each with the token before it, in pieces as a socket takes them; by connection."""
    streams = [[] for _ in range(SYSLOG_CONNECTIONS)]
    with generated(lines, "syslog", ["--format", "syslog", *START]).open("rb") as file:
        for number, body in enumerate(batches(file)):
            lines_of = body.splitlines(keepends=True)
            streams[number % SYSLOG_CONNECTIONS].append(b"".join(TOKEN.encode() + line for line in lines_of))
    return streams


def catalog():
    path = FOLDER / "catalog-serve.csv"
    command = [BINARY, "generate", "--lines", "0", *START, "--catalog-out", path]
    subprocess.run(command, env=environment(), stdout=subprocess.DEVNULL, check=True)
    return path


def serve(table, lines):
    """Gives the lines a second that were acknowledged at full load, for what is measured below it."""
    plain = [request(body) for body in bodies(lines)]
    gzip = [request(gzipped(body), "gzip") for body in bodies(lines)]
    streams = syslog_streams(lines)
    http = lambda requests: lambda addresses: post_all(addresses["http"], requests)
    works = {
        "sqlite": lambda: measured(lines, http(plain)),
        "catalog": lambda: measured(lines, http(plain), CATALOG=catalog()),
        "gzip": lambda: measured(lines, http(gzip)),
        "syslog": lambda: measured(lines, lambda addresses: send_syslog(addresses["syslog"], streams)),
    }
    server = postgres.start()
    if server:
        works["postgres"] = lambda: measured(lines, http(plain), database_url=server.database())
    try:
        results = in_turns(works, ROUNDS)
    finally:
        if server:
            server.close()
    cpu = {name: statistics.median(run.cpu_s for run in runs) * 1e6 / lines for name, runs in results.items()}
    rate = statistics.median(run.lines_a_second for run in results["sqlite"])
    table.add("`serve`, HTTP, 1,000 lines a batch, SQLite", f"{seconds(cpu['sqlite'])}; {rate:,.0f} lines a second", "≤ 0.60")
    table.add("… with a catalogue", seconds(cpu["catalog"]))
    table.add("… gzip bodies", seconds(cpu["gzip"]), "≤ 1.15")
    table.add("… syslog over TCP", seconds(cpu["syslog"]), "≤ 0.70")
    if server:
        more = 100 * (cpu["postgres"] / cpu["sqlite"] - 1)
        table.add("… Postgres for SQLite", f"{seconds(cpu['postgres'])}, {more:+.0f} %", "≤ 5 % more")
    else:
        table.skip("… Postgres for SQLite", "Postgres is not installed")
    return rate
