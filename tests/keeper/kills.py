"""The brain is killed again and again under load: ``python -m tests.keeper.kills --kills 500``.

Processes crash, lines flow into a file that is rotated, clients ask a server on a managed socket,
and somebody resizes, sets and reloads all the while. At the end the books are held against what is
so: the same processes, none doubled, every line once, no request failed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import signal
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from tests.keeper.kept import Kept
from tests.live.daemon import is_alive, until
from tests.live.wire import Caller, NoReply

_REAPED = re.compile(r"process \[pid (\d+)\] ended by itself|\.reap \{'process_pid': (\d+)")
_STARTED = re.compile(r"running \S+ process \[pid (\d+)\]")
_SOONEST_AGAIN = timedelta(seconds=20)

Shortage = Callable[[psutil.Process], None]
"""Has a brain run out of something."""

_TALKER = (
    "import sys, time, os\n"
    "n = 0\n"
    "while True:\n"
    "    n += 1\n"
    "    os.write(1, b'%s %d\\n' % (sys.argv[1].encode(), n))\n"
    "    time.sleep(0.002)\n"
)
_SERVER = (
    "import socket, sys\n"
    "web = socket.socket(fileno=int(sys.argv[1]))\n"
    "web.setblocking(True)\n"
    "while True:\n"
    "    client, _ = web.accept()\n"
    "    client.recv(100)\n"
    "    client.sendall(b'ok')\n"
    "    client.close()\n"
)
_OWN = re.compile("circusd|cvec_circus_core")
_CONFIG = """
[socket:web]
host = 127.0.0.1
port = 0
[watcher:web]
cmd = {python} -S {folder}/server.py $(circus.sockets.web)
use_sockets = yes
numprocesses = 2
ready = spawned
[watcher:talkers]
cmd = {python} -S {folder}/talker.py $(circus.wid)
numprocesses = 2
ready = spawned
stdout_stream.class = FileStream
stdout_stream.filename = {folder}/lines
stdout_stream.max_bytes = 100000
stdout_stream.backup_count = 1000
[watcher:crashers]
cmd = sh -c "sleep 0.$$(($$$$ % 7 + 2)); exit 3"
numprocesses = 2
ready = spawned
[watcher:resized]
cmd = sleep 1000
numprocesses = 3
ready = spawned
settle = 0
"""


@dataclass
class Books:
    """What was seen."""

    kills: int = 0
    upgrades: int = 0
    untold: int = 0
    """Deaths of which no line is in the log."""
    answers: list[float] = field(default_factory=list)
    """Seconds from a kill until a request was answered."""
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    wishes: int = 0
    unanswered: int = 0
    lost_lines: int = 0
    doubled_lines: int = 0
    disordered_lines: int = 0
    lines: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """The closing lines."""
        ordered = sorted(self.answers) or [0.0]
        return (
            f"{self.upgrades} upgrades, {self.kills} kills; answered again after "
            f"{statistics.median(ordered) * 1000:.0f} ms "
            f"(p95 {ordered[int(len(ordered) * 0.95)] * 1000:.0f} ms, "
            f"at most {ordered[-1] * 1000:.0f} ms); {self.untold} deaths without a line\n"
            f"{self.requests} requests on the managed socket, {len(self.failures)} failed\n"
            f"{self.wishes} wishes answered, {self.unanswered} told of an error or unanswered\n"
            f"{self.lines} lines: {self.lost_lines} lost, {self.doubled_lines} doubled, "
            f"{self.disordered_lines} out of order\n"
            f"problems: {'; '.join(self.problems) or 'none'}"
        )


class Load:
    """Clients and wishes, in threads of their own, until they are told to end."""

    def __init__(self, daemon: Kept, books: Books) -> None:
        self._daemon = daemon
        self._books = books
        self._is_over = threading.Event()
        self.size = 3
        port = daemon.ok("listsockets")["sockets"][0]["port"]
        self._threads = [
            threading.Thread(target=self._ask, args=(port,)),
            threading.Thread(target=self._wish),
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let them end."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, port: int) -> None:
        while not self._is_over.wait(0.005):
            self._books.requests += 1
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as client:
                    client.sendall(b"?")
                    reply = client.recv(10)
                    if reply != b"ok":
                        self._books.failures.append(repr(reply))
            except OSError as error:
                self._books.failures.append(str(error))

    def _wish(self) -> None:
        chance = random.Random(1)
        while not self._is_over.wait(0.02):
            caller = Caller(self._daemon.endpoint)
            try:
                for _ in range(5):
                    self._one_wish(caller, chance)
            except NoReply:
                self._books.unanswered += 1
            finally:
                caller.close()

    def _one_wish(self, caller: Caller, chance: random.Random) -> None:
        size = chance.randint(1, 5)
        command, properties = chance.choice(
            (
                ("set", {"name": "resized", "options": {"numprocesses": size}}),
                ("incr", {"name": "resized"}),
                ("decr", {"name": "resized"}),
                ("reload", {"name": "resized"}),
                ("set", {"name": "resized", "options": {"graceful_timeout": 5.0 + size}}),
            )
        )
        reply = caller.answer(caller.send(command, **properties), 3.0)
        if reply["status"] == "ok":
            self._books.wishes += 1
        else:
            self._books.unanswered += 1


def short_of_memory(brain: psutil.Process) -> None:
    """Let whatever it allocates fail."""
    brain.rlimit(psutil.RLIMIT_AS, (brain.memory_info().vms, resource.RLIM_INFINITY))


def short_of_descriptors(brain: psutil.Process) -> None:
    """Leave ten descriptors."""
    brain.rlimit(
        psutil.RLIMIT_NOFILE, (brain.num_fds() + 10, brain.rlimit(psutil.RLIMIT_NOFILE)[1])
    )


def short_of_nothing(brain: psutil.Process) -> None:
    """Leave it alone."""


SHORTAGES: dict[str, Shortage] = {
    "nothing": short_of_nothing,
    "memory": short_of_memory,
    "descriptors": short_of_descriptors,
}
"""What a brain may run out of before it is killed."""


def kill_again_and_again(
    daemon: Kept,
    kills: int,
    signum: int = signal.SIGKILL,
    seed: int = 1,
    run_short: Shortage = short_of_nothing,
) -> Books:
    """Kill the brain so many times at random moments, and hold the books."""
    chance, books = random.Random(seed), Books()
    steady = {name: daemon.until_active(name, 2) for name in ("web", "talkers")}
    load = Load(daemon, books)
    try:
        for _ in range(kills):
            time.sleep(chance.choice((chance.uniform(0, 0.02), chance.uniform(0, 0.8))))
            brain = daemon.brain()
            if not brain:
                continue
            if run_short is not short_of_nothing:
                run_short(psutil.Process(brain))
                time.sleep(chance.uniform(0, 0.3))
            killed_at = time.monotonic()
            try:
                os.kill(brain, signum)
            except ProcessLookupError:
                pass  # what it was short of was too much for it
            books.kills += 1
            if chance.random() < 0.8:
                _until_answered(daemon, brain)
                books.answers.append(time.monotonic() - killed_at)
    finally:
        load.end()
    _until_answered(daemon, 0)
    check(daemon, books, steady)
    return books


def _until_answered(daemon: Kept, before: int) -> None:
    while True:
        caller = Caller(daemon.endpoint)
        try:
            if caller.answer(caller.send("list"), 0.25) and daemon.brain() != before:
                return
        except NoReply:
            continue
        finally:
            caller.close()


def check(daemon: Kept, books: Books, steady: dict[str, list[int]]) -> None:
    """Hold the books against what is so."""
    daemon.ok("set", name="resized", options={"numprocesses": 4}, waiting=True)
    daemon.until_active("resized", 4)
    for name, pids in steady.items():
        if daemon.pids(name) != pids:
            books.problems.append(f"{name} has other pids: {pids}, now {daemon.pids(name)}")
    daemon.ok("stop", name="crashers", waiting=True)
    listed = {pid for name in {*steady, "resized"} for pid in daemon.pids(name)}
    strays = {
        pid: line
        for pid, line in daemon.alive().items()
        if pid not in listed and not _OWN.search(line) and is_alive(pid)
    }
    if strays:
        books.problems.append(f"not listed: {strays}")
    books.problems.extend(told_twice(daemon.text()))
    told = {pid for line in daemon.text().splitlines() for pid in _pids(_REAPED, line)}
    started = {pid for line in daemon.text().splitlines() for pid in _pids(_STARTED, line)}
    books.untold = sum(pid not in told and not is_alive(int(pid)) for pid in started)
    if books.untold > books.kills + books.upgrades:
        # The last lines of a brain that is killed are not in the log any more, and no others.
        books.problems.append(f"{books.untold} deaths were never told")
    daemon.ok("stop", name="talkers", waiting=True)
    _count_lines(daemon.folder, books)


def told_twice(text: str) -> list[str]:
    """Return the deaths that a log tells twice.

    A pid may be used again, and the line of a start may have died with a brain: two deaths of one
    pid that are further apart than `_SOONEST_AGAIN` are those of two processes.
    """
    deaths: dict[str, datetime] = {}
    twice = []
    for line in text.splitlines():
        for pid in _pids(_STARTED, line):
            deaths.pop(pid, None)
        for pid in _pids(_REAPED, line):
            at = datetime.fromisoformat(line[: len("2026-11-29 12:00:00")])
            if pid in deaths and at - deaths[pid] < _SOONEST_AGAIN:
                twice.append(f"the death of {pid} was told at {deaths[pid]} and at {at}")
            deaths[pid] = at
    return twice


def _pids(pattern: re.Pattern[str], line: str) -> list[str]:
    return ["".join(match.groups("")) for match in pattern.finditer(line)]


def _count_lines(folder: Path, books: Books) -> None:
    files = sorted(folder.glob("lines*"), key=_age, reverse=True)
    last: dict[str, int] = {}
    seen: dict[str, Counter[int]] = {}
    for line in b"".join(file.read_bytes() for file in files).splitlines():
        name, _, number = line.decode().partition(" ")
        if not number.isdigit():
            books.problems.append(f"broken line {line!r}")
            continue
        books.lines += 1
        books.disordered_lines += int(number) < last.get(name, 0)
        last[name] = int(number)
        seen.setdefault(name, Counter())[int(number)] += 1
    for numbers in seen.values():
        books.doubled_lines += sum(count - 1 for count in numbers.values())
        books.lost_lines += max(numbers) - len(numbers)


def _age(file: Path) -> int:
    suffix = file.name.rpartition(".")[2]
    return int(suffix) if suffix.isdigit() else 0


def start(more: str = "") -> Kept:
    """Start the daemon with its load, and with more sections."""
    daemon = Kept("", circus="keeper_patience = 2")
    (daemon.folder / "talker.py").write_text(_TALKER)
    (daemon.folder / "server.py").write_text(_SERVER)
    daemon.write(_CONFIG.format(python=sys.executable, folder=daemon.folder) + more)
    daemon.start()
    return daemon


def run(kills: int, signum: int, seed: int, run_short: Shortage = short_of_nothing) -> Books:
    """Start a daemon, kill its brain, and return the books."""
    daemon = start()
    try:
        books = kill_again_and_again(daemon, kills, signum, seed, run_short)
        if daemon.stop() != 0:
            books.problems.append("circusd did not end well")
        until(lambda: not daemon.alive())
        return books
    finally:
        daemon.clean_up()


def main(arguments: Any = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="the brain is killed under load")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signal", default="SIGKILL")
    parser.add_argument("--short-of", choices=SHORTAGES, default="nothing")
    words = parser.parse_args(arguments)
    shortage = SHORTAGES[words.short_of]
    books = run(words.kills, signal.Signals[words.signal], words.seed, shortage)
    print(books)
    is_good = not (books.problems or books.failures or books.lost_lines or books.doubled_lines)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
