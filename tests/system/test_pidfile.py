"""The lock decides who runs, not the number in the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvec_circus_core.system.pidfile import AlreadyRunning, PidFile, PidFileProblem


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "daemon.pid"


def test_it_holds_our_pid_readable_for_all(path: Path) -> None:
    before = os.umask(0o77)
    try:
        held = PidFile(path)
        held.acquire()
    finally:
        os.umask(before)
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    held.release()
    assert not path.exists()
    held.release()


@pytest.mark.parametrize(
    "content",
    ["", "1\n", f"{os.getpid()}\n", "999999999999\n", "\0" * 5, " \n\t\n", "12\0\0", "\0\0 7\r\n"],
    ids=["empty", "other", "own", "huge", "nulls", "blank", "half", "mixed"],
)
def test_a_stale_file_never_stops_a_start(path: Path, content: str) -> None:
    path.write_text(content)
    held = PidFile(path)
    held.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    held.release()


@pytest.mark.parametrize("content", ["keep me\n", "12 monkeys\n", "7" * 33, "\xff"])
def test_a_file_that_holds_something_else_is_left_alone(path: Path, content: str) -> None:
    path.write_text(content, encoding="latin-1")
    with pytest.raises(PidFileProblem, match="is no pid file"):
        PidFile(path).acquire()
    assert path.read_text(encoding="latin-1") == content


def test_a_second_daemon_is_told_who_runs(path: Path) -> None:
    first = PidFile(path)
    first.acquire()
    with pytest.raises(AlreadyRunning, match=f"a daemon with pid {os.getpid()} is running already"):
        PidFile(path).acquire()
    first.release()
    PidFile(path).acquire()


def test_a_killed_daemon_holds_nothing(path: Path) -> None:
    program = (
        "import os, sys; from cvec_circus_core.system.pidfile import PidFile;"
        "PidFile(sys.argv[1]).acquire(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], timeout=20, check=False)
    assert path.exists()
    held = PidFile(path)
    held.acquire()
    held.release()


def test_a_file_that_another_took_over_stays(path: Path) -> None:
    held = PidFile(path)
    held.acquire()
    path.unlink()
    path.write_text("4711\n")
    held.release()
    assert path.read_text() == "4711\n"


def test_what_is_in_the_way_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "hard").hardlink_to(target)
    os.mkfifo(tmp_path / "fifo")
    for name, sentence in {
        "missing/daemon.pid": "there is no folder",
        "precious/daemon.pid": "there is no folder",
        "folder": "it is a folder",
        "link": "it is a symbolic link",
        "hard": "has more than one name",
        "fifo": "is not a plain file",
    }.items():
        with pytest.raises(PidFileProblem, match=sentence):
            PidFile(tmp_path / name).acquire()
    assert target.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become a user who may not write")
def test_a_closed_folder_is_said(tmp_path: Path) -> None:
    program = (
        "import os, sys; from cvec_circus_core.system import pidfile; os.setuid(65534);\n"
        "try: pidfile.PidFile('/etc/circus-test.pid').acquire()\n"
        "except pidfile.PidFileProblem as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert said.stdout == (
        "can not write the pid file '/etc/circus-test.pid': "
        "the folder '/etc', or the file, may not be written by us\n"
    )
