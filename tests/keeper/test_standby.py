"""A process that has loaded everything waits for its turn to be the brain."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cvec_circus_core.system.keeper_client.standby_fork import NAME
from tests.keeper.kept import Kept
from tests.keeper.test_upgrade import BAD, environment
from tests.live.daemon import is_alive, until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a sub-reaper"),
]

_SLEEPERS = """
[watcher:sleepers]
cmd = sleep 1000
numprocesses = 3
ready = spawned
settle = 0
"""


@pytest.fixture
def daemon() -> Iterator[Kept]:
    daemon = Kept(_SLEEPERS)
    try:
        yield daemon
        if daemon.process.poll() is None:
            daemon.account()
    finally:
        daemon.clean_up()


def standbys(daemon: Kept) -> list[int]:
    """Return the pids of those that wait, once that is one."""
    pids: list[int] = []

    def is_one() -> bool:
        children = psutil.Process(daemon.process.pid).children()
        pids[:] = [child.pid for child in children if _name(child) == NAME]
        return len(pids) == 1

    until(is_one)
    return pids


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


def _brain_of(daemon: Kept) -> dict[str, Any]:
    facts: dict[str, Any] = daemon.ok("dstats")["daemon"]
    return facts


def test_it_is_the_next_brain_and_has_forked_another(daemon: Kept) -> None:
    daemon.start()
    pids = daemon.until_active("sleepers", 3)
    for starts in (2, 3, 4):
        (standby,) = standbys(daemon)
        daemon.kill_brain()
        facts = _brain_of(daemon)
        assert (facts["pid"], facts["starts"]) == (standby, starts)
        assert daemon.brain() == standby
        assert psutil.Process(standby).ppid() == daemon.process.pid
        assert daemon.pids("sleepers") == pids
    assert standbys(daemon) != [standby]


def test_it_has_nothing_of_the_brain_that_has_forked_it(daemon: Kept) -> None:
    daemon.start()
    daemon.until_active("sleepers", 3)
    daemon.kill_brain()
    (standby,) = standbys(daemon)
    numbers = os.listdir(f"/proc/{standby}/fd")
    assert len(numbers) == 4, numbers  # the standard streams and its connection
    assert os.getsid(standby) == standby


def test_one_that_was_killed_is_missed_by_nobody(daemon: Kept) -> None:
    daemon.start()
    pids = daemon.until_active("sleepers", 3)
    (standby,) = standbys(daemon)
    os.kill(standby, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(standby))
    daemon.kill_brain()
    assert daemon.pids("sleepers") == pids
    assert standbys(daemon)


def test_one_that_was_stopped_goes_on_when_its_turn_has_come(daemon: Kept) -> None:
    daemon.start()
    (standby,) = standbys(daemon)
    os.kill(standby, signal.SIGSTOP)
    until(lambda: psutil.Process(standby).status() == psutil.STATUS_STOPPED)
    daemon.kill_brain()
    assert _brain_of(daemon)["pid"] == standby


def test_it_ends_with_the_keeper(daemon: Kept) -> None:
    daemon.start()
    pids = [*standbys(daemon), daemon.brain()]
    os.kill(daemon.process.pid, signal.SIGKILL)
    daemon.process.wait()
    until(lambda: not any(map(is_alive, pids)))
    until(lambda: bool(daemon.brain()))


def test_a_failed_upgrade_goes_back_to_code_that_has_no_files_any_more(tmp_path: Path) -> None:
    """As ``pip install -U`` does, which puts the new code into the place of the old."""
    venv = environment(tmp_path / "venv")
    program = (sys.executable, "-P", "-m", "cvec_circus_cli.circusd", "--log-level", "debug")
    daemon = Kept(_SLEEPERS, program=program)
    try:
        daemon.start(PYTHONPATH=str(venv / "code"))
        pids = daemon.until_active("sleepers", 3)
        (standby,) = standbys(daemon)
        shutil.rmtree(venv)
        environment(venv, *BAD["crash"])
        done = daemon.control("upgrade", "--watch", "0.1", "--limit", "120")
        assert "ended with exit code 7" in done.stdout + done.stderr
        assert done.returncode == 3
        assert _brain_of(daemon)["pid"] == standby
        assert daemon.pids("sleepers") == pids
        daemon.account()
    finally:
        daemon.clean_up()
