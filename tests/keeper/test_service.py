"""Under a service manager, in the background, and as process 1: the keeper is what they know."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cvec_circus_core.system.keeper_client.standby_fork import NAME as STANDBY
from tests.keeper.kept import Kept, brain_of
from tests.live.daemon import Daemon, is_alive, until
from tests.live.test_as_process_one import Container, can_have_namespaces

pytestmark = pytest.mark.live

_SLEEPER = "[watcher:sleeper]\ncmd = sleep 1000\nready = spawned\n"
LIMIT = 60.0


class Manager:
    """systemd's end of a notify socket."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.settimeout(LIMIT)

    def hear(self, start: str) -> list[str]:
        """Return the lines of the next message that begins like this."""
        while True:
            lines = self._socket.recv(4096).decode().splitlines()
            if lines[0].startswith(start):
                return lines

    def is_silent(self) -> bool:
        """Tell whether nothing comes for ten times as long as it should."""
        self._socket.settimeout(2.0)
        try:
            self._socket.recv(4096)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(LIMIT)
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


@pytest.mark.parametrize("kind", [Daemon, Kept])
@pytest.mark.parametrize("is_tcp", [False, True], ids=["ipc", "tcp"])
def test_the_service_manager_knows_the_main_process_and_that_it_goes_on(
    manager: Manager, kind: type[Daemon], is_tcp: bool
) -> None:
    daemon = kind(_SLEEPER, tcp=is_tcp)
    try:
        process = daemon.launch(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="2000000")
        assert manager.hear("READY=1") == ["READY=1", f"MAINPID={process.pid}"]
        for _ in range(2):
            manager.hear("WATCHDOG=1")
        (pid,) = daemon.until_active("sleeper")
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert manager.address.encode() not in environment
        assert b"WATCHDOG_USEC" not in environment
        if isinstance(daemon, Kept):
            daemon.kill_brain()
            assert manager.hear("READY=1") == ["READY=1", f"MAINPID={process.pid}"]
            manager.hear("WATCHDOG=1")
            assert daemon.pids("sleeper") == [pid]
        assert daemon.stop() == 0
        assert manager.hear("STOPPING=1")
    finally:
        daemon.clean_up()


def test_a_brain_that_hangs_is_missed(manager: Manager) -> None:
    daemon = Kept(_SLEEPER)
    try:
        daemon.launch(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000")
        manager.hear("WATCHDOG=1")
        daemon.until_active("sleeper")
        brain = daemon.brain()
        os.kill(brain, signal.SIGSTOP)
        until(manager.is_silent)
        os.kill(brain, signal.SIGCONT)
        manager.hear("WATCHDOG=1")
        assert daemon.stop() == 0
    finally:
        daemon.clean_up()


def test_in_the_background_the_pid_file_names_the_keeper(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    flags = ("--daemon", "--pidfile", str(pidfile))
    daemon = Kept(_SLEEPER, *flags, logs_to_file=True)
    try:
        assert daemon.launch().wait(LIMIT) == 0
        keeper = psutil.Process(int(pidfile.read_text()))
        (pid,) = daemon.until_active("sleeper")
        assert psutil.Process(pid).ppid() == keeper.pid
        brain = brain_of(keeper)
        os.kill(brain, signal.SIGKILL)
        until(lambda: not is_alive(brain))
        daemon.caller.close()
        daemon._caller = None
        assert daemon.pids("sleeper") == [pid]
        assert int(pidfile.read_text()) == keeper.pid
        keeper.terminate()
        until(lambda: not is_alive(keeper.pid))
        assert not is_alive(pid)
        assert not pidfile.exists()
    finally:
        daemon.clean_up()


@pytest.mark.skipif(not can_have_namespaces(), reason="no process namespaces here")
def test_as_process_one_of_a_container(tmp_path: Path) -> None:
    container = Container(tmp_path, "cmd = sleep 1000\nready = spawned\n[circus]\nkeeper = True")
    try:
        until(lambda: "waiting for commands" in container.log.read_text())
        until(lambda: len(container.daemon.children()) == 3)
        *brains, sleeper = sorted(
            container.daemon.children(), key=lambda child: child.name() == "sleep"
        )
        (brain,) = (child for child in brains if child.name() != STANDBY)
        count = container.log.read_text().count("waiting for commands")
        brain.kill()
        until(lambda: container.log.read_text().count("waiting for commands") > count)
        assert sleeper.is_running()
        container.daemon.terminate()
        assert container.unshare.wait(LIMIT) == 0
        assert not sleeper.is_running()
    finally:
        container.unshare.kill()
        container.unshare.wait()
