"""Clients that never stop calling, while everything behind the socket is replaced."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, free_port, until
from tests.rollout.clients import Clients

BOOT = 1.0
WORKER = Path(__file__).with_name("worker.py")


def configuration(port: int, *options: str, boot: float = BOOT, fate: str = "serve") -> str:
    """Return three workers behind a socket of the daemon."""
    command = f"cmd = {sys.executable} {WORKER} $(circus.sockets.web) {boot} {fate}"
    usual = ("numprocesses = 3", "use_sockets = True", "ready = notify", "graceful_timeout = 10")
    watcher = "\n".join(["[watcher:web]", command, *usual, *options])
    return f"[socket:web]\nhost = 127.0.0.1\nport = {port}\n{watcher}\n"


@pytest.fixture
def port() -> int:
    """Return a port that is free."""
    return free_port()


def serving(start: Start, port: int, *options: str) -> tuple[Daemon, list[int]]:
    """Start a daemon whose three workers are ready."""
    daemon = start(configuration(port, *options))
    until(lambda: daemon.status("web")["ready"] == 3)
    return daemon, daemon.pids("web")


@pytest.mark.parametrize("fate", ["never", "crash"])
def test_while_a_release_fails(start: Start, port: int, fate: str) -> None:
    daemon, before = serving(start, port, "ready_timeout = 2", "max_retry = 2")
    with Clients(port) as clients:
        daemon.write(configuration(port, "ready_timeout = 2", "max_retry = 2", boot=0.2, fate=fate))
        errno, reason = daemon.refused("reloadconfig", waiting=True)
        assert errno == 5
        assert reason.startswith("web: "), reason
        until(lambda: daemon.pids("web") == before)
        (step,) = daemon.ok("reloadconfig", plan=True)["plan"]["watchers"]
        assert step["action"] == "reload", "the next reloadconfig tries it again"
    assert clients.total.failures == []
    assert clients.total.slowest < BOOT


def test_a_bad_file_says_all_that_is_wrong_and_changes_nothing(start: Start, port: int) -> None:
    daemon, before = serving(start, port)
    daemon.write("[watcher:a]\nnumprocesses = x\n[watcher:b]\nmax_retry = y\ncmd = true\n")
    reply = daemon.call("reloadconfig", waiting=True)
    assert (reply["status"], reply["errno"]) == ("error", 5)
    assert len(reply["problems"]) == 3
    assert all(one in reply["reason"] for one in reply["problems"])
    assert daemon.pids("web") == before


def test_a_plan_is_shown_and_not_done(start: Start, port: int) -> None:
    daemon, before = serving(start, port)
    daemon.write(configuration(port, "priority = 3", boot=2) + "[watcher:new]\ncmd = sleep 9\n")
    shown = daemon.control("reloadconfig", "--plan").stdout
    assert shown.splitlines() == [
        "reload web: cmd and priority differ",
        "add new: it is new in the file",
    ]
    assert daemon.pids("web") == before
    assert daemon.ok("list")["watchers"] == ["web"]


def test_options_of_the_daemon_are_told_apart(start: Start, port: int) -> None:
    daemon, _ = serving(start, port)
    daemon.circus += "warmup_delay = 0.1\ndebug = yes\n"
    daemon.write(configuration(port))
    for _ in range(2):
        options = daemon.ok("reloadconfig", waiting=True)["plan"]["options"]
        assert options["at_next_start"] == ["debug"]
    assert options["at_once"] == []
