"""Single parts, by their benches: what they print, shown as it comes, and the medians of the stages as a table of their own.

Stages run over batches of 1,000 lines, so the microseconds of a batch are the nanoseconds of a line.
"""

import re
import subprocess

from workspace import ROOT

BENCHES = ("stages", "journal", "metrics", "limits")
NANOS = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}
# Name, fastest, slowest, median: divan's first columns.
ROW = re.compile(r"[├╰]─ (\w+) +[\d.]+ \w+ +│ [\d.]+ \w+ +│ ([\d.]+) (\w+)")


def bench(name):
    """Runs one, passes on what it prints, and gives it."""
    command = ["cargo", "bench", "--locked", "--quiet", "--bench", name]
    output = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(output, flush=True)
    return output


def medians(output):
    """Nanoseconds a line, by stage."""
    return {name.replace("_", " "): float(number) * NANOS[unit] / 1_000 for name, number, unit in ROW.findall(output)}


def stages():
    """Runs all; gives the table of stages, and what the limits are."""
    outputs = {name: bench(name) for name in BENCHES}
    rows = "\n".join(f"| {name} | {nanos:,.0f} |" for name, nanos in medians(outputs["stages"]).items())
    return f"| stage | ns a line |\n|---|---|\n{rows}\n\n```text\n{outputs['limits'].strip()}\n```"
