"""circusd is killed: its processes go on, or not, as their watcher says."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.live.daemon import Daemon, is_alive, until

WATCHERS = """
[watcher:goes]
cmd = sleep 1000
numprocesses = 3
death_signal = KILL
[watcher:hears]
cmd = sh -c 'trap "exec sleep 1000" USR1; echo up; while :; do sleep 0.05; done'
death_signal = USR1
[watcher:stays]
cmd = sleep 1000
"""


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    one = Daemon(WATCHERS)
    try:
        yield one.start()
    finally:
        one.clean_up()
        shutil.rmtree(one.folder)


def name(pid: int) -> str:
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


def test_the_kernel_tells_processes_of_it(daemon: Daemon) -> None:
    gone = daemon.until_active("goes", 3)
    (hears,), (stays,) = daemon.until_active("hears", 1), daemon.until_active("stays", 1)
    until(lambda: daemon.said("\nup\n"))
    daemon.process.kill()
    until(lambda: not any(map(is_alive, gone)))
    until(lambda: name(hears) == "sleep")
    assert is_alive(stays)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_those_of_another_user_too(daemon: Daemon) -> None:
    daemon.ok("set", name="goes", options={"uid": "nobody"}, waiting=True)
    pids = daemon.until_active("goes", 3)
    daemon.process.kill()
    until(lambda: not any(map(is_alive, pids)))


def test_a_stop_is_as_ever(daemon: Daemon) -> None:
    daemon.until_active("goes", 3)
    assert daemon.stop(signal.SIGTERM) == 0
    assert not daemon.alive()
