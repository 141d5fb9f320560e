"""The files of endpoints are swept away, as from /tmp: they are made again."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from tests.live.daemon import Daemon, until
from tests.live.wire import Caller

Start = Callable[..., Daemon]
STATISTICS = f"ipc:///tmp/circus-swept-statistics-{os.getpid()}"
ANSWERS = """
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
listener.setblocking(True)
while True:
    caller, _ = listener.accept()
    caller.sendall(str(os.getpid()).encode())
    caller.close()
"""


def connect(file: Path) -> socket.socket:
    caller = socket.socket(socket.AF_UNIX)
    caller.settimeout(20)
    caller.connect(str(file))
    return caller


def ask(file: Path) -> int:
    """Return the pid of the process that answers at a socket."""
    with connect(file) as caller:
        return int(caller.makefile().read())


def file_of(endpoint: str) -> Path:
    return Path(endpoint.removeprefix("ipc://"))


def unlink(file: Path) -> None:
    file.unlink()


def rename(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))


def sweep(file: Path) -> None:
    for each in file.parent.iterdir():
        each.unlink()


def forget_the_folder(file: Path) -> None:
    """Take the folder away, and later put an empty one there."""
    file.parent.rename(file.parent.with_name(f"old-{time.monotonic_ns()}"))
    file.parent.mkdir(mode=0o755)


@pytest.mark.parametrize("take_away", [unlink, rename, sweep, forget_the_folder])
def test_they_are_made_again(start: Start, take_away: Callable[[Path], None]) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    daemon.until_active("w", 1)
    ear = daemon.listen("watcher.")
    for endpoint in (daemon.endpoint, daemon.events):
        file = file_of(endpoint)
        until(file.exists)
        mode, inode = stat.S_IMODE(file.stat().st_mode), file.stat().st_ino
        take_away(file)
        until(lambda file=file, inode=inode: file.exists() and file.stat().st_ino != inode)  # type: ignore[misc]
        until(lambda endpoint=endpoint: daemon.said(f"{endpoint} was taken away; it is made again"))  # type: ignore[misc]
        assert stat.S_IMODE(file.stat().st_mode) == mode
    # Those who are connected stay, and others come in.
    daemon.ok("list")
    assert ear.catch_up(5)
    newcomer = Caller(daemon.endpoint)
    try:
        assert newcomer.call("list")["watchers"] == ["w"]
    finally:
        newcomer.close()
    late = daemon.listen("watcher.")
    assert late.catch_up(5)


def test_a_folder_that_is_away_for_a_while_is_waited_for(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    file = file_of(daemon.endpoint)
    file.parent.rename(file.parent.with_name(f"old-{time.monotonic_ns()}"))
    until(lambda: daemon.said("is in a folder that does not exist"))
    file.parent.mkdir(mode=0o755)
    until(file.exists)
    until(lambda: daemon.said(f"{daemon.endpoint} was taken away; it is made again"))
    assert daemon.control("status").returncode == 0


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_makes_them_again_at_once(start: Start, signum: int) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    for endpoint in (daemon.endpoint, daemon.events):
        file_of(endpoint).unlink()
        daemon.process.send_signal(signum)
        until(file_of(endpoint).exists)


def test_one_who_takes_them_away_again_and_again_costs_little(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    file, gone = file_of(daemon.endpoint), 0
    begun_at = time.monotonic()
    while time.monotonic() - begun_at < 4:
        try:
            file.unlink()
            gone += 1
        except FileNotFoundError:
            time.sleep(0.01)
    assert 3 <= gone <= 7, "each pause is twice as long"
    daemon.ok("list")


def test_the_file_of_statistics_is_made_again(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n", circus=f"stats_endpoint = {STATISTICS}\n")
    try:
        file = file_of(STATISTICS)
        until(file.exists)
        inode = file.stat().st_ino
        file.unlink()
        until(lambda: file.exists() and file.stat().st_ino != inode)
        subscriber = zmq.Context.instance().socket(zmq.SUB)
        try:
            subscriber.connect(STATISTICS)
            subscriber.subscribe("")
            assert subscriber.poll(20_000)
        finally:
            subscriber.close(0)
    finally:
        daemon.stop()
        file_of(STATISTICS).unlink(missing_ok=True)


def test_a_managed_socket_is_opened_again_and_its_users_renewed(
    start: Start, tmp_path: Path
) -> None:
    file, program = tmp_path / "web.sock", tmp_path / "answers.py"
    program.write_text(ANSWERS)
    daemon = start(
        f"[socket:web]\npath = {file}\nmode = 666\n[watcher:web]\nnumprocesses = 2\n"
        f"cmd = {sys.executable} -S {program} $(circus.sockets.web)\nuse_sockets = yes\n"
        "ready = spawned\nsettle = 0\ngraceful_timeout = 10\n[watcher:beside]\ncmd = sleep 1000\n"
    )
    before, beside = daemon.until_active("web", 2), daemon.until_active("beside", 1)
    assert ask(file) in before
    waiting = connect(file)
    file.unlink()
    until(lambda: not set(daemon.pids("web")) & set(before) and len(daemon.pids("web")) == 2)
    assert ask(file) in daemon.until_active("web", 2)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666
    assert int(waiting.makefile().read()) in before, "who had come before is served"
    waiting.close()
    assert daemon.pids("beside") == beside


def test_what_is_there_is_left_alone(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    file = file_of(daemon.endpoint)
    before = file.stat().st_ino
    daemon.process.send_signal(signal.SIGUSR1)
    until(lambda: daemon.said("SIGUSR1: opening"))
    daemon.ok("list")
    assert file.stat().st_ino == before
    assert not daemon.said("made again")


def test_what_somebody_else_listens_at_is_theirs(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    file = file_of(daemon.endpoint)
    file.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(file))
        other.listen()
        inode = file.stat().st_ino
        daemon.process.send_signal(signal.SIGUSR1)
        until(lambda: daemon.said(f"is another daemon running there? (process {os.getpid()})"))
        daemon.ok("list")
        assert file.stat().st_ino == inode
