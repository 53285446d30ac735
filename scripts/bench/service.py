"""`castmeter serve` as a process of its own: started in a new folder, asked over its admin port, stopped in order."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

from workspace import BINARY, FOLDER, environment

TOKEN = "bench"
# How long anything may take.
PATIENCE_S = 300
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Service:
    """Default settings, but for its ports, its token and what `settings` say (by their names in the environment)."""

    def __init__(self, database_url=None, **settings):
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="serve-", dir=FOLDER)
        given = {f"CASTMETER_{name}_LISTEN": "127.0.0.1:0" for name in ("HTTP", "SYSLOG", "ADMIN")}
        given |= {"CASTMETER_TOKEN": TOKEN, "CASTMETER_DATA_DIR": self.folder, "CASTMETER_LOGGING_FORMAT": "json"}
        given |= {f"CASTMETER_{name}": str(value) for name, value in settings.items()}
        if database_url:
            given["DATABASE_URL"] = database_url
        command = [BINARY, "serve"]
        self.process = subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, env=environment() | given)
        self.addresses, self.log = None, []
        threading.Thread(target=self.read_log, daemon=True).start()
        self.wait_until(lambda: self.addresses and self.is_ready())

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            fields = json.loads(line).get("fields", {}) if line.startswith(b"{") else {}
            if {"http", "syslog", "admin"} <= fields.keys():
                self.addresses = {name: address(fields[name]) for name in ("http", "syslog", "admin")}

    def wait_until(self, is_so, every_s=0.01):
        end = time.monotonic() + PATIENCE_S
        while not is_so():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"castmeter serve: {b''.join(self.log[-20:]).decode(errors='replace')}")
            time.sleep(every_s)

    def get(self, path):
        host, port = self.addresses["admin"]
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    def is_ready(self):
        try:
            return self.get("/readyz") is not None
        except OSError:
            return False

    def page(self):
        return self.get("/metrics")

    def is_committed(self):
        """All that was acknowledged is in the store."""
        return len(set(positions(self.page()).values())) == 1

    def wait_for(self, lines):
        """Until so many lines are counted and in the store. Asks seldom, for a page costs some milliseconds."""
        self.wait_until(lambda: lines_received(self.page()) >= lines and self.is_committed(), every_s=0.5)
        if lines_received(self.page()) != lines:
            raise RuntimeError(f"castmeter serve has counted {lines_received(self.page())} of {lines} lines")

    def cpu_s(self):
        """User and system time of all its threads so far, in steps of 10 ms."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * PAGE

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        shutil.rmtree(self.folder)


def lines_received(page):
    """Of all sources."""
    return int(sum(float(count) for count in re.findall(r"(?m)^castmeter_lines_received_total\{.*\} (\S+)", page)))


def positions(page):
    """Records of the journal by how far they have come: written, counted, committed."""
    found = re.findall(r'(?m)^castmeter_journal_position_records\{stage="(\w+)"\} (\S+)', page)
    return {stage: float(position) for stage, position in found}


def address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
