"""The files of endpoints are swept away, as from /tmp: a signal makes them again."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, until
from tests.live.wire import Caller

Start = Callable[..., Daemon]


def file_of(endpoint: str) -> Path:
    return Path(endpoint.removeprefix("ipc://"))


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_makes_them_again(start: Start, signum: int) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    daemon.until_active("w", 1)
    ear = daemon.listen("watcher.")
    for endpoint in (daemon.endpoint, daemon.events):
        modes = stat.S_IMODE(file_of(endpoint).stat().st_mode)
        file_of(endpoint).unlink()
        daemon.process.send_signal(signum)
        until(file_of(endpoint).exists)
        until(lambda endpoint=endpoint: daemon.said(f"{endpoint} was taken away; it is made again"))  # type: ignore[misc]
        assert stat.S_IMODE(file_of(endpoint).stat().st_mode) == modes
    # Those who are connected stay, and others come in.
    daemon.ok("list")
    assert ear.catch_up(5)
    newcomer = Caller(daemon.endpoint)
    try:
        assert newcomer.call("list")["watchers"] == ["w"]
    finally:
        newcomer.close()
    late = daemon.listen("watcher.")
    assert late.catch_up(5)


def test_what_is_there_is_left_alone(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    file = file_of(daemon.endpoint)
    before = file.stat().st_ino
    daemon.process.send_signal(signal.SIGUSR1)
    until(lambda: daemon.said("SIGUSR1: opening"))
    daemon.ok("list")
    assert file.stat().st_ino == before
    assert not daemon.said("made again")


def test_what_somebody_else_listens_at_is_theirs(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    file = file_of(daemon.endpoint)
    file.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(file))
        other.listen()
        inode = file.stat().st_ino
        daemon.process.send_signal(signal.SIGUSR1)
        until(lambda: daemon.said(f"is another daemon running there? (process {os.getpid()})"))
        daemon.ok("list")
        assert file.stat().st_ino == inode
