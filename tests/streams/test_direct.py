"""DirectFileStream: processes write to the file themselves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cvec_circus_core.extend.sink import Sinks
from tests.live.daemon import Daemon, until
from tests.streams.test_live import all_there, chatter, runs

pytestmark = pytest.mark.live

Start = Callable[..., Daemon]

DIRECT = "stdout_stream.class = DirectFileStream\nstdout_stream.filename = {}\n"
UNSEEN = f"keep_output = 0\n{DIRECT}"


def target(pid: int, fd: int = 1) -> str:
    """Return what a descriptor of a process leads to."""
    return os.readlink(f"/proc/{pid}/fd/{fd}")


def test_a_process_has_the_file_itself(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out"
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', 500, 0, 'flush')}\nnumprocesses = 3\n"
        f"{DIRECT.format(out)}stdout_stream.mode = 640\n"
        f"stderr_stream.class = DirectFileStream\nstderr_stream.filename = {out}\n"
        "stderr_stream.mode = 640\n"
    )
    pids = daemon.until_active("w", 3)
    assert {target(pid, fd) for pid in pids for fd in (1, 2)} == {str(out)}
    until(lambda: all_there(tmp_path, "out", 3, 500))
    assert out.stat().st_mode & 0o777 == 0o640
    daemon.ok("restart", name="w", waiting=True)
    until(lambda: all_there(tmp_path, "out", 6, 500))
    assert all(run == list(range(500)) for run in runs(tmp_path, "out").values())


def test_each_process_may_have_a_file_of_its_own(start: Start, tmp_path: Path) -> None:
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', 2000, 90, 'stay')}\nnumprocesses = 2\n"
        f"{DIRECT.format(tmp_path / 'out.{wid}')}"
    )
    pids = daemon.until_active("w", 2)
    assert [target(pid) for pid in pids] == [f"{tmp_path}/out.1", f"{tmp_path}/out.2"]
    until(lambda: all_there(tmp_path, "out", 2, 2000))
    (tmp_path / "out.1").rename(tmp_path / "out.old")
    daemon.ok("reopen", name="w")
    daemon.ok("restart", name="w", waiting=True)
    until(lambda: all_there(tmp_path, "out", 4, 2000))
    assert len((tmp_path / "out.1").read_bytes()) == len((tmp_path / "out.old").read_bytes())
    daemon.ok("stop", name="w", waiting=True)
    until(lambda: not open_files(daemon, tmp_path))


def open_files(daemon: Daemon, folder: Path) -> list[str]:
    """Return what the daemon itself has open in a folder."""
    found = [target(pid, int(fd)) for pid in daemon.own_pids() for fd in descriptors(pid)]
    return [one for one in found if one.startswith(str(folder))]


def descriptors(pid: int) -> list[str]:
    """Return the numbers of what a process has open."""
    return os.listdir(f"/proc/{pid}/fd")


def test_output_goes_on_when_the_daemon_is_killed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    daemon = Daemon(f"[watcher:w]\ncmd = {chatter('x', 100_000, 0, 'flush')}\n{DIRECT.format(out)}")
    try:
        daemon.start()
        until(lambda: out.exists() and out.stat().st_size > 0)
        daemon.kill()
        until(lambda: all_there(tmp_path, "out", 1, 100_000))
    finally:
        daemon.clean_up()
        shutil.rmtree(daemon.folder)


def test_what_the_daemon_does_not_see_it_does_not_show(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out"
    daemon = start(f"[watcher:w]\ncmd = {chatter('x', 3, 0, 'stay')}\n{UNSEEN.format(out)}")
    until(lambda: all_there(tmp_path, "out", 1, 3))
    refused = daemon.control("tail", "w")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert f"'w' writes its stdout to {out} itself: it does not pass the daemon" in refused.stderr


def test_reopen_is_for_processes_that_start_later(start: Start, tmp_path: Path) -> None:
    out, moved = tmp_path / "out", tmp_path / "moved"
    daemon = start(f"[watcher:w]\ncmd = {chatter('x', 3, 0, 'stay')}\n{DIRECT.format(out)}")
    until(lambda: all_there(tmp_path, "out", 1, 3))
    out.rename(moved)
    daemon.ok("reopen", name="w")
    until(out.exists)
    (old,) = daemon.pids("w")
    assert target(old) == str(moved)
    daemon.ok("reload", name="w", waiting=True)
    (new,) = daemon.pids("w")
    assert target(new) == str(out)
    until(lambda: all_there(tmp_path, "out", 1, 3))


@pytest.mark.parametrize("how", ["to the file", "to the daemon", "to another file"])
def test_set_replaces_processes_and_loses_nothing(start: Start, tmp_path: Path, how: str) -> None:
    before, after = {
        "to the file": ("FileStream", "DirectFileStream"),
        "to the daemon": ("DirectFileStream", "FileStream"),
        "to another file": ("DirectFileStream", "DirectFileStream"),
    }[how]
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', 2000, 90, 'flush')}\nnumprocesses = 2\n"
        f"stdout_stream.class = {before}\nstdout_stream.filename = {tmp_path}/out.one\n"
    )
    old = set(daemon.until_active("w", 2))
    options = {"stdout_stream.class": after, "stdout_stream.filename": f"{tmp_path}/out.two"}
    daemon.ok("set", name="w", waiting=True, options=options)
    assert not old & set(daemon.until_active("w", 2))
    # Nothing is missing in the middle, the old ones' too, though they were writing when they went.
    until(lambda: len(runs(tmp_path, "out.two")) >= 2)
    new = daemon.pids("w")
    until(lambda: [runs(tmp_path, "out").get(pid) for pid in new] == [list(range(2000))] * 2)
    assert all(run == list(range(len(run))) for run in runs(tmp_path, "out").values())
    is_direct = after == "DirectFileStream"
    assert all((target(pid) == f"{tmp_path}/out.two") is is_direct for pid in new)


def test_readiness_by_output_says_that_it_never_sees_any(start: Start, tmp_path: Path) -> None:
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', 3, 0, 'stay')}\nready = log:x\nmax_retry = 0\n"
        f"{UNSEEN.format(tmp_path / 'out')}[watcher:other]\ncmd = sleep 1000\n"
    )
    daemon.until_active("other", 1)
    reason = "ready = log: needs a stream that passes the daemon"
    until(lambda: reason in str(daemon.call("status", name="w")))


def test_a_filename_is_needed() -> None:
    (fault,) = Sinks().faults({"class": "DirectFileStream"})
    assert str(fault) == "filename is missing"
    (fault,) = Sinks().faults({"class": "DirectFileStream", "filename": "/log/{wid}/out"})
    assert str(fault) == "filename has {wid} in the name of a folder"
    (fault,) = Sinks().faults({"class": "DirectFileStream", "filename": "x", "max_bytes": "5"})
    assert str(fault) == "max_bytes is no option of DirectFileStream"
