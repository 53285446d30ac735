"""A store that takes nothing for a while: how much memory that costs, and how soon it has caught up.

50,000 lines a second over HTTP; another process holds SQLite's write lock meanwhile, as a backup or a person might. Then
the lock goes, and nothing more is sent.
"""

import itertools
import os
import re
import sqlite3
import subprocess
import time
from pathlib import Path

from latency import paced
from posting import LINES_PER_BATCH, batches
from service import Service
from serving import START
from workspace import BINARY, CROWD, environment

LINES_A_SECOND = 50_000
SECONDS = int(os.environ.get("BENCH_PAUSE_SECONDS", "60"))
# Sent before, so that the store is not empty.
WARM_UP_SECONDS = 10


def open_sessions(page):
    return int(float(re.search(r"(?m)^castmeter_sessions_open (\S+)", page)[1]))


def pause(table):
    service = Service()
    count = LINES_A_SECOND * (WARM_UP_SECONDS + SECONDS)
    command = [BINARY, "generate", "--lines", str(count), *CROWD, *START]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as generator:
            bodies = batches(generator.stdout)
            before, during, caught_up_s = held_up(service, bodies)
        service.wait_for(count)
    finally:
        service.stop()
    (mib, sessions), (mib_then, sessions_then) = before, during
    a_session = (mib_then - mib) * 2**20 / max(1, sessions_then - sessions)
    measured = (
        f"{mib:.0f} → {mib_then:.0f} MiB while {sessions_then - sessions:,} sessions began ({a_session:.0f} bytes each); "
        f"caught up in {caught_up_s:.1f} s, {SECONDS / caught_up_s:.0f} × real time"
    )
    work = f"store paused for {SECONDS} s at {LINES_A_SECOND:,} lines a second"
    table.add(work, measured, "memory flat, ≥ 5 ×")


def held_up(service, bodies):
    """Memory and sessions before and after the pause, and the seconds until all is in the store again."""
    http = service.addresses["http"]
    paced(http, some(bodies, WARM_UP_SECONDS), LINES_A_SECOND)
    store = sqlite3.connect(Path(service.folder) / "castmeter.sqlite", timeout=60, isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    before = state(service)
    paced(http, some(bodies, SECONDS), LINES_A_SECOND)
    during = state(service)
    store.execute("ROLLBACK")
    released = time.monotonic()
    service.wait_until(service.is_committed, every_s=0.1)
    return before, during, time.monotonic() - released


def some(bodies, seconds):
    return itertools.islice(bodies, LINES_A_SECOND * seconds // LINES_PER_BATCH)


def state(service):
    return service.resident_bytes() / 2**20, open_sessions(service.page())
