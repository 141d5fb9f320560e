"""A watcher that comes back while it is being removed is there in the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.live.daemon import Daemon, until

Start = Callable[..., Daemon]
SLOW = "[watcher:web]\ncmd = sh -c 'trap \"sleep 1; exit 0\" TERM; while :; do sleep 0.1; done'\n"
OTHER = "[watcher:web]\ncmd = sleep 1000\n"
BESIDE = "[watcher:b]\ncmd = sleep 1000\n"


def begin_to_leave(daemon: Daemon, how: str) -> None:
    """Have the watcher removed, and return while it is on its way."""
    if how == "by rm":
        daemon.ok("rm", name="web")
    else:
        daemon.write(BESIDE)
        daemon.ok("reloadconfig")
    until(lambda: daemon.status("web")["status"] == "stopping")


@pytest.mark.parametrize("how", ["by rm", "by the file"])
@pytest.mark.parametrize("again", [SLOW, OTHER], ids=["the same", "another command"])
def test_the_file_brings_it_back(start: Start, how: str, again: str) -> None:
    daemon = start(f"{SLOW}{BESIDE}")
    before = daemon.until_active("web", 1)
    begin_to_leave(daemon, how)
    daemon.write(f"{again}{BESIDE}")
    plan = daemon.ok("reloadconfig", waiting=True)["plan"]["watchers"]
    assert [step["action"] for step in plan if step["name"] == "web"] == ["add"]
    after = daemon.until_active("web", 1)
    assert after != before
    daemon.write(BESIDE)
    daemon.ok("reloadconfig", waiting=True)
    assert daemon.ok("list")["watchers"] == ["b"], "it is the file's again"


def test_what_is_not_in_the_file_leaves(start: Start) -> None:
    daemon = start(f"{SLOW}{BESIDE}")
    daemon.until_active("web", 1)
    begin_to_leave(daemon, "by the file")
    daemon.ok("reloadconfig", waiting=True)
    until(lambda: daemon.ok("list")["watchers"] == ["b"])
