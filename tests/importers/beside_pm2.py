"""Ecosystem files run by pm2 itself and by ours: the same processes come, and come again.

    npm install --prefix FOLDER pm2
    python -m tests.importers.beside_pm2 FOLDER/node_modules/.bin/pm2 [SAMPLE ...]

Prints for each sample what only one of the two has started. Variables by which pm2 speaks of itself
and of an app's options are not compared; those that the file or the caller sets are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.importers.runs import (
    NOISE,
    SAMPLES,
    Record,
    alive,
    circusd,
    commands,
    imported,
    kill_all,
    prepared,
    records,
    samples,
)
from tests.programs import wait_until

LIMIT = 90.0
"""Seconds that a fact may take."""
INVOLVED = ("DEBUG", "LIMIT", "NODE_ENV", "PYTHONPATH", "NODE_APP_INSTANCE", "PATH", "HOME")
"""Variables that the samples set, or that processes count on."""


class Pm2:
    """One pm2, with a home of its own."""

    def __init__(self, program: str, home: Path) -> None:
        self._program = program
        self._environ = {**os.environ, "PM2_HOME": str(home)}

    def __call__(self, *words: str, cwd: Path) -> str:
        done = subprocess.run(
            [self._program, *words],
            cwd=cwd,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def states(self, folder: Path) -> list[tuple[str, str, int]]:
        """Return name, state and pid of each of its processes."""
        # What it says at its first start comes before.
        rows = json.loads(self("jlist", cwd=folder).splitlines()[-1])
        return [(row["name"], row["pm2_env"]["status"], int(row["pid"] or 0)) for row in rows]


@contextmanager
def running(pm2: Pm2, file: Path) -> Iterator[None]:
    """Run a file by pm2, until everything that it keeps has written its record."""
    pm2("start", str(file), cwd=file.parent)
    try:
        yield
    finally:
        pm2("kill", cwd=file.parent)


def settle(pm2: Pm2, folder: Path, dead: set[int]) -> None:
    """Wait until nothing is under way, and who was killed is not among those that run."""

    def is_settled() -> bool:
        states = pm2.states(folder)
        pids = {pid for _, state, pid in states if state == "online"}
        names = {state for _, state, _ in states}
        return not pids & dead and names <= {"online", "stopped", "errored"}

    wait_until(lambda: is_settled() and is_settled(), LIMIT)


def what_was_started(folder: Path) -> Counter[str]:
    """Return what was started, as far as two tools can agree: one text for a process."""
    return Counter(json.dumps(_comparable(record), sort_keys=True) for record in records(folder))


def _comparable(record: Record) -> dict[str, Any]:
    variables = {
        name: value
        for name, value in record["env"].items()
        if name in INVOLVED and name not in NOISE
    }
    return {"argv": record["argv"], "cwd": record["cwd"], "env": variables, "uid": record["uid"]}


def compare(program: str, name: str) -> list[str]:
    """Return what differs in one sample, as sentences."""
    with TemporaryDirectory(prefix="imp") as short, TemporaryDirectory(prefix="pm2") as home:
        folder = Path(short)
        file = prepared("pm2", name, folder)
        file = config_name(file)
        pm2 = Pm2(program, Path(home))
        with running(pm2, file):
            settle(pm2, folder, set())
            wait_until(lambda: bool(records(folder)), LIMIT)
            theirs, up = what_was_started(folder), commands(alive(folder))
            settle(pm2, folder, kill_all(folder))
            wait_until(lambda: commands(alive(folder)) == up, LIMIT)
        ini, _ = imported(file)
        with circusd(ini):
            wait_until(lambda: commands(alive(folder)) == up, LIMIT)
            wait_until(lambda: len(records(folder)) >= theirs.total(), LIMIT)
            ours = what_was_started(folder)
            kill_all(folder)
            wait_until(lambda: commands(alive(folder)) == up, LIMIT)
    only_theirs = [f"only pm2: {text}" for text in (theirs - ours).elements()]
    return only_theirs + [f"only ours: {text}" for text in (ours - theirs).elements()]


def config_name(file: Path) -> Path:
    """Return a file under a name by which pm2 knows that it is no program."""
    if re.search(r"\.(config\.(c|m)?js|json|ya?ml)$", file.name):
        return file
    return file.rename(file.with_name(f"{file.stem}.config{file.suffix}"))


def main() -> int:
    """Compare the samples, print the differences, and fail where there is one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pm2", help="the program")
    parser.add_argument("samples", nargs="*", help=f"of those in {SAMPLES / 'pm2'}")
    args = parser.parse_args()
    has_differences = False
    for name in args.samples or samples("pm2"):
        try:
            differences = compare(args.pm2, name)
        except AssertionError as error:
            differences = [f"failed: {error}"]
        has_differences |= bool(differences)
        print(f"{name}: {'the same' if not differences else ''}", *differences, sep="\n  ")
    return int(has_differences)


if __name__ == "__main__":
    sys.exit(main())
