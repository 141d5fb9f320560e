"""The documents' own example files run as they are, ports and all: in a network of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.daemon import BIN, ROOT, until

EXAMPLES = ROOT / "tests" / "config" / "examples"
LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as any:  # SIOCSIFFLAGS: up and running
    fcntl.ioctl(any, 0x8914, struct.pack("16sh", b"lo", 0x41))
os.execv(sys.argv[1], sys.argv[1:])
"""
PROGRAM = """
import pathlib, sys, time
pathlib.Path(f"here-{sys.argv[1]}").touch()
print("line of", sys.argv[1])
time.sleep(1000)
"""


def can_have_networks() -> bool:
    """Tell whether we may make a network namespace."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    words = ["unshare", "--net", sys.executable, "-c", LOOPBACK, "/bin/true"]
    return subprocess.run(words, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_have_networks(), reason="no network namespaces here")

Run = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run an example in a folder with the programs that it names."""
    started: list[subprocess.Popen[bytes]] = []
    (tmp_path / "myprogram.py").write_text(PROGRAM)
    other = tmp_path / "bin" / "another_program"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\ntouch other-$$\nexec sleep 1000\n")
    other.chmod(0o755)
    (tmp_path / "bin" / "python").symlink_to(sys.executable)

    def run(name: str) -> subprocess.Popen[bytes]:
        shutil.copy(EXAMPLES / name, tmp_path)
        circusd = [sys.executable, "-c", LOOPBACK, BIN / "circusd", tmp_path / name]
        with (tmp_path / "out").open("wb") as out:
            started.append(
                subprocess.Popen(
                    ["unshare", "--net", *circusd],
                    cwd=tmp_path,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "PATH": f"{other.parent}:{os.environ['PATH']}"},
                )
            )
        return started[-1]

    yield run
    for one in started:
        if one.poll() is None:
            one.terminate()
        assert one.wait(30) == 0, (tmp_path / "out").read_text()[-3000:]


def test_the_minimal_one_runs_all_its_programs(run: Run, tmp_path: Path) -> None:
    run("minimal.ini")
    until(
        lambda: {one.name for one in tmp_path.glob("here-*")} == {f"here-{i}" for i in range(1, 6)}
    )
    until(lambda: len(list(tmp_path.glob("other-*"))) == 2)


def test_the_one_with_a_stream_and_a_plugin_writes_its_file(run: Run, tmp_path: Path) -> None:
    run("streams_and_statsd.ini")

    def lines() -> set[str]:
        log = tmp_path / "test.log"
        return (
            {splitline[-1] for splitline in log.read_text().splitlines()} if log.exists() else set()
        )

    until(lambda: lines() == set("12345"))
    until(lambda: "plugin:statsd started" in (tmp_path / "out").read_text())


def test_the_one_from_supervisor_says_what_is_missing(run: Run, tmp_path: Path) -> None:
    daemon = run("from_supervisor.ini")
    until(lambda: "/home/www/my-server" in (tmp_path / "out").read_text())
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(20) == 0
    assert "Traceback" not in (tmp_path / "out").read_text()
