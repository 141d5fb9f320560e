"""Output and statistics are for those who may read: users of this machine, and holders of keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import free_port, until
from tests.live.keyring import Keyring, Start, by_key
from tests.live.others import Other
from tests.live.test_access import OPERATOR, OTHER, VIEWER, of_kind

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="only root can be other users"),
    pytest.mark.skipif(not os.path.exists("/proc/net"), reason="only Linux tells who calls"),
]

BODY = f"""
[watcher:web]
cmd = sh -c 'while :; do echo tick; sleep 0.2; done'
stdout_stream.class = StdoutStream
allow_users = {OPERATOR} key:gus
graceful_timeout = 1

[watcher:db]
cmd = sh -c 'echo tock; exec sleep 1000'
stdout_stream.class = StdoutStream
graceful_timeout = 1
"""

Others = Callable[..., Other]


@pytest.mark.parametrize("kind", ["ipc", "tcp4"])
def test_tail_follows_the_lists(start: Start, other: Others, kind: str) -> None:
    daemon = of_kind(start, kind, body=BODY, circus=f"viewers = {VIEWER}\n")
    until(lambda: "tick" in str(daemon.ok("tail", name="web")))
    for uid, web, db in ((VIEWER, True, True), (OPERATOR, True, False), (OTHER, False, False)):
        asked = [("tail", {"name": name}) for name in ("web", "db")]
        replies = other(uid, "ask", daemon.endpoint).asks(asked)
        assert [reply["status"] == "ok" for reply in replies] == [web, db], (uid, replies)
        assert ("tick" in str(replies), "tock" in str(replies)) == (web, db)


def test_streams_are_for_those_who_may_read(start: Start, other: Others) -> None:
    daemon = of_kind(start, "tcp4", body=BODY, circus=f"viewers = {VIEWER}\n")
    may = other(VIEWER, "hear", daemon.events, "stream.")
    may_not = [other(uid, "hear", daemon.events, "stream.") for uid in (OPERATOR, OTHER)]
    assert may.said.readline().startswith("heard stream.web.")
    for one in may_not:
        assert one.said.readline() == "turned away\n"
        one.told.write("\n")
        one.told.flush()
        assert one.said.readline() == "0\n"


def with_statistics(endpoint: str) -> str:
    """Return the lines that turn statistics on."""
    return f"stats_endpoint = {endpoint}\nstats_interval = 0.2\n"


def test_statistics_are_for_those_who_may_read(start: Start, other: Others) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    circus = f"viewers = {VIEWER}\n{with_statistics(endpoint)}"
    daemon = of_kind(start, "tcp4", body=BODY, circus=circus)
    daemon.until_active("circusd-stats")
    may = other(VIEWER, "hear", endpoint, "stat.")
    may_not = [other(uid, "hear", endpoint, "stat.") for uid in (OPERATOR, OTHER)]
    assert may.said.readline().startswith("heard stat.")
    assert [one.said.readline() for one in may_not] == ["turned away\n"] * 2


def test_statistics_by_key(start: Start, other: Others, tmp_path: Path) -> None:
    ring = Keyring(tmp_path)
    for name, role in (("vera", "viewer"), ("gus", "guest"), ("eve", None)):
        ring.person(name, role)
    port = free_port()
    daemon = by_key(start, ring, BODY, circus=with_statistics(f"tcp://0.0.0.0:{port}"))
    daemon.until_active("circusd-stats")
    endpoint = f"tcp://127.0.0.1:{port}"

    def hears(name: str) -> str:
        return other(OTHER, "hear", endpoint, "stat.", keys=ring.words(name)).said.readline()

    assert hears("vera").startswith("heard stat.")
    assert [hears(name) for name in ("gus", "eve")] == ["turned away\n"] * 2
    ring.revoke("vera")
    daemon.ok("reloadconfig", waiting=True)
    until(lambda: hears("vera") == "turned away\n")
    assert daemon.ok("status", name="circusd-stats")["restarts"] == 0
