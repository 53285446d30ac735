#!/usr/bin/env python3
"""Guards the speed of counting by what no other program on the machine disturbs: instructions a line.

Runs `castmeter count` under valgrind's callgrind, over a file and over its beginning, and divides what lies between by
the lines that do: start, output and the first sight of most user agents cancel out. Two runs of one binary differ by
less than 0.1 % (the secret and the hashes' seeds are drawn anew each time). Fails where a figure is above that
of benches/instructions.toml by more than its tolerance. Figures hold for the release profile and the compiler noted there.

Usage: scripts/bench/instructions.py [--accept]     (make instructions, make instructions ACCEPT=1)
"""

import re
import subprocess
import sys
import tomllib

from workspace import ROOT, count, environment, generated

FIGURES = ROOT / "benches" / "instructions.toml"
# The first lines, which are subtracted, and all.
FEW, MANY = 20_000, 60_000
FORMATS = {"json": [], "syslog": [], "csv": ["--log-format", "changelog-csv"]}


def instructions(path, options):
    """All that `count` executes in its own process, kernel excluded."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *count(path, *options)]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"instructions: valgrind failed:\n{run.stderr}")
    return int(found[1])


def beginning(path):
    """A file of the first lines of another."""
    few = path.with_name(f"{path.stem}-first-{FEW}{path.suffix}")
    with path.open("rb") as lines, few.open("wb") as out:
        out.writelines(line for _, line in zip(range(FEW), lines))
    return few


def a_line(format_name):
    path = generated(MANY, suffix=format_name, options=["--format", format_name])
    options = FORMATS[format_name]
    return round((instructions(path, options) - instructions(beginning(path), options)) / (MANY - FEW))


def accept(measured):
    """Writes the figures into the file, which stays what it is otherwise."""
    text = FIGURES.read_text()
    for name, figure in measured.items():
        text = re.sub(rf"(?m)^{name} = .*$", f"{name} = {figure}", text)
    compiler = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    FIGURES.write_text(re.sub(r"(?m)^compiler = .*$", f'compiler = "{compiler}"', text))


def main():
    kept = tomllib.loads(FIGURES.read_text())
    tolerance = kept["tolerance_percent"]
    measured, failed = {}, False
    for name in FORMATS:
        measured[name] = a_line(name)
        change = 100 * (measured[name] / kept["a_line"][name] - 1)
        failed |= change > tolerance
        verdict = "MORE than is tolerated" if change > tolerance else "fewer: accept it" if change < -tolerance else "as kept"
        print(f"{name}: {measured[name]:,} instructions a line, {change:+.1f} % ({verdict})", flush=True)
    if "--accept" in sys.argv[1:]:
        accept(measured)
        print(f"wrote {FIGURES.relative_to(ROOT)}")
    elif failed:
        compiler = kept["compiler"]
        sys.exit(
            f"instructions: more than {tolerance} % above benches/instructions.toml (measured with {compiler}).\n"
            "Find out why; where it is worth it, `make instructions ACCEPT=1` keeps the new figures."
        )


if __name__ == "__main__":
    main()
