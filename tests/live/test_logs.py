"""The daemon's log is somebody else's: one that hangs, fails or is full harms nobody."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.daemon import ROOT, Daemon, until

BODY = "[watcher:w]\ncmd = sleep 1000\n"
UNBLOCKING = f"""[watcher:w]
cmd = {sys.executable} -c "import os, time; os.set_blocking(2, False); time.sleep(1000)"
"""
SMALL = 4096
"""Bytes of a pipe that is soon full."""


class Piped(Daemon):
    """A daemon whose standard error is a pipe of ours."""

    def launch(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start it."""
        self.reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SMALL)
        self._process = subprocess.Popen(
            [*self.program, *self.flags, str(self.file)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=writing,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        os.close(writing)
        return self._process


Hang = Callable[[Path], tuple[str, object]]


def datagrams(folder: Path) -> tuple[str, object]:
    """Return a syslog that takes nothing."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(folder / "d"))
    return f"logoutput = syslog://{folder}/d?daemon", receiver


def connections(folder: Path) -> tuple[str, object]:
    """Return a syslog that accepts nobody."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    receiver.bind(str(folder / "s"))
    receiver.listen(0)
    clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(str(folder / "s"))
    return f"logoutput = syslog://{folder}/s?daemon", (receiver, clients)


def pipe_without_reader(folder: Path) -> tuple[str, object]:
    """Return a named pipe that nobody has opened."""
    os.mkfifo(folder / "f")
    return f"logoutput = {folder}/f", None


def pipe_with_slow_reader(folder: Path) -> tuple[str, object]:
    """Return a named pipe whose reader does not read."""
    os.mkfifo(folder / "f")
    reader = open(os.open(folder / "f", os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: SIM115
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, SMALL)
    return f"logoutput = {folder}/f", reader


def configured(folder: Path) -> tuple[str, object]:
    """Return a logging configuration that writes to standard error."""
    handler = {"class": "logging.StreamHandler", "level": "DEBUG"}
    settings = {
        "version": 1,
        "handlers": {"console": handler},
        "root": {"handlers": ["console"], "level": "DEBUG"},
    }
    (folder / "log.json").write_text(json.dumps(settings))
    return f"loggerconfig = {folder}/log.json", None


def standard_error(folder: Path) -> tuple[str, object]:
    """Return nothing that needs to be configured."""
    return "", None


HANGING = [
    *(standard_error, configured, datagrams, connections),
    *(pipe_without_reader, pipe_with_slow_reader),
]


@pytest.fixture
def piped() -> Iterator[Callable[..., Piped]]:
    """Make daemons, and take them away."""
    daemons: list[Piped] = []

    def make(circus: str, body: str = BODY) -> Piped:
        daemon = Piped(body, circus=circus)
        daemons.append(daemon)
        daemon.launch()
        until(lambda: Path(daemon.endpoint.removeprefix("ipc://")).exists())
        return daemon

    yield make
    for daemon in daemons:
        daemon.clean_up()
        os.close(daemon.reading)
        shutil.rmtree(daemon.folder, ignore_errors=True)


@pytest.mark.parametrize("hang", HANGING, ids=lambda hang: hang.__name__)
def test_a_log_that_hangs_harms_nobody(
    piped: Callable[..., Piped], hang: Hang, tmp_path: Path
) -> None:
    circus, kept_open = hang(tmp_path)
    daemon = piped(circus)
    daemon.until_active("w", 1)
    before = daemon.pids("w")
    for number in range(300):
        # Each is a line or more of a log at level debug, and a long one.
        daemon.ok("set", name="w", options={"env": {"X": f"{number}" * 500}, "warmup_delay": 0.0})
        if number == 20:
            daemon.process.send_signal(signal.SIGUSR1)
    until(lambda: daemon.pids("w") not in ([], before))
    os.kill(pid := daemon.pids("w")[0], signal.SIGKILL)
    until(lambda: daemon.pids("w") not in ([], [pid]))
    assert daemon.stop(signal.SIGTERM, 10) == 0
    del kept_open


@pytest.fixture
def logging_to() -> Iterator[Callable[[str], Daemon]]:
    """Start daemons whose log is elsewhere, so that no account of them can be read."""
    daemons: list[Daemon] = []

    def start(path: str) -> Daemon:
        daemon = Daemon(BODY, "--log-output", path)
        daemons.append(daemon)
        daemon.launch()
        until(lambda: Path(daemon.endpoint.removeprefix("ipc://")).exists())
        return daemon

    yield start
    for daemon in daemons:
        daemon.clean_up()
        shutil.rmtree(daemon.folder)


def test_a_full_disk_costs_a_line_for_a_record_and_no_signal(
    logging_to: Callable[[str], Daemon],
) -> None:
    daemon = logging_to("/dev/full")
    daemon.until_active("w", 1)
    before = daemon.pids("w")
    daemon.process.send_signal(signal.SIGUSR1)
    until(lambda: daemon.said("SIGUSR1: opening the log"))
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.said("SIGHUP: reloading everything"))
    until(lambda: daemon.pids("w") not in ([], before))
    assert daemon.stop(signal.SIGTERM, 10) == 0
    assert "Traceback" not in daemon.text()
    for line in daemon.text().split("\n")[:-1]:
        assert line.endswith(" (not in the log: [Errno 28] No space left on device)"), line


def test_a_log_whose_folder_was_moved_goes_on_in_the_old_file(
    logging_to: Callable[[str], Daemon], tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    daemon = logging_to(str(tmp_path / "logs/log"))
    daemon.until_active("w", 1)
    (tmp_path / "logs").rename(tmp_path / "moved")
    daemon.process.send_signal(signal.SIGUSR1)
    until(lambda: "SIGUSR1: opening the log" in (tmp_path / "moved/log").read_text())
    (tmp_path / "logs").mkdir()
    daemon.process.send_signal(signal.SIGUSR1)
    until(lambda: (tmp_path / "logs/log").exists() and (tmp_path / "logs/log").read_text())
    assert daemon.stop(signal.SIGTERM, 10) == 0


def test_standard_error_that_does_not_block_is_written_to_the_last_byte(
    piped: Callable[..., Piped],
) -> None:
    daemon = piped("", UNBLOCKING)
    daemon.until_active("w", 1)
    for number in range(100):
        daemon.ok("set", name="w", options={"env": {"X": f"{number}" * 50}, "warmup_delay": 0.0})
    texts: list[bytes] = []

    def read() -> None:
        while data := os.read(daemon.reading, 65536):
            texts.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    assert daemon.stop(signal.SIGTERM, 10) == 0
    reader.join()
    text = b"".join(texts)
    assert text.endswith(b"Everything is stopped, bye\n")
    assert text.count(b"watcher.w.updated") == 200
    assert all(line.startswith(b"2") for line in text.split(b"\n")[:-1])
