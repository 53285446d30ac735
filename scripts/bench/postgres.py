"""A Postgres server of one's own, started as the tests start theirs; None where there are no programs for it."""

import os
import shutil
import subprocess
from pathlib import Path

from workspace import ROOT


def binaries():
    """The folder of the newest one's programs: Debian's, else the one in the path."""
    debian = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    newest = sorted(debian, key=lambda path: int(path.parent.name))[-1:]
    here = shutil.which("initdb")
    folders = newest + ([Path(here).parent] if here else [])
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


class Postgres:
    """Runs until it is closed, or this process ends. fsync is off: what is measured is not Postgres."""

    def __init__(self, programs):
        self.programs = programs
        script = (ROOT / "tests" / "support" / "postgres.sh").read_text()
        # It refuses to run as root.
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*self.as_user, "sh", "-c", script, "castmeter-postgres", programs]
        self.process = subprocess.Popen(command, cwd="/", text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.folder = self.process.stdout.readline().strip()
        self.tell("start")
        self.databases = 0

    def tell(self, command):
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "done":
            raise RuntimeError(f"Postgres did not {command}")

    def database(self):
        """The URL of a new one."""
        self.databases += 1
        name = f"bench_{self.databases}"
        options = ["-h", self.folder, "-U", "postgres", name]
        subprocess.run([*self.as_user, self.programs / "createdb", *options], cwd="/", check=True)
        return f"postgres://postgres@localhost/{name}?host={self.folder}"

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start():
    programs = binaries()
    return Postgres(programs) if programs else None
