"""Keeper and brain are killed together, again and again: ``python -m tests.keeper.all_killed``.

After each start the processes are those of this daemon alone: none of the one before lives, or,
with ``--adopt``, all that were there live on. None is there twice. At the end nothing is left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Sequence

import psutil

from tests.keeper.kept import Kept
from tests.live.daemon import Daemon, until

_SERVES = "Arbiter now waiting for commands"
_BODY = """
[watcher:trees]
cmd = sh -c "setsid sleep 1000 & exec sleep 1000"
numprocesses = 5
ready = spawned
settle = 0
"""
_FAMILY = 10


def family(daemon: Daemon) -> set[int]:
    """Return the pids of all workers and what descends from them."""
    return {pid for pid, line in daemon.alive().items() if "circusd" not in line}


def kill_all(daemon: Daemon) -> None:
    """Kill a daemon and, if it has one, its brain, so that neither sees the other's end."""
    pids = [daemon.process.pid, *([daemon.brain()] if isinstance(daemon, Kept) else [])]
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in filter(None, pids):
            os.kill(pid, signum)
    daemon.process.wait()
    until(lambda: not any(map(psutil.pid_exists, pids[1:])))


def run(times: int, kind: type[Daemon] = Kept, seed: int = 1, *, adopts: bool = False) -> list[str]:
    """Kill so many times; return what was wrong."""
    problems: list[str] = []
    circus = "on_daemon_death = adopt" if adopts else ""
    chance, daemon = random.Random(seed), kind(_BODY, circus=circus)
    before: set[int] = set()
    try:
        for number in range(times + 1):
            count = daemon.text().count(_SERVES) if daemon.log.exists() else 0
            daemon.launch()
            until(lambda count=count: daemon.text().count(_SERVES) > count, 120)  # type: ignore[misc]
            if number % 2:
                time.sleep(chance.uniform(0, 0.2))  # in the middle of the starts
            else:
                until(lambda: len(family(daemon)) == _FAMILY, 60)
            present = family(daemon)
            if adopts and len(before) == _FAMILY and present != before:
                problems.append(f"{number}: {before} became {present}")
            if not adopts and present & before:
                problems.append(f"{number}: still there: {present & before}")
            if len(present) > _FAMILY:
                problems.append(f"{number}: {len(present)} processes")
            before = present
            if number < times:
                kill_all(daemon)
        if daemon.stop() != 0:
            problems.append("circusd did not end well")
        until(lambda: not daemon.alive())
        return problems
    finally:
        daemon.clean_up()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="keeper and brain are killed together")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="a daemon without a keeper")
    parser.add_argument("--adopt", action="store_true", help="with on_daemon_death = adopt")
    words = parser.parse_args(arguments)
    problems = run(words.times, Daemon if words.alone else Kept, adopts=words.adopt)
    print(f"{words.times} times killed; problems: {'; '.join(problems) or 'none'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
