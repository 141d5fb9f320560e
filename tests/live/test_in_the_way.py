"""What stands where the daemon wants to be: it is told, and left as it is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import BIN, LIMIT, ROOT, Daemon, until

Start = Callable[..., Daemon]


def run(folder: Path, circus: str) -> subprocess.CompletedProcess[str]:
    """Run a daemon that is expected not to start."""
    file = folder / "circus.ini"
    file.write_text(f"[circus]\n{circus}[watcher:w]\ncmd = sleep 1000\n")
    words = [BIN / "circusd", file]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)


@pytest.mark.parametrize("key", ["endpoint", "pubsub_endpoint"])
def test_a_file_with_the_name_of_an_endpoint(tmp_path: Path, key: str) -> None:
    keys = {"endpoint": f"ipc://{tmp_path}/c", "pubsub_endpoint": f"ipc://{tmp_path}/e"}
    keys[key] = f"ipc://{tmp_path}/data.csv"
    (tmp_path / "data.csv").write_text("keep me")
    done = run(tmp_path, "".join(f"{one} = {where}\n" for one, where in keys.items()))
    assert done.returncode == 1
    sentence = f"circusd: {key} {keys[key]} already exists, and is no socket: it is left alone"
    assert done.stderr.splitlines()[-1] == sentence
    assert (tmp_path / "data.csv").read_text() == "keep me"


def test_a_file_with_the_name_of_the_pid_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("keep me")
    done = run(tmp_path, f"pidfile = {tmp_path}/notes.txt\n")
    assert done.returncode == 1
    assert "notes.txt' is no pid file" in done.stderr.splitlines()[-1]
    assert (tmp_path / "notes.txt").read_text() == "keep me"


def test_a_syslog_that_is_not_there(tmp_path: Path) -> None:
    # Lines that are not in the log have a tail, which the accounting would not understand.
    daemon = Daemon(
        "[watcher:w]\ncmd = sleep 1000\n", circus=f"logoutput = syslog://{tmp_path}/log?daemon"
    )
    try:
        daemon.start().until_active("w", 1)
        until(lambda: daemon.said("w started (not in syslog: "))
        assert "Traceback" not in daemon.text()
    finally:
        daemon.clean_up()
        shutil.rmtree(daemon.folder)


def test_what_a_restart_can_not_change(start: Start, tmp_path: Path) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    daemon.until_active("w", 1)
    daemon.circus = f"pidfile = {tmp_path}/pid"
    daemon.write("[watcher:w]\ncmd = sleep 1000\n")
    daemon.ok("restart", waiting=True)
    assert daemon.said("[WARNING] pidfile: as before, until circusd itself starts again")
