"""A daemon with more processes, and more callers, than it may have descriptors for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import zmq

from tests.live.daemon import BIN, Daemon, until
from tests.live.wire import Caller

pytestmark = pytest.mark.live

LIMIT, ROOM = 128, 16
"""What it may have, and what is kept for callers."""
TOO_MANY = "too many open files"


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    """Start a daemon that can have a third of its processes."""
    few = f'ulimit -n {LIMIT}; exec {BIN}/circusd --log-level debug "$@"'
    return start(
        "[watcher:many]\ncmd = sleep 1000\nnumprocesses = 200\nready = spawned\n",
        program=("/bin/sh", "-c", few, "sh"),
    )


def test_those_that_ask_are_let_in_before_one_more_process(daemon: Daemon) -> None:
    until(lambda: TOO_MANY in (daemon.status("many")["reason"] or ""))
    count = len(daemon.pids("many"))
    assert count > 10
    for _ in range(5):
        outcome = daemon.control("numprocesses", "many")
        assert outcome.stdout.strip() == str(count), outcome
    # What it has goes on to be looked after.
    daemon.ok("kill", name="many", signum="kill")
    until(lambda: len(daemon.pids("many")) >= count - 2)


def test_callers_that_find_no_room_do_not_end_it(daemon: Daemon) -> None:
    until(lambda: TOO_MANY in (daemon.status("many")["reason"] or ""))
    callers: list[zmq.Socket[bytes]] = []
    try:
        for _ in range(ROOM + 10):
            callers.append(Caller(daemon.endpoint).socket)
            daemon.ok("list")
    finally:
        for caller in callers:
            caller.close(0)
    until(lambda: daemon.control("status", "many").returncode in (0, 3))
