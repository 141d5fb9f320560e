"""The daemon is upgraded there and back under load: ``python -m tests.keeper.upgrades --times 20``.

Two hundred workers run, lines flow into a rotated file, clients ask a server on a managed socket,
and somebody resizes and reloads all the while. ``--old`` is the virtual environment of another
version; without it both are copies of this code. At the end come versions that do not import,
crash or hang.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.keeper.kept import Kept
from tests.keeper.kills import Books, Load, check, start
from tests.keeper.test_upgrade import BAD, environment, facts
from tests.live.daemon import until

_WORKERS = """
[watcher:workers]
cmd = sleep 1000
numprocesses = {count}
ready = spawned
settle = 0
"""


def upgrade(daemon: Kept, venv: Path, *words: str) -> tuple[int, str]:
    """Run ``circusctl upgrade`` and return its exit code and what it has said."""
    # Another brain may be on its way, for the keeper is exchanged after each upgrade.
    patience = ("--wait-for-daemon", "--timeout", "25")
    done = daemon.control(*patience, "upgrade", "--to", str(venv), "--watch", "0.2", *words)
    return done.returncode, (done.stdout + done.stderr).strip()


def until_exchanged(daemon: Kept, venv: Path) -> None:
    """Wait until a brain of this code answers, and nothing is under way."""

    def is_done() -> bool:
        trial = facts(daemon)["upgrade"]
        return bool(trial["outcome"] == "done" and trial["python"] == f"{venv}/bin/python")

    until(is_done, 60)


def run(times: int, workers: int, folder: Path, old: Path | None = None) -> Books:
    """Upgrade so often, then to what is no good, and return the books."""
    new = environment(folder / "new")
    venvs = (old or environment(folder / "old"), new)
    bad = {name: environment(folder / name, *change) for name, change in BAD.items()}
    daemon, books = start(_WORKERS.format(count=workers)), Books()
    sizes = {"web": 2, "talkers": 2, "workers": workers}
    try:
        steady = {name: daemon.until_active(name, size) for name, size in sizes.items()}
        load = Load(daemon, books)
        try:
            for number in range(times):
                venv = venvs[number % 2]
                code, text = upgrade(daemon, venv, "--limit", "60")
                if code != 0:
                    books.problems.append(f"upgrade {number} to {venv.name}: {code}, {text}")
                else:
                    books.upgrades += 1
                    until_exchanged(daemon, venv)
            for name, venv in bad.items():
                limit = "2" if name == "hang" else "60"
                code, text = upgrade(daemon, venv, "--limit", limit)
                print(f"{name}: {text}", flush=True)
                if code != 3:
                    books.problems.append(f"{name}: {code}, {text}")
        finally:
            load.end()
        check(daemon, books, steady)
        daemon.end()
        until(lambda: not daemon.alive())
        return books
    finally:
        daemon.clean_up()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="the daemon is upgraded under load")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--old", type=Path, help="the virtual environment of another version")
    words = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="upgrades-") as folder:
        books = run(words.times, words.workers, Path(folder), words.old)
    print(books)
    is_good = not (books.problems or books.failures or books.lost_lines or books.doubled_lines)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
