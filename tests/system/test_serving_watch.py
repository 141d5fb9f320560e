"""Real processes that come to wait on a socket, seen at the moment at which they do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cvec_circus_core.model.launch import Served
from cvec_circus_core.system.net.socket_waits import Waiting
from cvec_circus_core.system.processes import serving_watch
from cvec_circus_core.system.processes.serving_watch import ServingWatch

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is seen in /proc"),
]
LIMIT = 30.0

# A line of standard input begins each stage.
SERVER = """
import os, socket, sys, threading
listening, how = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
print("there", flush=True)
sys.stdin.readline()
if how == "waits":
    listening.accept()
elif how == "waits in a child":
    if not os.fork():
        listening.accept()
    sys.stdin.readline()
elif how == "is busy":
    connection, _ = listening.accept()
    listening.close()
    sys.stdin.readline()
elif how == "loses a child":
    children = [os.fork()]
    if not children[0]:
        listening.accept()
        os._exit(1)
    sys.stdin.readline()
    os.kill(children[0], 9)
    os.waitpid(children[0], 0)
    sys.stdin.readline()
"""


class Bench:
    """A socket, a process that has it, and what was told of the process."""

    def __init__(self, how: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.watch = ServingWatch(self.loop)
        self.managed = socket.create_server(("127.0.0.1", 0))
        self.told: list[Waiting] = []
        descriptor = self.managed.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(descriptor), how],
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"there\n"
        served = Served(ports=frozenset({self.managed.getsockname()[1]}))
        inode = os.fstat(descriptor).st_ino
        self.watch.add(self.process.pid, served, frozenset({inode}), self.told.append)

    def go_on(self) -> None:
        """Let the process begin its next stage."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def run(self, seconds: float) -> None:
        """Let the loop run for a while."""
        self.loop.call_later(seconds, self.loop.stop)
        self.loop.run_forever()

    def until_told(self) -> Waiting:
        """Let the loop run until the process was told of."""
        ends_at = time.monotonic() + LIMIT
        while not self.told:
            assert time.monotonic() < ends_at, "nothing was told"
            self.run(0.01)
        return self.told[0]


@contextmanager
def bench(how: str) -> Iterator[Bench]:
    made = Bench(how)
    try:
        yield made
    finally:
        made.watch.close()
        os.killpg(made.process.pid, signal.SIGKILL)
        made.process.communicate()
        made.managed.close()
        made.loop.close()


@pytest.mark.parametrize("how", ["waits", "waits in a child"])
def test_it_is_told_once_and_not_before_it_waits(how: str) -> None:
    with bench(how) as place:
        place.run(4 * serving_watch.APART)
        assert place.told == []
        place.go_on()
        assert place.until_told() is Waiting.YES
        place.run(4 * serving_watch.APART)
        assert place.told == [Waiting.YES]


def test_one_that_is_busy_from_its_first_moment_on_counts() -> None:
    with bench("is busy") as place, socket.create_connection(place.managed.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        place.run(2 * serving_watch.APART)
        assert place.told == []
        place.go_on()
        assert place.until_told() is Waiting.YES


def test_one_that_loses_a_member_between_two_looks_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving_watch, "APART", 3.0)
    with bench("loses a child") as place:
        place.go_on()
        place.run(0.5)
        place.go_on()
        place.run(3.5)
        assert place.told == []


def test_nobody_is_told_of_one_that_is_left_alone() -> None:
    with bench("waits") as place:
        place.watch.discard(place.process.pid)
        place.go_on()
        place.run(3 * serving_watch.APART)
        assert place.told == []


def test_what_can_not_be_seen_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_watch, "look_at_waits", lambda *_: Waiting.UNKNOWN)
    monkeypatch.setattr(serving_watch, "BLIND_FOR", 0.3)
    with bench("waits") as place:
        assert place.until_told() is Waiting.UNKNOWN
