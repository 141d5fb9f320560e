"""circusd as process 1 of a container: the only parent that orphans have left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import BIN, ROOT, until

LIMIT = 15


def can_have_namespaces() -> bool:
    """Tell whether we may make a process namespace."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    probe = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(probe, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_have_namespaces(), reason="no process namespaces here")


class Container:
    """A daemon that is process 1."""

    def __init__(self, folder: Path, body: str) -> None:
        self.log = folder / "log"
        file = folder / "circus.ini"
        ends = "endpoint = tcp://127.0.0.1:*\npubsub_endpoint = tcp://127.0.0.1:*\n"
        file.write_text(f"[circus]\n{ends}[watcher:w]\n{body}\n")
        with self.log.open("wb") as out:
            self.unshare = subprocess.Popen(
                ["unshare", "--pid", "--fork", "--mount-proc", BIN / "circusd", file],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def inside(self) -> list[psutil.Process]:
        """Return the daemon and all below it."""
        return psutil.Process(self.unshare.pid).children(recursive=True)

    @property
    def daemon(self) -> psutil.Process:
        """Process 1 itself."""
        return psutil.Process(self.unshare.pid).children()[0]

    def orphans(self) -> list[psutil.Process]:
        """Return the daemon's children that began as somebody else's."""
        return [one for one in self.daemon.children() if _seen(one.name) == "sleep"]

    def zombies(self) -> list[psutil.Process]:
        """Return the dead that nobody has collected."""
        return [one for one in self.inside() if _seen(one.status) == psutil.STATUS_ZOMBIE]

    def close(self) -> None:
        """Leave nobody behind."""
        if self.unshare.poll() is None:
            for one in self.inside():
                one.kill()
            self.unshare.wait(LIMIT)


def _seen(look: Callable[[], str]) -> str:
    """Return what is seen of a process, and nothing of one that has just gone."""
    try:
        return look()
    except (psutil.NoSuchProcess, FileNotFoundError):
        return ""


Contain = Callable[[str], Container]


@pytest.fixture
def contain(tmp_path: Path) -> Iterator[Contain]:
    """Start a daemon in a container."""
    made: list[Container] = []

    def contain(body: str) -> Container:
        made.append(Container(tmp_path, body))
        return made[-1]

    yield contain
    for one in made:
        one.close()


def test_orphans_are_reaped_and_the_living_end_with_it(contain: Contain, tmp_path: Path) -> None:
    orphans = "for i in 1 2 3 4 5; do (setsid sleep 0.5 &); (setsid sleep 1000 &); done"
    box = contain(f"cmd = sh -c '{orphans}; echo > {tmp_path}/up; exec tail -f /dev/null'")
    until(lambda: (tmp_path / "up").exists())
    until(lambda: len(box.orphans()) == 5 and not box.zombies())
    begun = time.monotonic()
    box.daemon.send_signal(signal.SIGTERM)
    assert box.unshare.wait(LIMIT) == 0, box.log.read_text()
    assert time.monotonic() - begun < 5
    assert "Traceback" not in box.log.read_text()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop_signals_are_heard_by_process_one_too(
    contain: Contain, tmp_path: Path, signum: int
) -> None:
    box = contain(f"cmd = sh -c 'echo > {tmp_path}/up; exec sleep 1000'")
    until(lambda: (tmp_path / "up").exists())
    box.daemon.send_signal(signum)
    assert box.unshare.wait(LIMIT) == 0, box.log.read_text()


def test_a_bad_file_gives_the_exit_code_of_a_bad_file(contain: Contain) -> None:
    box = contain("cmd = true\nnumprocesses = many")
    assert box.unshare.wait(LIMIT) == 1
    assert "numprocesses = many" in box.log.read_text()
