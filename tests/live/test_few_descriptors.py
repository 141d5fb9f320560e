"""A daemon with more processes, and more callers, than it may have descriptors or memory for."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from contextlib import suppress

import psutil
import pytest
import zmq

from tests.live.daemon import BIN, Daemon, until
from tests.live.wire import Caller

pytestmark = pytest.mark.live

LIMIT, ROOM = 128, 16
"""What it may have, and what is kept for callers."""
FEW = f'ulimit -n {LIMIT}; exec {BIN}/circusd --log-level debug "$@"'
TOO_MANY = "too many open files"


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    """Start a daemon that can have a third of its processes."""
    return start(
        "[watcher:many]\ncmd = sleep 1000\nnumprocesses = 200\nready = spawned\n",
        program=("/bin/sh", "-c", FEW, "sh"),
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


@pytest.mark.parametrize("tcp", [False, True])
def test_silent_connections_do_not_end_it(start: Callable[..., Daemon], tcp: bool) -> None:
    daemon = start(
        "[watcher:w]\ncmd = sleep 1000\nnumprocesses = 5\nready = spawned\n",
        program=("/bin/sh", "-c", FEW, "sh"),
        tcp=tcp,
    )
    pids = daemon.until_active("w", 5)
    connections = [_connection(daemon.endpoint) for _ in range(5 * LIMIT)]
    assert daemon.process.poll() is None
    for connection in connections:
        connection.close()
    assert daemon.control("--wait-for-daemon", "status", "w").returncode == 0
    assert daemon.pids("w") == pids


def _connection(endpoint: str) -> socket.socket:
    """Begin to connect, and say nothing, however far it gets."""
    transport, _, place = endpoint.partition("://")
    connection = socket.socket(socket.AF_UNIX if transport == "ipc" else socket.AF_INET)
    connection.setblocking(False)
    host, _, port = place.rpartition(":")
    connection.connect_ex(place if transport == "ipc" else (host, int(port)))
    return connection


def test_those_who_greet_by_halves_keep_nobody_out(start: Callable[..., Daemon]) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    connections = [_connection(daemon.endpoint) for _ in range(200)]
    for connection in connections:
        # The greeting of ZMTP, and no handshake; some are not connected yet.
        with suppress(OSError):
            connection.send(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(55, b"\0"))
    for _ in range(3):
        assert daemon.control("--wait-for-daemon", "status", "w").returncode == 0
    callers = [Caller(daemon.endpoint) for _ in range(50)]
    assert [caller.call("list")["status"] for caller in callers] == ["ok"] * 50
    for caller in callers:
        caller.socket.close(0)
    for connection in connections:
        connection.close()


def _parts_of(daemon: Daemon, workers: Collection[int]) -> list[psutil.Process]:
    """Return the processes that a daemon itself is made of."""
    circusd = psutil.Process(daemon.process.pid)
    return [circusd, *(child for child in circusd.children() if child.pid not in workers)]


@pytest.mark.parametrize("spare", [10, 0, -20])
def test_a_limit_that_is_lowered_from_outside_does_not_end_it(
    start: Callable[..., Daemon], spare: int
) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\nnumprocesses = 30\nready = spawned\n")
    pids = daemon.until_active("w", 30)
    parts = _parts_of(daemon, pids)
    limits = [part.rlimit(psutil.RLIMIT_NOFILE) for part in parts]
    for part, (_, hard) in zip(parts, limits, strict=True):
        part.rlimit(psutil.RLIMIT_NOFILE, (part.num_fds() + spare, hard))
    for connection in [_connection(daemon.endpoint) for _ in range(50)]:
        connection.close()
    for _ in range(3):
        outcome = daemon.control("--wait-for-daemon", "numprocesses", "w")
        assert outcome.stdout.strip() == "30", (outcome, daemon.text())
    assert daemon.pids("w") == pids
    # What can not be replaced now is, once there is room again.
    daemon.ok("kill", name="w", signum="kill")
    for part, limit in zip(parts, limits, strict=True):
        part.rlimit(psutil.RLIMIT_NOFILE, limit)
    assert not set(daemon.until_active("w", 30)) & set(pids)


def test_a_limit_of_memory_that_is_lowered_from_outside_does_not_end_it(
    start: Callable[..., Daemon],
) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\nnumprocesses = 5\nready = spawned\n")
    pids = daemon.until_active("w", 5)
    parts = _parts_of(daemon, pids)
    limits = [part.rlimit(psutil.RLIMIT_AS) for part in parts]
    for part, (_, hard) in zip(parts, limits, strict=True):
        part.rlimit(psutil.RLIMIT_AS, (part.memory_info().vms, hard))
    # Whatever can be done for want of it, what runs is left alone, and it is said what is missing.
    outcome = daemon.control("reloadconfig")
    assert outcome.returncode == 0 or "this daemon gets no more" in outcome.stderr, outcome
    assert daemon.pids("w") == pids
    for part, limit in zip(parts, limits, strict=True):
        part.rlimit(psutil.RLIMIT_AS, limit)
    assert daemon.control("reloadconfig").returncode == 0
    assert daemon.control("incr", "w", "--waiting").returncode == 0
    assert set(daemon.until_active("w", 6)) >= set(pids)
