"""A database is ready before its workers begin, and outlives them; and the end has its limit."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, until
from tests.live.wire import Ear

Start = Callable[..., Daemon]
Listen = Callable[..., Ear]

STUBBORN = """\
cmd = sh -c 'trap "" TERM; echo > {folder}/{name}; while :; do sleep 0.1; done'
graceful_timeout = 600
"""


def family(folder: Path) -> str:
    """Return watchers of which one needs the other."""
    program = f"{sys.executable} tests/live/ordered.py"
    return (
        f"[watcher:worker]\ncmd = {program} worker {folder}\n"
        f"[watcher:database]\ncmd = {program} database {folder}\npriority = 10\nready = notify\n"
    )


def diary(folder: Path) -> list[str]:
    """Return what the database was told."""
    try:
        return (folder / "diary").read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


@pytest.mark.parametrize("end", ["stop", "restart", "quit", "signal"])
def test_a_database_outlives_its_workers(
    start: Start, listen: Listen, tmp_path: Path, end: str
) -> None:
    daemon = start(family(tmp_path))
    until(lambda: diary(tmp_path) == ["began"])
    ear = listen(daemon)
    match end:
        case "signal":
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(20) == 0
        case "quit":
            daemon.ok("quit", waiting=True)
            assert daemon.process.wait(20) == 0
        case _:
            daemon.ok(end, waiting=True)
    expected = ["began", "finished"]
    if end == "restart":
        expected.append("began")
        until(lambda: len(diary(tmp_path)) == len(expected))
    assert diary(tmp_path) == expected
    if end in ("stop", "restart"):
        ear.wait_for("reap", "database")
        reaps = [event.watcher for event in ear.of("reap")]
        assert reaps == ["worker", "database"]
        assert [event.body["exit_code"] for event in ear.of("reap")] == [0, 0]


def test_a_removed_database_outlives_its_removed_workers(
    start: Start, listen: Listen, tmp_path: Path
) -> None:
    daemon = start(family(tmp_path))
    until(lambda: diary(tmp_path) == ["began"])
    ear = listen(daemon)
    daemon.write("[watcher:other]\ncmd = sleep 1000\n")
    daemon.ok("reloadconfig", waiting=True)
    assert diary(tmp_path) == ["began", "finished"]
    assert [event.watcher for event in ear.of("remove")] == ["worker", "database"]


def test_the_end_of_everything_has_a_limit(start: Start, tmp_path: Path) -> None:
    names = {"worker": 0, "cache": 0, "database": 10}
    watchers = (
        f"[watcher:{name}]\n{STUBBORN.format(folder=tmp_path, name=name)}priority = {priority}\n"
        for name, priority in names.items()
    )
    daemon = start("".join(watchers), circus="shutdown_timeout = 4\n")
    until(lambda: {path.name for path in tmp_path.iterdir()} >= set(names))
    begin = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(20) == 0
    seconds = time.monotonic() - begin
    print(f"ended after {seconds:.2f} s")
    # Four fifths are for watchers that do not go by themselves, two priorities of them.
    assert 3.0 < seconds < 10


def test_without_a_limit_a_grace_is_what_the_watcher_says(start: Start, tmp_path: Path) -> None:
    body = STUBBORN.format(folder=tmp_path, name="worker").replace("600", "1")
    daemon = start(f"[watcher:worker]\n{body}")
    until(lambda: (tmp_path / "worker").exists())
    begin = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(20) == 0
    assert time.monotonic() - begin > 0.9
