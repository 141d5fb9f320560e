"""A thousand processes, a subscriber that does not read: the daemon answers all the same.

The bounds are what users may count on without any option set, and with `realtime`. Beside other
tests, which keep the machine busy, they have room in them: a child needs its turn, too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from tests.live.daemon import ROOT, Daemon, is_alive, until
from tests.live.wire import Ear

MEGABYTE = 1 << 20
COUNT = 1000
IS_ALONE = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1") == "1"
BUSY = 0.1
"""The part of one processor that others may take of a machine that is called quiet."""
BOUND = 50.0
"""Milliseconds within which every answer comes."""
BOUND_WHERE_OTHERS_ARE = 250.0


def seconds_of_others(*pids: int) -> float:
    """Return the processor time that others than these, their dead, and this process have had."""
    ticks = os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, *interrupted = (
        int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    total = (user + nice + system + sum(interrupted)) / ticks
    for pid in (os.getpid(), *pids):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total -= sum(map(int, fields[11:15])) / ticks
    return total


class Prober:
    """Asks how a watcher fares, again and again, in a process of its own."""

    def __init__(self, daemon: Daemon, watcher: str) -> None:
        words = ["-m", "tests.live.asking", "status", daemon.endpoint, watcher]
        self._process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._pids = (daemon.process.pid, self._process.pid)
        self._began_at = time.monotonic()
        self._others_before = seconds_of_others(*self._pids)
        self.goes_first = self._process.stdout.readline().strip() == "first"
        self._phases: dict[str, tuple[float, float]] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Give a name to what happens meanwhile."""
        begun = time.monotonic()
        yield
        self._phases[name] = begun, time.monotonic()

    def check(self) -> None:
        """Let it end, print what was found in each phase, and judge it."""
        others = seconds_of_others(*self._pids) - self._others_before
        share = others / (time.monotonic() - self._began_at)
        print(f"others had {share:.2f} of a processor")
        said, _ = self._process.communicate("", timeout=30)
        answers = [(at, at + took / 1000, took) for at, took in json.loads(said)]
        is_quiet = IS_ALONE and share < BUSY
        bound = BOUND if is_quiet and self.goes_first else BOUND_WHERE_OTHERS_ARE
        late = {}
        for name, (begun, ended) in self._phases.items():
            took = sorted(one for at, till, one in answers if at <= ended and till >= begun)
            print(
                f"{name}: {ended - begun:.2f} s, {len(took)} answers, "
                f"half within {took[len(took) // 2]:.1f} ms, all within {took[-1]:.1f} ms"
            )
            if took[-1] > bound:
                late[name] = took[-1]
        assert not late, f"more than {bound:g} ms, asked by one who goes first: {self.goes_first}"

    def close(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.communicate()


@pytest.mark.parametrize("options", ["", "realtime = yes\n"], ids=["usual", "realtime"])
def test_a_thousand_start_survive_a_massacre_and_stop(
    start: Callable[..., Daemon], options: str
) -> None:
    text = f"cmd = sleep 1000\nnumprocesses = {COUNT}\nautostart = no\n"
    daemon = start(f"[watcher:crowd]\n{text}", circus=options)
    prober = Prober(daemon, "crowd")
    try:
        with prober.phase("start"):
            daemon.ok("start", name="crowd", waiting=True)
        before = daemon.pids("crowd")
        assert len(before) == COUNT
        with prober.phase("all killed at once"):
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            until(lambda: daemon.status("crowd")["restarts"] == COUNT)
            after = daemon.until_active("crowd", COUNT)
        assert not set(before) & set(after)
        with prober.phase("stats"):
            assert len(daemon.ok("stats", name="crowd")["info"]) == COUNT
        with prober.phase("stop"):
            daemon.ok("stop", name="crowd", waiting=True)
        assert not any(map(is_alive, after))
        print(f"{daemon.rss() / MEGABYTE:.0f} MB at the end")
        assert not daemon.zombies()
        prober.check()
    finally:
        prober.close()


def test_a_subscriber_that_does_not_read_costs_bounded_memory(
    start: Callable[..., Daemon], listen: Callable[..., Ear]
) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n", tcp=True)
    # Long ones, so that the kernel's buffers are full long before the last.
    options = {f"flapping.{i}{'x' * 1500}": i for i in range(4)}
    events = 20_000
    quick = listen(daemon, "watcher.w.updated")
    sleepy: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    sleepy.setsockopt(zmq.LINGER, 0)
    sleepy.setsockopt(zmq.RCVHWM, 1)
    sleepy.setsockopt(zmq.RCVBUF, 4096)
    try:
        sleepy.subscribe("")
        sleepy.connect(daemon.events)
        until(lambda: bool(daemon.ok("set", name="w", options=options) and sleepy.poll(50)))
        before = daemon.rss()
        quick.forget()
        for _ in range(events // len(options)):
            daemon.ok("set", name="w", options=options)
        heard = quick.wait_for("updated", "w", count=events, limit=60)
        numbers = [one.body["seq"] for one in heard]
        assert numbers == list(range(numbers[0], numbers[0] + events))
        grown = daemon.rss() - before
        print(f"memory grew by {grown / MEGABYTE:.1f} MB over {events} events")
        assert grown < 24 * MEGABYTE
        late = 0
        while sleepy.poll(200):
            sleepy.recv_multipart()
            late += 1
        assert 0 < late < events, "it was not slow enough to prove anything"
    finally:
        sleepy.close()
