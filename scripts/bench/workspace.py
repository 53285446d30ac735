"""Where measurements live: the binary, generated inputs in target/bench, an environment without settings.

Inputs are the generator's, so the same options give the same bytes on every machine; one that is there is used again, unless
the generator's source is newer.
"""

import functools
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
FOLDER = TARGET / "bench"
BINARY = Path(os.environ.get("BENCH_BINARY", TARGET / "release" / "castmeter"))

# What is counted unless said otherwise: 1,500 episodes and 300,000 listeners are the generator's defaults too.
CROWD = ["--episodes", "1500", "--listeners", "300000", "--seed", "1"]


def environment():
    """This process's, without settings of castmeter that may stand in it."""
    ours = ("CASTMETER_", "DATABASE_URL", "RUST_LOG")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def generated(lines, suffix="json", options=()):
    """The path of a file of so many generated lines."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = "-".join(["lines", str(lines), *(option.strip("-") for option in options)])
    path = FOLDER / f"{name}.{suffix}"
    changed = max(source.stat().st_mtime for source in (ROOT / "src" / "generate").iterdir())
    if not path.exists() or path.stat().st_mtime < changed:
        draft = path.with_suffix(".draft")
        command = [BINARY, "generate", "--lines", str(lines), *CROWD, *options]
        with draft.open("wb") as out:
            subprocess.run(command, stdout=out, env=environment(), check=True)
        draft.rename(path)
    return path


@functools.cache
def counts_in_threads():
    """Whether `count` can be told how many threads to use."""
    command = [BINARY, "count", "--help"]
    return "--threads" in subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout


def count(path, *options, threads=1):
    """The command that counts a file; rows as JSON, for a table at a terminal takes time of its own."""
    in_threads = ["--threads", threads] if counts_in_threads() else []
    return [BINARY, "count", "--format", "ndjson", *map(str, in_threads), *options, path]
