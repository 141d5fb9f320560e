"""Nothing that a caller writes into a request keeps the daemon from the others."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.wire import Caller

NAME = "a" * 40
AT_ONCE = 0.05
"""Seconds within which somebody else is answered, where the machine has nothing else to do."""


def answered_meanwhile(
    daemon: Daemon, command: str, **properties: Any
) -> tuple[dict[str, Any], float]:
    """Return a reply, and the seconds for which somebody else waited while it was worked on."""
    other = Caller(daemon.endpoint)
    try:
        other.call("numwatchers")
        number = daemon.caller.send(command, **properties)
        begun_at = time.monotonic()
        other.call("numwatchers")
        seconds = time.monotonic() - begun_at
        return daemon.caller.answer(number), seconds
    finally:
        other.close()


@pytest.mark.parametrize(
    "pattern", ["(.|.)*Q", "(a|aa)+Q", "(a+)+$b", "((((a{99}){99}){99}){99})", "(a" * 4000]
)
@pytest.mark.parametrize("command", ["start", "stop", "restart"])
def test_no_regex_holds_it_up(start: Start, command: str, pattern: str) -> None:
    daemon = start(f"[watcher:{NAME}]\ncmd = sleep 1000\n")
    daemon.call(command, name="warm.*up", match="regex")
    waits = []
    while not waits or (min(waits) >= AT_ONCE and len(waits) < 10):
        reply, seconds = answered_meanwhile(daemon, command, name=pattern, match="regex")
        assert reply["status"] == "error"
        waits.append(seconds)
    assert min(waits) < AT_ONCE, waits


def test_variables_that_grow_cost_only_their_watcher(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    env = {"a0": "x" * 100}
    env |= {f"a{number}": f"$(circus.env.a{number - 1})" * 2 for number in range(1, 60)}
    _, seconds = answered_meanwhile(
        daemon, "add", name="grows", cmd="sleep 1000", start=True, options={"env": env}
    )
    assert seconds < 5
    until(lambda: "longer than 131072 characters" in daemon.text())
    assert daemon.rss() < 300_000_000
    daemon.ok("rm", name="grows", waiting=True)
    assert daemon.pids("w")


def test_no_pattern_for_readiness_holds_it_up(start: Start) -> None:
    says = "head -c 16000 /dev/zero | tr '\\\\0' a; echo; exec sleep 1000"
    daemon = start(
        f"[watcher:w]\nshell = true\ncmd = {says}\nready = log:(a|aa)+Q\n"
        "stdout_stream.class = StdoutStream\n"
    )
    until(lambda: daemon.ok("status", name="w")["running"] == 1)
    for _ in range(20):
        begun_at = time.monotonic()
        daemon.ok("numwatchers")
        assert time.monotonic() - begun_at < 5
