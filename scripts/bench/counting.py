"""Counting files: `castmeter count`, and other programs over the same file, on one core, taking turns."""

import json
import shutil
import subprocess
import sys

from measure import CORES, in_turns, median_cpu, median_wall, run
from table import seconds
from workspace import BINARY, FOLDER, ROOT, TARGET, count, counts_in_threads, environment, generated

COMPARE = ROOT / "benches" / "compare"
DUCKDB_PYTHON = FOLDER / "venv" / "bin" / "python"
CORE = CORES[-1:]


def pinned(command):
    return lambda: run(command, CORE)


def fates(path):
    """How many lines there are, and how many of them can be read."""
    answer = subprocess.run(count(path, "--fates"), env=environment(), capture_output=True, check=True).stdout
    rows = map(json.loads, answer.splitlines())
    found = [(row["fate"], row["requests"]) for row in rows if "fate" in row]
    return sum(lines for _, lines in found), sum(lines for fate, lines in found if fate != "malformed")


def compressed(path, program, suffix):
    """A copy of the file; made once, and again where the file is newer."""
    copy = path.with_name(path.name + suffix)
    if not copy.exists() or copy.stat().st_mtime < path.stat().st_mtime:
        with copy.with_suffix(".draft").open("wb") as out:
            subprocess.run([program, "-c", path], stdout=out, check=True)
        copy.with_suffix(".draft").rename(copy)
    return copy


def count_files(table, lines):
    """One thread, two threads, and compressed files beside what inflating them takes."""
    path = generated(lines)
    catalog = FOLDER / "catalog.csv"
    options = ["--lines", "0", "--catalog-out", catalog]
    subprocess.run([BINARY, "generate", *options], env=environment(), stdout=subprocess.DEVNULL, check=True)
    works = {"plain": pinned(count(path)), "catalog": pinned(count(path, "--catalog", catalog))}
    for program, suffix in (("gzip", ".gz"), ("zstd", ".zst")):
        if shutil.which(program):
            copy = compressed(path, program, suffix)
            works[suffix], works[program] = pinned(count(copy)), pinned([program, "-dc", copy])
    cpu = {name: median_cpu(usages) * 1e6 / lines for name, usages in in_turns(works).items()}
    table.add("`count`, one thread", seconds(cpu["plain"]), "≤ 0.45")
    table.add("… with a catalogue", seconds(cpu["catalog"]))
    for program, suffix in (("gzip", ".gz"), ("zstd", ".zst")):
        if program in cpu:
            allowed = cpu[program] + 0.5
            measured = f"{seconds(cpu[suffix])}; `{program} -dc` alone {cpu[program]:.2f}"
            table.add(f"`count` of `{suffix}`", measured, f"inflating + 0.5 = ≤ {allowed:.2f}")
        else:
            table.skip(f"`count` of `{suffix}`", f"no {program} here")
    count_in_threads(table, path)


def count_in_threads(table, path):
    """Lines a second by the clock, of the whole machine: whatever else it does spoils this one."""
    work = "`count --threads 2` against one thread"
    if not counts_in_threads():
        return table.skip(work, "`count` has no --threads")
    if len(CORES) < 2:
        return table.skip(work, "there is one core")
    works = {str(threads): lambda threads=threads: run(count(path, threads=threads)) for threads in (1, 2)}
    results = in_turns(works)
    wall = {name: median_wall(usages) for name, usages in results.items()}
    cpu = {name: median_cpu(usages) for name, usages in results.items()}
    ratio = wall["1"] / wall["2"]
    table.add(work, f"{ratio:.2f} × the lines a second, {cpu['2'] / cpu['1']:.2f} × the CPU", "≥ 1.8 ×")


def compare(table, lines):
    """Other programs that make something of such lines. Each is asked whether it has read them all."""
    path = generated(lines)
    total, readable = fates(path)
    works = {name: (lambda usage=usage: usage(path, total, readable)) for name, usage in programs(table).items()}
    results = in_turns({"castmeter": pinned(count(path)), **works})
    cpu = {name: median_cpu(usages) * 1e6 / lines for name, usages in results.items()}
    for name in works:
        ratio = cpu[name] / cpu["castmeter"]
        target = "≥ 3 × castmeter" if name == SERDE else ""
        table.add(f"{name}, same file", f"{seconds(cpu[name])}, {ratio:.1f} × `castmeter count`", target)


SERDE = "serde_json into a typed struct, sums by path"


def programs(table):
    """What is here to compare with; what is not is said."""
    serde = TARGET / "release" / "examples" / "typed_json"
    subprocess.run(["cargo", "build", "--locked", "--release", "--quiet", "--example", serde.name], cwd=ROOT, check=True)
    found = {SERDE: lambda path, total, readable: typed_json(serde, path, total, readable)}
    duckdb = DUCKDB_PYTHON.exists() and subprocess.run([DUCKDB_PYTHON, "-c", "import duckdb"], capture_output=True).returncode == 0
    for name, is_here, usage in (
        ("DuckDB, sums by path", duckdb, duck),
        ("GoAccess, its report", shutil.which("goaccess"), goaccess),
        ("mtail, sums by path", shutil.which("mtail"), mtail),
    ):
        if is_here:
            found[name] = usage
        else:
            table.skip(name, "not installed (scripts/setup.sh bench)")
    return found


def checked(name, found, readable, total):
    """Programs differ in what they take for a line: of the few that castmeter refuses, some read some."""
    if not readable <= found <= total:
        sys.exit(f"bench: {name} has read {found} lines; {readable} to {total} were expected")


def said(command):
    """What it used, and what it said."""
    answer = FOLDER / "answer"
    with answer.open("wb") as out:
        usage = run(command, CORE, stdout=out)
    return usage, answer.read_bytes()


def typed_json(program, path, total, readable):
    usage, answer = said([program, path])
    sums = json.loads(answer)
    checked("typed_json", sums["requests"], readable, readable)
    return usage


def duck(path, total, readable):
    usage, answer = said([DUCKDB_PYTHON, COMPARE / "duckdb_count.py", path])
    checked("DuckDB", int(answer), readable, total)
    return usage


def goaccess(path, total, readable):
    report = FOLDER / "goaccess.json"
    usage = run(["goaccess", path, "-p", COMPARE / "goaccess.conf", "--no-progress", "-o", report], CORE)
    checked("GoAccess", json.loads(report.read_text())["general"]["valid_requests"], readable, total)
    return usage


def mtail(path, total, readable):
    options = ["--one_shot", "--one_shot_format=json", "--logs", path]
    usage, answer = said(["mtail", *options, "--progs", COMPARE / "mtail.mtail"])
    requests = sum(label["Value"]["Value"] for label in json.loads(answer)["requests"][0]["LabelValues"])
    checked("mtail", requests, readable, total)
    return usage
