"""Processes that do not handle their stop signal, ended between two requests."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan, Served
from cvec_circus_core.system.net import netlink
from cvec_circus_core.system.net.busy_connections import under_way
from cvec_circus_core.system.proc import sockets_of
from cvec_circus_core.system.processes.idle_stop import dies_of
from cvec_circus_core.system.processes.launcher import Launcher
from cvec_circus_core.system.processes.local_owner import choose_processes
from cvec_circus_core.system.processes.process_table import descendants_of
from cvec_circus_core.system.protocols import Scope, SignalResult
from tests.programs import wait_until
from tests.spawned import spawned

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is seen in /proc"),
]

TERM = int(signal.SIGTERM)
LIMIT = 30.0
SERVER = """
import signal, socket, sys, time
listening, how = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
if how == "handles":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    connection, _ = listening.accept()
    connection.recv(100)
    time.sleep(1000 if how == "never answers" else 0.7)
    connection.sendall(b"done")
    connection.close()
"""
SHELL = ("/bin/sh", "-c", '"$@" & wait', "sh")


@pytest.mark.parametrize(
    ("program", "dies"),
    [
        ("import time; print(1, flush=True); time.sleep(60)", True),
        ("import signal as s; s.signal(15, lambda *_: 0); print(1, flush=True); s.pause()", False),
        ("import signal as s; s.signal(15, s.SIG_IGN); print(1, flush=True); s.pause()", False),
        (
            "import signal as s; s.pthread_sigmask(s.SIG_BLOCK, [15]); print(1, flush=True);"
            "s.sigwait([15])",
            False,
        ),
    ],
    ids=["default", "caught", "ignored", "blocked"],
)
def test_who_dies_of_a_signal(program: str, dies: bool) -> None:
    words = [sys.executable, "-S", "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            stat = Path(f"/proc/{process.pid}/stat")
            # It says so a moment before it stands there.
            wait_until(lambda: stat.read_text().split()[2] == "S", LIMIT)
            assert dies_of(process.pid, TERM) is dies
        finally:
            process.kill()


def test_who_is_gone_dies_of_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert not dies_of(process.pid, TERM)


@pytest.fixture(params=["tcp", "tcp6", "unix"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """Yield a socket that listens."""
    made: socket.socket
    if request.param == "unix":
        made = socket.socket(socket.AF_UNIX)
        made.bind(str(tmp_path / "a socket"))
        made.listen()
    elif request.param == "tcp":
        made = socket.create_server(("127.0.0.1", 0))
    else:
        if not socket.has_dualstack_ipv6():
            pytest.skip("this machine has no IPv6")
        made = socket.create_server(("::1", 0), family=socket.AF_INET6)
    with made:
        yield made


def served_at(listening: socket.socket) -> Served:
    """Return the same address as the daemon says it."""
    where = listening.getsockname()
    return (
        Served(paths=frozenset({where}))
        if isinstance(where, str)
        else Served(frozenset({where[1]}))
    )


def connected(listening: socket.socket) -> socket.socket:
    """Return the client's end of a new connection."""
    client = socket.socket(listening.family)
    client.settimeout(LIMIT)
    client.connect(listening.getsockname())
    return client


def inode(one: socket.socket) -> int:
    """Return the inode of a socket."""
    return os.fstat(one.fileno()).st_ino


@pytest.mark.parametrize("by", ["netlink", "tables"])
def test_whom_somebody_waits_for(
    listening: socket.socket, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "tables":
        monkeypatch.setattr(netlink, "_SOCK_DIAG", 9999)
    served = served_at(listening)
    mine = sockets_of(os.getpid())
    assert inode(listening) in mine
    assert not under_way(served) & mine
    with connected(listening) as client:
        assert not under_way(served) & sockets_of(os.getpid()), "nobody has accepted it yet"
        with listening.accept()[0] as accepted:
            assert under_way(served) & sockets_of(os.getpid()) == {inode(accepted)}
            client.sendall(b"question")
            accepted.recv(100)
            assert under_way(served) & sockets_of(os.getpid()) == {inode(accepted)}
    assert not under_way(served) & sockets_of(os.getpid())


def test_a_connection_that_is_kept_for_later_does_not_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = served_at(listening)
        with connected(listening) as client, listening.accept()[0] as accepted:
            client.sendall(b"question")
            accepted.recv(100)
            accepted.sendall(b"answer")
            wait_until(lambda: inode(accepted) not in under_way(served), LIMIT)
            client.sendall(b"another")
            wait_until(lambda: inode(accepted) in under_way(served), LIMIT)
            time.sleep(1.2)
            assert inode(accepted) in under_way(served), "that one is not answered yet"


class Standing:
    """A server of one connection at a time, started as the daemon does it."""

    def __init__(self, listening: socket.socket, how: str, *before: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.processes = choose_processes(self.loop, Launcher(sealed=True))
        self.served = served_at(listening)
        self.ends: list[Exit] = []
        self.results: list[SignalResult] = []
        fd = str(listening.fileno())
        plan = LaunchPlan(
            argv=(*before, sys.executable, "-S", "-c", SERVER, fd, how), env=dict(os.environ)
        )
        os.set_inheritable(listening.fileno(), True)
        self.pid = spawned(self.processes, plan, lambda _, ended: self.ends.append(ended))

    def finish(self, patience: float = LIMIT) -> None:
        """Ask it to go."""
        self.processes.signal_when_idle(
            self.pid, TERM, Scope.PROCESS, self.served, patience, self.results.append
        )

    def until(self, fact: Callable[[], bool]) -> None:
        """Let the loop run until something is so."""
        end = time.monotonic() + LIMIT
        while not fact():
            assert time.monotonic() < end, "not so in time"
            self.loop.call_later(0.002, self.loop.stop)
            self.loop.run_forever()

    def serves(self) -> bool:
        """Tell whether it has taken a connection and is answering."""
        rows = [self.pid, *(row.pid for row in descendants_of([self.pid]))]
        return any(under_way(self.served) & sockets_of(pid) for pid in rows)

    def close(self) -> None:
        """Leave nothing behind."""
        swept: list[int] = []
        self.processes.signal(self.pid, signal.SIGKILL, Scope.TREE)
        self.until(lambda: bool(self.ends))
        self.processes.kill_leftovers(self.pid, signal.SIGKILL, 1.0, swept.append)
        self.until(lambda: bool(swept))
        self.processes.close()
        self.loop.close()


Stand = Callable[..., Standing]


@pytest.fixture
def stand(listening: socket.socket) -> Iterator[Stand]:
    """Start a server."""
    made: list[Standing] = []

    def stand(how: str, *before: str) -> Standing:
        made.append(Standing(listening, how, *before))
        return made[-1]

    yield stand
    for one in made:
        one.close()


def answer(client: socket.socket, one: Standing) -> bytes:
    """Return what the client gets while the loop runs."""
    client.setblocking(False)
    got: list[bytes] = []

    def has_come() -> bool:
        try:
            got.append(client.recv(100))
        except BlockingIOError:
            return False
        return True

    one.until(has_come)
    return got[0]


@pytest.mark.parametrize("before", [(), SHELL], ids=["itself", "started by a shell"])
def test_who_was_asked_is_answered_first(
    stand: Stand, listening: socket.socket, before: tuple[str, ...]
) -> None:
    one = stand("dies", *before)
    with connected(listening) as client:
        client.sendall(b"question")
        one.until(one.serves)
        one.finish()
        assert one.results == []
        assert answer(client, one) == b"done"
        one.until(lambda: bool(one.ends))
    assert one.results == [SignalResult(True)]
    assert one.ends[0].code == -TERM


def test_whom_it_has_not_taken_is_for_others(stand: Stand, listening: socket.socket) -> None:
    one = stand("dies")
    one.until(lambda: is_waiting(one.pid))
    one.finish()
    one.until(lambda: bool(one.ends))
    with connected(listening) as client:
        client.sendall(b"question")
        other = stand("dies")
        assert answer(client, other) == b"done"


def test_patience_ends(stand: Stand, listening: socket.socket) -> None:
    one = stand("never answers")
    with connected(listening) as client:
        client.sendall(b"question")
        one.until(one.serves)
        one.finish(patience=0.3)
        assert one.results == []
        one.until(lambda: bool(one.ends))
    assert one.results == [SignalResult(True)]


@pytest.mark.parametrize(("how", "patience"), [("handles", LIMIT), ("never answers", 0.0)])
def test_who_knows_the_signal_gets_it_at_once(
    stand: Stand, listening: socket.socket, how: str, patience: float
) -> None:
    one = stand(how)
    with connected(listening) as client:
        client.sendall(b"question")
        one.until(one.serves)
        one.finish(patience)
        assert one.results == [SignalResult(True)]


def test_who_ends_by_itself_is_left_alone(stand: Stand, listening: socket.socket) -> None:
    one = stand("never answers")
    with connected(listening) as client:
        client.sendall(b"question")
        one.until(one.serves)
        one.finish()
        one.processes.signal(one.pid, signal.SIGKILL)
        one.until(lambda: bool(one.ends))
        over: list[bool] = []
        one.loop.call_later(0.2, over.append, True)
        one.until(lambda: bool(over))
    assert one.results == [SignalResult(False)]


def is_waiting(pid: int) -> bool:
    """Tell whether a process stands in accept."""
    return dies_of(pid, TERM) and Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "S"
