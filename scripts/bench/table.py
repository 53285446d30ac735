"""The table that comes out, in Markdown, with where and how it was measured."""

import os
import platform
import subprocess
import time
from pathlib import Path

from workspace import ROOT


class Table:
    def __init__(self):
        self.rows = []

    def add(self, work, measured, target=""):
        self.rows.append((work, measured, target))
        print(f"  {work}: {measured}" + (f" (target {target})" if target else ""), flush=True)

    def skip(self, work, why):
        self.add(work, f"not measured: {why}")

    def __str__(self):
        lines = ["| work | measured | target |", "|---|---|---|"]
        return "\n".join(lines + [f"| {' | '.join(row)} |" for row in self.rows])


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()


def surroundings():
    """One paragraph: machine, compiler, commit, time, and how busy the machine was."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    changed = " with changes" if output("git", "status", "--porcelain", "--untracked-files=no") else ""
    return (
        f"{os.cpu_count()} CPUs ({cpu.partition(': ')[2] or platform.machine()}), {memory} GiB, Linux {platform.release()}, "
        f"{output('rustc', '--version').rpartition(' (')[0]}, commit {output('git', 'rev-parse', '--short', 'HEAD')}{changed}, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, load {os.getloadavg()[1]:.1f} over the last five minutes."
    )


def seconds(value):
    return f"{value:.2f} CPU s"
