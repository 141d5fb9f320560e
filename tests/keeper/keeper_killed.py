"""The keeper is killed again and again under load: ``python -m tests.keeper.keeper_killed``.

Each time the brain sees it, starts another keeper with all that the old one had, and ends; a brain
of the new one takes over. The books are held as where the brain is killed: the same processes, none
doubled, none without an owner, no request on the managed socket failed, and no line lost.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from cvec_circus_core.system.keeper_client.standby_fork import NAME as STANDBY
from tests.keeper import kills
from tests.keeper.kept import Kept
from tests.live.daemon import is_alive, until

_UNKNOWN = re.compile(r"of (\d+) nobody knows how they have ended")


@dataclass
class KeeperBooks(kills.Books):
    """What was seen, and how many ends nobody knows."""

    unknown_ends: int = 0

    def __str__(self) -> str:
        """The closing lines."""
        median = statistics.median(self.answers) * 1000 if self.answers else 0.0
        return (
            f"{self.kills} keepers killed; answered again after {median:.0f} ms (median)\n"
            f"{self.requests} requests on the managed socket, {len(self.failures)} failed\n"
            f"{self.wishes} wishes answered, {self.unanswered} told of an error or unanswered\n"
            f"{self.lines} lines: {self.lost_lines} lost, {self.doubled_lines} doubled, "
            f"{self.disordered_lines} out of order\n"
            f"{self.unknown_ends} processes ended in a moment in which nobody looked\n"
            f"problems: {'; '.join(self.problems) or 'none'}"
        )


def kill_again_and_again(daemon: Kept, times: int, seed: int) -> KeeperBooks:
    """Kill the keeper so many times, each time at a random moment of another brain's work."""
    chance, books = random.Random(seed), KeeperBooks()
    steady = {name: daemon.until_active(name, 2) for name in ("web", "talkers")}
    load = kills.Load(daemon, books)
    try:
        for _ in range(times):
            time.sleep(chance.choice((chance.uniform(0, 0.02), chance.uniform(0, 0.8))))
            killed_at = time.monotonic()
            daemon.kill_keeper()
            books.kills += 1
            books.answers.append(time.monotonic() - killed_at)
    finally:
        load.end()
    kills.check(daemon, books, steady)
    books.unknown_ends = sum(map(int, _UNKNOWN.findall(daemon.text())))
    return books


def run(times: int, seed: int = 1) -> KeeperBooks:
    """Start a daemon, kill its keepers, and return the books."""
    daemon = kills.start()
    try:
        books = kill_again_and_again(daemon, times, seed)
        _check_owners(daemon, books)
        daemon.end()
        until(lambda: not _left(daemon) or daemon.keeper() == 0, 60)
        if orphans := _left(daemon):
            books.problems.append(f"left behind: {orphans}")
        return books
    finally:
        daemon.clean_up()


def _left(daemon: Kept) -> dict[int, str]:
    return {pid: line for pid, line in daemon.alive().items() if is_alive(pid)}


def _check_owners(daemon: Kept, books: KeeperBooks) -> None:
    """One keeper, one brain, and a process that is killed is missed and replaced."""
    alive = {pid: line for pid, line in daemon.alive().items() if is_alive(pid)}
    standbys = {pid for pid in alive if psutil.Process(pid).name() == STANDBY}
    lines = [line for pid, line in alive.items() if pid not in standbys]
    brains = sum("--kept" in line and "cvec_circus_core.keeper" not in line for line in lines)
    keepers = sum("-m cvec_circus_core.keeper " in line for line in lines)
    if (keepers, brains) != (1, 1):
        books.problems.append(f"{keepers} keepers and {brains} brains")
    (pid, *_) = daemon.until_active("web", 2)
    if psutil.Process(pid).ppid() == daemon.keeper():
        books.problems.append("a process has changed its parent")
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in daemon.pids("web") and len(daemon.pids("web")) == 2)
    if f"[pid {pid}] ended by itself, exit code -9" not in daemon.text():
        books.problems.append("it is not known how a process has ended that another has started")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="the keeper is killed under load")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args(arguments)
    books = run(words.times, words.seed)
    print(books)
    is_good = not (books.problems or books.failures or books.lost_lines or books.doubled_lines)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
