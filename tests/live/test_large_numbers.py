"""Numbers that no operator means neither stop the daemon nor make it fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, until

Start = Callable[..., Daemon]


@pytest.mark.parametrize("number", ["1e308", "9223372036854775808", "4294967296"])
def test_a_process_runs_whatever_its_times_are(start: Start, number: str) -> None:
    names = ("watchdog", "graceful_timeout", "max_age", "settle", "ready_timeout", "stable_after")
    sections = [f"[watcher:{name}]\ncmd = sleep 1000\n{name} = {number}\n" for name in names]
    daemon = start("".join(sections))
    for name in names:
        daemon.until_active(name, 1)


def test_backups_without_number_are_shifted_at_once(start: Start, tmp_path: Path) -> None:
    daemon = start(
        "[watcher:w]\ncmd = sh -c 'while echo 123456789; do sleep 0.05; done'\n"
        f"stdout_stream.class = FileStream\nstdout_stream.filename = {tmp_path}/out\n"
        "stdout_stream.max_bytes = 15\nstdout_stream.backup_count = 4294967296\n"
    )
    until(lambda: (tmp_path / "out.3").exists())
    daemon.ok("list")
