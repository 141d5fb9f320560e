"""Watchers that start at the first connection: at once, alone, and again when they are done."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tests.live.clients import address, connected, who, who_echoes
from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.test_sockets import DNS, SERVE, WEB, watcher

OTHER = "[socket:other]\nhost = 127.0.0.1\nport = 0\n"
LATENCY = 1.0
"""Seconds from a connection to the start; it takes milliseconds on a machine that is not busy."""


def on_demand(how: str, *options: str, name: str = "w", socket: str = "web") -> str:
    return watcher(
        f"{SERVE} {how} $(circus.sockets.{socket})", "on_demand = yes", *options, name=name
    )


def until_waiting(daemon: Daemon, name: str = "w") -> None:
    until(lambda: daemon.status(name)["reason"] == "waits for a connection")
    assert daemon.status(name)["status"] == "stopped"
    assert not daemon.pids(name)


def test_it_starts_at_the_first_connection_and_only_it(start: Start) -> None:
    daemon = start(
        WEB
        + OTHER
        + on_demand("fd")
        + on_demand("fd", name="beside", socket="other")
        + watcher("sleep 1000", name="stopped", uses=False)
        + watcher("sleep 1000", "autostart = no", name="manual", uses=False)
    )
    until_waiting(daemon)
    daemon.until_active("stopped")
    daemon.ok("stop", name="stopped", waiting=True)
    with daemon.listen("watcher.") as ear:
        before = time.monotonic()
        pid = who(address(daemon, "web"))
        (spawn,) = ear.wait_for("spawn", "w")
        assert spawn.pid == pid
        assert spawn.at - before < LATENCY
        assert (
            not ear.of("spawn", "beside") + ear.of("spawn", "stopped") + ear.of("spawn", "manual")
        )
    assert daemon.until_active("w") == [pid]
    until_waiting(daemon, "beside")
    assert [daemon.status(name)["status"] for name in ("stopped", "manual")] == ["stopped"] * 2


def test_a_datagram_starts_it_too(start: Start) -> None:
    daemon = start(DNS + on_demand("udp", socket="dns"))
    until_waiting(daemon)
    assert who_echoes(address(daemon, "dns")) in daemon.until_active("w")


def test_it_waits_again_and_again(start: Start) -> None:
    daemon = start(WEB + on_demand("once"))
    seen = set()
    for _ in range(5):
        until_waiting(daemon)
        seen.add(who(address(daemon, "web")))
    assert len(seen) == 5
    until_waiting(daemon)


def test_stopped_by_hand_it_stays_down(start: Start) -> None:
    daemon = start(WEB + OTHER + on_demand("once") + on_demand("once", name="o", socket="other"))
    until_waiting(daemon)
    daemon.ok("stop", name="w", waiting=True)
    with connected(address(daemon, "web")) as client:
        # The other one coming up shows that knocks are heard.
        who(address(daemon, "other"))
        until_waiting(daemon, "o")
        assert not daemon.pids("w")
        assert daemon.status("w")["reason"] is None
        daemon.ok("start", name="w", waiting=True)
        assert int(client.recv(100)) > 0


def test_one_that_was_waited_for_is_stopped_like_any_other(start: Start) -> None:
    daemon = start(WEB + on_demand("fd"))
    until_waiting(daemon)
    first = who(address(daemon, "web"))
    daemon.ok("restart", name="w", waiting=True)
    (second,) = daemon.pids("w")
    assert who(address(daemon, "web")) == second != first
    daemon.ok("stop", name="w", waiting=True)
    daemon.ok("start", name="w", waiting=True)
    until_waiting(daemon)


@pytest.mark.parametrize("how", [("stdin_socket = web",), ("sockets = web",)])
def test_however_it_is_told_of_its_socket(start: Start, how: tuple[str, ...]) -> None:
    cmd = f"{SERVE} stdin" if "stdin" in how[0] else f"{SERVE} listed web"
    daemon = start(WEB + OTHER + watcher(cmd, "on_demand = yes", *how, uses=False))
    until_waiting(daemon)
    with connected(address(daemon, "other")):
        until_waiting(daemon)
        assert who(address(daemon, "web")) in daemon.until_active("w")


def test_who_does_not_take_the_connection_does_not_eat_the_machine(start: Start) -> None:
    daemon = start(WEB + watcher("true", "on_demand = yes", "sockets = web", uses=False))
    until_waiting(daemon)
    with daemon.listen("watcher.w.spawn") as ear, connected(address(daemon, "web")):
        ear.wait_for("spawn", "w", count=21)
        before = len(ear.of("spawn", "w"))
        ear.wait_for("spawn", "w", count=before + 3)
        times = [one.at for one in ear.of("spawn", "w")]
    pauses = [later - one for one, later in pairwise(times)]
    assert max(pauses) > 0.09
    daemon.ok("stop", name="w", waiting=True)


def test_a_quit_while_somebody_knocks_leaves_nobody_behind(start: Start) -> None:
    daemon = start(WEB + on_demand("fd", "numprocesses = 5"))
    until_waiting(daemon)
    with connected(address(daemon, "web")):
        assert daemon.stop() == 0
    assert not daemon.alive()


def test_reloadconfig_takes_the_waiting_along(start: Start) -> None:
    daemon = start(WEB + on_demand("fd"))
    until_waiting(daemon)
    old = address(daemon, "web")
    daemon.write(WEB + "blocking = yes\n" + on_demand("fd"))
    daemon.ok("reloadconfig", waiting=True)
    until_waiting(daemon)
    new = address(daemon, "web")
    assert new != old
    assert who(new) in daemon.until_active("w")
