"""Configurations of Supervisor run by supervisord and by ours: the same processes come."""

from __future__ import annotations

import http.client
import os
import xmlrpc.client
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from supervisor.xmlrpc import SupervisorTransport

from tests.importers.runs import (
    HERE,
    alive,
    circusd,
    commands,
    imported,
    kill_all,
    prepared,
    records,
    samples,
    started,
)
from tests.programs import wait_until

pytestmark = pytest.mark.live

UNDER_WAY = ("STARTING", "BACKOFF", "STOPPING")
OF_THE_ACCOUNT = {"laravel-queue": ("HOME", "USER", "LOGNAME", "SHELL")}
"""Samples with a user, whose variables only ours gives to the processes; they need root, too."""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WITNESS_HOME", "/home/of the/witness")
    # A socket's path must be short.
    with TemporaryDirectory(prefix="imp") as short:
        yield Path(short)


def connected(folder: Path) -> xmlrpc.client.ServerProxy:
    """Return what supervisorctl would use; one that has met an error is of no use any more."""
    transport = SupervisorTransport(None, None, f"unix://{folder}/sock")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)


@contextmanager
def supervisord(file: Path) -> Iterator[xmlrpc.client.ServerProxy]:
    """Run Supervisor itself, and yield what its ctl would use."""
    folder = file.parent
    log = folder / "supervisord.out"
    with HERE.running("supervisord", "-c", str(file), log=log, cwd=folder) as daemon:

        def is_listening() -> bool:
            assert daemon.poll() is None, log.read_text(encoding="utf-8")
            try:
                return bool(connected(folder).supervisor.getState())
            except (OSError, http.client.HTTPException):
                return False

        wait_until(is_listening)
        proxy = connected(folder)
        yield proxy
        proxy.supervisor.shutdown()
        daemon.wait(timeout=30)


def settle(proxy: xmlrpc.client.ServerProxy, folder: Path, dead: Collection[int] = ()) -> None:
    """Wait until nothing is under way, and every process that runs has written its record.

    ``dead`` are those whose death has to be noticed, too.

    Supervisor answers between noticing a death and starting the process again: it is told as
    EXITED for one turn of its loop, as one is that stays so. What two answers in a row say is so.
    """

    def looks_settled() -> bool:
        infos = proxy.supervisor.getAllProcessInfo()
        assert isinstance(infos, list)
        if any(info["statename"] in UNDER_WAY for info in infos):
            return False
        pids = {info["pid"] for info in infos if info["statename"] == "RUNNING"}
        return pids.isdisjoint(dead) and pids <= {record["pid"] for record in records(folder)}

    wait_until(lambda: looks_settled() and looks_settled())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", samples("supervisord"))
def test_the_same_processes_come_and_come_again(name: str, folder: Path) -> None:
    if name in OF_THE_ACCOUNT and os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    besides = OF_THE_ACCOUNT.get(name, ())
    file = prepared("supervisord", name, folder)
    with supervisord(file) as proxy:
        settle(proxy, folder)
        theirs, running = started(folder, besides), commands(alive(folder))
        settle(proxy, folder, kill_all(folder))
        running_again = commands(alive(folder))
    ini, _ = imported(file)
    with circusd(ini):
        wait_until(lambda: sum(started(folder).values()) >= sum(theirs.values()), 90)
        assert differences(theirs, started(folder, besides)) == ([], [])
        wait_until(lambda: commands(alive(folder)) == running, 90)
        kill_all(folder)
        wait_until(lambda: commands(alive(folder)) == running_again, 90)


def differences(theirs: Counter[str], ours: Counter[str]) -> tuple[list[str], list[str]]:
    """Return what only they have, and what only we have."""
    return sorted((theirs - ours).elements()), sorted((ours - theirs).elements())
