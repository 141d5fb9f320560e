"""Starts that can not be, and starts in the background: one sentence, and the right exit code."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.daemon import BIN, Daemon, is_alive, until
from tests.live.wire import Caller

Start = Callable[..., Daemon]

BAD = """
[circus]
endpoint = ipc://DIR/c
pubsub_endpoint = ipc://DIR/e
[watcher:good]
cmd = sleep 1000
[watcher:first]
cmd = sleep 1000
numprocesses = many
[watcher:second]
numprocesses = 2
[watcher:third]
cmd = sleep 1000
stop_signal = NOPE
graceful_timeout = soon
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder of a short name, where endpoints fit."""
    with tempfile.TemporaryDirectory(prefix="circus-live-") as made:
        yield Path(made)


def circusd(*words: str | Path, limit: float = 30) -> tuple[int, str]:
    """Run circusd to its end; return the exit code and what it said."""
    done = subprocess.run(
        [str(BIN / "circusd"), *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
    )
    return done.returncode, done.stdout


def configured(folder: Path, name: str = "x.ini", **options: str) -> Path:
    """Write a configuration whose only watcher leaves a mark when it starts."""
    given = {"endpoint": f"ipc://{folder}/c", "pubsub_endpoint": f"ipc://{folder}/e", **options}
    head = "".join(f"{key} = {value}\n" for key, value in given.items())
    mark = f"[watcher:mark]\ncmd = touch {folder}/started\nrespawn = False\n"
    file = folder / name
    file.write_text(f"[circus]\n{head}{mark}", encoding="utf-8")
    return file


def assert_refused(folder: Path, said: tuple[int, str], *parts: str) -> None:
    """Check for exit code 1, one sentence that names what is wrong, and nothing started."""
    code, text = said
    assert code == 1, text
    assert "Traceback" not in text
    sentence = [line for line in text.splitlines() if line.startswith("circusd: ")]
    assert len(sentence) == 1, text
    assert all(part in sentence[0] for part in parts), text
    assert not (folder / "started").exists()


@pytest.mark.parametrize("which", ["endpoint", "pubsub_endpoint"])
@pytest.mark.parametrize("flags", [(), ("--daemon",)])
def test_a_taken_port(folder: Path, which: str, flags: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        said = circusd(*flags, configured(folder, **{which: address}))
        assert_refused(folder, said, which, address, "in use")


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("ipc:///nowhere/at/all/c", "folder that does not exist"),
        ("tcp://192.0.2.1:5999", "no address of this machine"),
        (f"ipc:///tmp/{'x' * 200}", "longer than"),
    ],
)
def test_an_endpoint_that_can_not_be_bound(folder: Path, endpoint: str, reason: str) -> None:
    said = circusd(configured(folder, endpoint=endpoint, insecure="yes"))
    assert_refused(folder, said, endpoint, reason)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1", "udp://1.2.3.4:5", "nonsense", "tcp://:x"])
def test_an_endpoint_that_is_none_is_a_mistake_in_the_file(folder: Path, endpoint: str) -> None:
    file = configured(folder, endpoint=endpoint)
    code, text = circusd(file)
    assert (code, "Traceback" in text) == (1, False)
    assert f"{file}:2:" in text
    assert not (folder / "started").exists()


def test_a_living_daemons_ipc_endpoint_is_not_taken_away(start: Start, folder: Path) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    said = circusd(configured(folder, endpoint=daemon.endpoint))
    assert_refused(folder, said, daemon.endpoint, "in use")
    assert daemon.ok("numwatchers")["numwatchers"] == 1


def test_the_socket_file_of_a_daemon_that_was_killed_is_no_obstacle(
    start: Start, folder: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{folder}/c")
    file = configured(folder)
    process = subprocess.Popen([str(BIN / "circusd"), str(file)], stderr=subprocess.DEVNULL)
    try:
        with Caller(f"ipc://{folder}/c") as caller:
            assert caller.call("numwatchers")["numwatchers"] == 1
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_a_pid_file_that_is_held(start: Start, folder: Path) -> None:
    pidfile = folder / "pid"
    daemon = start("", "--pidfile", str(pidfile))
    said = circusd("--pidfile", pidfile, configured(folder))
    assert_refused(folder, said, str(pidfile), f"pid {daemon.process.pid}")
    assert pidfile.read_text() == f"{daemon.process.pid}\n"


@pytest.mark.parametrize("content", ["1\n", "99999999\n", ""])
def test_a_stale_pid_file_is_no_obstacle(start: Start, folder: Path, content: str) -> None:
    pidfile = folder / "pid"
    pidfile.write_text(content)
    daemon = start("", "--pidfile", str(pidfile))
    assert pidfile.read_text() == f"{daemon.process.pid}\n"
    assert oct(pidfile.stat().st_mode & 0o777) == "0o644"
    daemon.stop()
    assert not pidfile.exists()


@pytest.mark.parametrize("flags", [(), ("--daemon",)])
def test_a_pid_file_or_log_in_a_missing_folder(folder: Path, flags: tuple[str, ...]) -> None:
    file = configured(folder)
    for flag in ("--pidfile", "--log-output"):
        said = circusd(*flags, flag, folder / "missing" / "x", file)
        assert_refused(folder, said, str(folder / "missing"))


def test_no_argument_a_missing_file_and_a_folder(folder: Path) -> None:
    assert circusd() == (0, circusd()[1])
    assert "usage: circusd" in circusd()[1]
    for path in (folder / "nowhere.ini", folder):
        code, text = circusd(path)
        assert (code, str(path) in text, "Traceback" in text) == (1, True, False), text
    assert circusd("--no-such-flag")[0] == 2
    assert circusd("--version")[1].startswith("circusd ")


@pytest.mark.parametrize("flags", [(), ("--check",), ("--daemon",)])
def test_all_mistakes_of_a_file_are_told(folder: Path, flags: tuple[str, ...]) -> None:
    file = folder / "bad.ini"
    file.write_text(BAD.replace("DIR", str(folder)), encoding="utf-8")
    code, text = circusd(*flags, file)
    assert (code, "Traceback" in text) == (1, False)
    problems = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(problems) == 4, text
    for line, problem in zip((9, 10, 14, 15), problems, strict=True):
        assert f"{file}:{line}:" in problem, problems
    assert ("4 mistakes, nothing was started (--skip-bad" in text) is (flags != ("--check",))
    assert "4 mistakes" in text.splitlines()[-1]


def test_check_starts_nothing(folder: Path) -> None:
    file = configured(folder)
    assert circusd("--check", file) == (0, f"{file} is good: 1 watcher\n")
    assert not (folder / "started").exists()
    assert not (folder / "c").exists()


def test_skip_bad_runs_the_good_ones(start: Start) -> None:
    daemon = start(BAD[BAD.index("[watcher:good]") :], "--skip-bad")
    assert daemon.ok("list")["watchers"] == ["good"]
    daemon.until_active("good", 1)
    for name in ("first", "second", "third"):
        assert name in daemon.text()


def test_in_the_background_without_a_log_it_says_where_its_log_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, pidfile = configured(folder), folder / "pid"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    log = folder / "circus" / f"circusd-{file.stem}.log"
    assert circusd("--daemon", "--pidfile", pidfile, file) == (0, f"circusd: its log is {log}\n")
    pid = int(pidfile.read_text())
    try:
        with Caller(f"ipc://{folder}/c") as caller:
            assert caller.call("reloadconfig")["plan"]["options"]["at_once"] == []
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not is_alive(pid))
    assert "Everything is stopped, bye" in log.read_text()


def test_in_the_background_the_command_ends_when_the_daemon_is_ready(folder: Path) -> None:
    file, pidfile, log = configured(folder), folder / "pid", folder / "log"
    words = ("--daemon", "--pidfile", pidfile, "--log-output", log)
    begun = time.monotonic()
    assert circusd(*words, file) == (0, "")
    took = time.monotonic() - begun
    pid = int(pidfile.read_text())
    try:
        with Caller(f"ipc://{folder}/c") as caller:
            assert caller.call("numwatchers")["numwatchers"] == 1
        print(f"ready after {took:.2f} s")
        assert os.getsid(pid) not in (pid, os.getsid(0))
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        until((folder / "started").exists)
        code, text = circusd(*words, file)
        assert (code, f"pid {pid}" in text) == (1, True), text
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not is_alive(pid))
    assert not pidfile.exists()
    assert "Everything is stopped, bye" in log.read_text()
