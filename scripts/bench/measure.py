"""CPU time of processes, and the median of several runs of things that take turns."""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass

from workspace import environment

# How often each of the things that are compared is run.
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CORES = sorted(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Usage:
    """What a process used, its children that it waited for included: user and system time, and from start to end."""

    cpu_s: float
    wall_s: float
    peak_bytes: int


def run(command, cores=None, stdout=subprocess.DEVNULL):
    """Runs a program to its end, on these cores; fails where it fails, with what it said."""
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    began = time.monotonic()
    with open(os.devnull, "rb") as nothing, subprocess.Popen(
        [str(word) for word in command],
        stdin=nothing, stdout=stdout, stderr=subprocess.PIPE, env=environment(), preexec_fn=pin,
    ) as process:
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {said.decode(errors='replace').strip()}")
    return Usage(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * 1024)


def in_turns(works, rounds=ROUNDS):
    """Calls each of the works, by name, once a round; gives the results of each. What disturbs the machine disturbs all."""
    results = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            results[name].append(work())
    return results


def median_cpu(usages):
    return statistics.median(usage.cpu_s for usage in usages)


def median_wall(usages):
    return statistics.median(usage.wall_s for usage in usages)
