"""A user who asks without end is told so, and nobody else waits for that."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

import pytest

from cvec_circus_core.control.peers.quotas import CONNECTIONS_OF_ONE
from cvec_circus_core.requests.rate_limits import ASKED_A_SECOND, LONGEST_OF_OTHERS
from tests.live.daemon import Daemon, until
from tests.live.others import Other

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
NOBODY = 65534
COUNT = 20_000
MEGABYTE = 1 << 20


def test_a_flood_is_bounded_and_others_are_answered(start: Callable[..., Daemon]) -> None:
    daemon = start("[watcher:sleeper]\ncmd = sleep 1000\n", tcp=True)
    assert daemon.ok("list")
    begun = time.monotonic()
    rude = Other(NOBODY, "flood", daemon.endpoint, COUNT)
    try:
        slowest = 0.0
        while rude._process.poll() is None:
            asked = time.monotonic()
            assert daemon.ok("numwatchers")["numwatchers"] == 1
            slowest = max(slowest, time.monotonic() - asked)
        found = json.loads(rude.wait())
    finally:
        rude.kill()
    seconds = time.monotonic() - begun
    print(f"{found} in {seconds:.1f} s; the slowest good answer took {slowest * 1000:.0f} ms")
    # 7: he may not. 5: he asks too often. What came on top of both was not even read.
    assert set(found) == {"5", "7"}
    assert ASKED_A_SECOND <= found["7"] <= ASKED_A_SECOND * (seconds + 1)
    assert ASKED_A_SECOND <= found["5"] <= ASKED_A_SECOND * (seconds + 1)
    assert slowest < 10


def test_a_large_request_of_another_user_is_refused(start: Callable[..., Daemon]) -> None:
    daemon = start("[watcher:sleeper]\ncmd = sleep 1000\n", tcp=True)
    large = {"name": "x" * (LONGEST_OF_OTHERS + 1)}
    (reply,) = Other(NOBODY, "ask", daemon.endpoint).asks([("status", large)])
    assert reply["errno"] == 3
    assert reply["reason"].startswith("user 'nobody' may send 65536 bytes in a request, and not ")
    assert daemon.refused("status", **large)[1].endswith(" not found")


def test_a_message_without_an_end_is_ended(start: Callable[..., Daemon]) -> None:
    daemon = start("[watcher:sleeper]\ncmd = sleep 1000\n", tcp=True)
    daemon.ok("list")
    before = daemon.rss()
    for _ in range(3):
        taken = int(Other(NOBODY, "endless", daemon.endpoint, 2000).wait())
        grown = (daemon.rss() - before) / MEGABYTE
        print(f"{taken} MB were taken, and the daemon grew by {grown:.0f} MB")
        assert taken < 400
    assert grown < 200
    assert daemon.said("user 'nobody' sends a message without an end; the connection is ended")
    assert daemon.ok("list")["watchers"] == ["sleeper"]


def test_nor_does_one_on_a_unix_socket(start: Callable[..., Daemon]) -> None:
    daemon = start("[watcher:sleeper]\ncmd = sleep 1000\n", circus="viewers = nobody\n")
    daemon.folder.chmod(0o755)
    daemon.ok("list")
    before = daemon.rss()
    taken = int(Other(NOBODY, "endless", daemon.endpoint, 2000).wait())
    grown = (daemon.rss() - before) / MEGABYTE
    print(f"{taken} MB were taken, and the daemon grew by {grown:.0f} MB")
    assert taken < 1000
    assert grown < 1000
    assert daemon.said("sends a message without an end")
    (reply,) = Other(NOBODY, "ask", daemon.endpoint).asks([("list", {})])
    assert reply["watchers"] == ["sleeper"]


def test_one_user_does_not_take_all_connections(start: Callable[..., Daemon]) -> None:
    daemon = start("[watcher:sleeper]\ncmd = sleep 1000\n", tcp=True)
    for endpoint in (daemon.endpoint, daemon.events):
        crowd = Other(NOBODY, "crowd", endpoint, 3 * CONNECTIONS_OF_ONE)
        try:
            # Who may not read events has no place at them at all.
            most = CONNECTIONS_OF_ONE if endpoint == daemon.endpoint else 0
            until(lambda crowd=crowd, most=most: int(crowd.said.readline()) <= most)  # type: ignore[misc]
            assert daemon.ok("list")["watchers"] == ["sleeper"]
        finally:
            crowd.kill()
    held = len(os.listdir(f"/proc/{daemon.main_pid}/fd"))
    until(lambda: len(os.listdir(f"/proc/{daemon.main_pid}/fd")) <= held)
    (reply,) = Other(NOBODY, "ask", daemon.endpoint).asks([("list", {})])
    assert reply["errno"] == 7
