"""The keeper itself is killed: the brain starts another, and nothing else changes."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.keeper import keeper_killed
from tests.keeper.kept import Kept
from tests.keeper.test_service import Manager
from tests.live.daemon import is_alive, until

pytestmark = pytest.mark.live

_BODY = """
[socket:web]
path = {folder}/web
[watcher:trees]
cmd = sh -c "setsid sleep 1000 & echo up; exec sleep 1000"
numprocesses = 2
use_sockets = yes
ready = spawned
settle = 0
stdout_stream.class = FileStream
stdout_stream.filename = {folder}/lines
[watcher:exits]
cmd = sh -c "until [ -e {folder}/end ]; do sleep 0.05; done; exit 7"
numprocesses = 1
ready = spawned
respawn = False
"""


@pytest.fixture
def started() -> Iterator[Any]:
    daemons: list[Kept] = []

    def start(*flags: str, **environment: str) -> Kept:
        daemon = Kept("", *flags)
        daemons.append(daemon)
        daemon.write(_BODY.format(folder=daemon.folder))
        daemon.start(**environment)
        daemon.until_active("trees", 2)
        daemon.until_active("exits", 1)
        return daemon

    yield start
    for daemon in daemons:
        daemon.clean_up()


def _end(daemon: Kept) -> None:
    """End it; nobody is left, whoever has started them."""
    daemon.end()
    until(lambda: not any(map(is_alive, daemon.alive())))
    assert "Traceback" not in daemon.text()


def test_under_load_nothing_is_lost_doubled_or_left() -> None:
    books = keeper_killed.run(3, seed=5)
    assert books.problems == []
    assert books.failures == []
    assert (books.lost_lines, books.doubled_lines, books.disordered_lines) == (0, 0, 0)


def test_ends_and_trees_of_what_others_have_for_children_are_known(started: Any) -> None:
    daemon = started()
    pids = daemon.pids("trees"), daemon.pids("exits")
    before, after = daemon.kill_keeper()
    assert before != after
    assert (daemon.pids("trees"), daemon.pids("exits")) == pids
    assert daemon.ok("dstats")["daemon"]["keeper"]["pid"] == after
    (daemon.folder / "end").touch()
    until(lambda: daemon.said(f"exits process [pid {pids[1][0]}] ended by itself, exit code 7"))
    daemon.ok("stop", name="trees", waiting=True)
    until(lambda: not _sleepers(daemon))
    daemon.ok("start", name="trees", waiting=True)
    daemon.until_active("trees", 2)
    assert {psutil.Process(pid).ppid() for pid in daemon.pids("trees")} == {after}
    _end(daemon)
    assert (daemon.folder / "lines").read_text() == 4 * "up\n"
    assert not (daemon.folder / "web").exists()


def test_a_socket_is_kept_closed_and_opened_where_it_was(started: Any) -> None:
    daemon = started()
    for _ in range(2):
        daemon.kill_keeper()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.folder / "web"))
    body = daemon.file.read_text().replace("path = ", "backlog = 7\npath = ")
    daemon.file.write_text(body)
    daemon.ok("reloadconfig", waiting=True)
    daemon.kill_keeper()
    assert daemon.ok("listsockets")["sockets"][0]["backlog"] == 7
    good = daemon.file.read_text()
    daemon.file.write_text("[circus]\nno_such_option = 1\n")
    daemon.kill_keeper()
    assert daemon.ok("list")["watchers"] == ["exits", "trees"]
    daemon.file.write_text(good.replace("/web\n", "/other\n"))
    daemon.ok("reloadconfig", waiting=True)
    daemon.kill_keeper()
    assert not (daemon.folder / "web").exists()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.folder / "other"))
    _end(daemon)
    assert not (daemon.folder / "other").exists()


def test_the_pid_file_and_the_service_manager_are_told(started: Any, tmp_path: Path) -> None:
    manager, pidfile = Manager(tmp_path), tmp_path / "pid"
    try:
        daemon = started("--pidfile", str(pidfile), NOTIFY_SOCKET=manager.address)
        manager.hear("READY=1")
        for _ in range(2):
            _, keeper = daemon.kill_keeper()
            assert int(pidfile.read_text()) == keeper
            assert manager.hear("MAINPID=") == [f"MAINPID={keeper}"]
            assert manager.hear("READY=1") == ["READY=1", f"MAINPID={keeper}"]
        second = Kept("", "--pidfile", str(pidfile))
        assert second.launch().wait(60) == 1
        assert "is running already" in second.text()
        _end(daemon)
        assert manager.hear("STOPPING=1")
        assert not pidfile.exists()
    finally:
        manager.close()


def test_a_new_keeper_has_the_limits_of_the_old_one(started: Any) -> None:
    daemon = started()
    before = Path(f"/proc/{daemon.pids('trees')[0]}/limits").read_text()
    daemon.kill_keeper()
    os.kill(daemon.pids("trees")[0], signal.SIGKILL)
    pids = daemon.pids("trees")
    until(lambda: daemon.pids("trees")[0] != pids[0] and len(daemon.pids("trees")) == 2)
    after = Path(f"/proc/{daemon.pids('trees')[0]}/limits").read_text()
    tag = re.compile("(?m)^Max file locks.*$")
    assert tag.sub("", after) == tag.sub("", before)
    assert "libcrypto" not in Path(f"/proc/{daemon.keeper()}/maps").read_text()
    _end(daemon)


def _sleepers(daemon: Kept) -> list[int]:
    return [pid for pid, line in daemon.alive().items() if "sleep 1000" in line and is_alive(pid)]
