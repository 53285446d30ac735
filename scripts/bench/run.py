#!/usr/bin/env python3
"""Measures castmeter as a whole and prints a table in Markdown: `make bench`, which builds first.

Usage: scripts/bench/run.py [PART…]; parts, in this order, all by default:

  stages    single parts, by their benches: stages of a line, journal, metrics, and the machine itself
  count     files: one thread, two, compressed
  compare   the same file read by other programs
  sessions  memory and time with up to 10,000,000 sessions (cargo bench --bench sessions)
  serve     the service over HTTP and syslog, into SQLite and Postgres
  latency   from a request to /metrics at half of the load that `serve` reached
  pause     a store that takes nothing for a while

BENCH_LINES (1,000,000) says how many lines are counted, BENCH_ROUNDS (5) how often each way. What is compared takes turns
on one core; CPU time is user and system time of the process. Nothing else should run meanwhile.
"""

import os
import re
import sys

import counting
import latency
import pause
import serving
import stages
from table import Table, surroundings
from workspace import FOLDER

LINES = int(os.environ.get("BENCH_LINES", "1000000"))
PARTS = ("stages", "count", "compare", "sessions", "serve", "latency", "pause")


def sessions(table):
    """Made by the bench of that name; here it is read."""
    pattern = r"(?m)^ *(\d+) (new sessions|second requests) +(\d+) \+ +(\d+) ns .* (\d+) bytes a session, +(\d+) MiB"
    found = {(int(row[0]), row[1]): [int(number) for number in row[2:]] for row in re.findall(pattern, stages.bench("sessions"))}
    few, many = 10_000, 10_000_000
    _, _, a_session, mib = found[many, "second requests"]
    table.add("memory of an open session", f"{a_session} bytes, with all that counting keeps for it", "≤ 100 bytes")
    table.add("10,000,000 open sessions", f"{mib / 1024:.2f} GiB resident", "≤ 1.2 GiB")
    for pass_name in ("new sessions", "second requests"):
        (parse, count), (parse_few, count_few) = found[many, pass_name][:2], found[few, pass_name][:2]
        growth = (parse + count) / (parse_few + count_few)
        measured = f"{growth:.1f} × ({parse} + {count} ns to parse and count, {parse_few} + {count_few} at 10,000)"
        table.add(f"a line at 10,000,000 sessions, {pass_name}", measured, "≤ 2 × that at 10,000")


def main():
    chosen = sys.argv[1:] or PARTS
    unknown = [part for part in chosen if part not in PARTS]
    if unknown:
        sys.exit(f"bench: there is no part {unknown[0]!r}; the parts are {', '.join(PARTS)}")
    table, of_stages, lines_a_second = Table(), "", 400_000
    for part in (part for part in PARTS if part in chosen):
        print(f"{part}:", flush=True)
        match part:
            case "stages":
                of_stages = stages.stages()
            case "count":
                counting.count_files(table, LINES)
            case "compare":
                counting.compare(table, LINES)
            case "sessions":
                sessions(table)
            case "serve":
                lines_a_second = serving.serve(table, LINES)
            case "latency":
                latency.latency(table, lines_a_second)
            case "pause":
                pause.pause(table)
    command = " ".join(["make bench", *([f'PARTS="{" ".join(chosen)}"'] if sys.argv[1:] else [])])
    what = f"`{command}`, {LINES:,} lines of generated version 1 JSON, CPU seconds a million lines."
    text = f"{what} {surroundings()}\n\n{table}\n\n{of_stages}"
    (FOLDER / "table.md").write_text(text)
    print(f"\n{text}\nAlso in {FOLDER / 'table.md'}.")


if __name__ == "__main__":
    main()
