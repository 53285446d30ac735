"""How soon lines are seen on `/metrics`: batches at half of the greatest load, and the page asked for all the time.

A batch's time runs from when its request is begun to the answer of the first page that shows all lines up to it. Batches
of several connections may overtake one another by some milliseconds; the page is asked for every 50.
"""

import itertools
import os
import statistics
import threading
import time

from posting import CONNECTIONS, LINES_PER_BATCH, Connection, batches, in_parallel, request
from service import Service, lines_received
from serving import START
from workspace import generated

SECONDS = int(os.environ.get("BENCH_LATENCY_SECONDS", "20"))
ASK_EVERY_S = 0.05


class Watch:
    """Asks for the page until it shows all lines, and notes what each showed."""

    def __init__(self, service, lines):
        self.service, self.lines, self.shown = service, lines, []
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.shown or self.shown[-1][1] < self.lines:
            page = self.service.page()
            self.shown.append((time.monotonic(), lines_received(page)))
            time.sleep(ASK_EVERY_S)

    def when(self, lines):
        """The first moment at which so many were shown."""
        return next(moment for moment, shown in self.shown if shown >= lines)


def paced(address, bodies, lines_a_second):
    """Posts bodies, each at its time; gives when each was begun."""
    numbered, lock, began = enumerate(bodies), threading.Lock(), {}
    start = time.monotonic()

    def work(_):
        connection = Connection(address)
        while True:
            with lock:
                number, body = next(numbered, (None, None))
            if body is None:
                return connection.close()
            time.sleep(max(0, start + number * LINES_PER_BATCH / lines_a_second - time.monotonic()))
            began[number] = time.monotonic()
            connection.post(request(body))

    in_parallel(work, CONNECTIONS)
    return [began[number] for number in sorted(began)]


def latency(table, lines_a_second):
    half = lines_a_second / 2
    count = int(half * SECONDS / LINES_PER_BATCH)
    path = generated(count * LINES_PER_BATCH, options=START)
    service = Service()
    try:
        with path.open("rb") as lines:
            watch = Watch(service, count * LINES_PER_BATCH)
            began = paced(service.addresses["http"], itertools.islice(batches(lines), count), half)
        watch.thread.join()
    finally:
        service.stop()
        # As long as the load was great, so hardly ever of use again.
        path.unlink()
    took = [watch.when((number + 1) * LINES_PER_BATCH) - moment for number, moment in enumerate(began)]
    percent = statistics.quantiles(took, n=100)
    measured = f"p50 {percent[49]:.2f} s, p99 {percent[98]:.2f} s, at {half:,.0f} lines a second for {SECONDS} s"
    table.add("request → `/metrics`, half the greatest load", measured, "p99 ≤ 1 s")
