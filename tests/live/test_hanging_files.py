"""Files at a server that does not answer: what needs them waits, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, until

pytestmark = pytest.mark.live

HANGING = Path(__file__).with_name("hanging.py")
OTHERS = "[watcher:well]\ncmd = sleep 1000\nready = spawned\n"


@contextmanager
def hanging(folder: Path) -> Iterator[None]:
    """Have nothing below a folder answer."""
    server = subprocess.Popen(
        [sys.executable, str(HANGING), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        if not server.stdout.readline():
            pytest.skip("no file system may be mounted here")
        yield
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """Return a folder that is going to hang, with what a watcher needs in it."""
    folder = tmp_path / "far"
    folder.mkdir()
    (folder / "env").write_text("A=1\n")
    program = folder / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    (folder / "more.ini").write_text("[watcher:more]\ncmd = sleep 1000\nready = spawned\n")
    return folder


WATCHERS = {
    "folder": "cmd = sleep 1000\nworking_dir = {far}",
    "variables": "cmd = sleep 1000\nenv_file = {far}/env",
    "program": "cmd = {far}/program",
    "search path": "cmd = sleep 1000\n[env:sick]\nPATH = {far}:/usr/bin:/bin",
    "a link to it": "cmd = {far}/../link/program",
}


@pytest.mark.parametrize("what", WATCHERS)
def test_a_process_waits_alone_and_starts_when_they_answer(
    start: Callable[..., Daemon], far: Path, what: str
) -> None:
    (far.parent / "link").symlink_to(far)
    sick = "[watcher:sick]\nready = spawned\n" + WATCHERS[what].format(far=far)
    daemon = start(f"{sick}\n{OTHERS}")
    (old,) = daemon.until_active("sick", 1)
    with hanging(far):
        daemon.ok("kill", name="sick", signum="kill")
        until(lambda: old not in daemon.pids("sick"))
        for _ in range(5):
            daemon.ok("restart", name="well", waiting=True)
        until(lambda: "does not answer" in (daemon.status("sick")["reason"] or ""))
        daemon.ok("status")
    daemon.until_active("sick", 1)


def test_a_configuration_is_refused_while_all_else_goes_on(
    start: Callable[..., Daemon], far: Path
) -> None:
    daemon = start(OTHERS, circus=f"include = {far}/*.ini")
    with hanging(far):
        reading, listing = daemon.caller.send("reloadconfig"), daemon.caller.send("list")
        assert daemon.caller.receive()["id"] == listing
        refusal = daemon.caller.receive()
        assert refusal["id"] == reading
        assert "can not be read: it takes more than 3 s" in refusal["reason"]
        assert "has not come back" in daemon.call("reloadconfig")["reason"]
    until(lambda: daemon.call("reloadconfig")["status"] == "ok")
    daemon.until_active("more", 1)


def test_a_log_file_makes_its_own_watcher_wait(start: Callable[..., Daemon], far: Path) -> None:
    talker = "[watcher:talker]\ncmd = sh -c 'echo word; exec sleep 1000'\nready = spawned\n"
    stream = f"stdout_stream.class = FileStream\nstdout_stream.filename = {far}/log\n"
    daemon = start(f"{talker}autostart = False\n{stream}{OTHERS}")
    with hanging(far):
        daemon.ok("start", name="talker", waiting=True)
        daemon.ok("reopen")
        daemon.ok("restart", name="well", waiting=True)
        daemon.call("addsocket", name="s", options={"path": f"{far}/s"})
