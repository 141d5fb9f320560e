"""The other end of a connection: users made real by setuid, over every kind of socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from cvec_circus_core.model.access import Caller, LocalUser, Stranger
from cvec_circus_core.system.net import netlink
from cvec_circus_core.system.net.peers import CAN_TELL, Meeting, Peers

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system tells no peers over tcp")

KINDS = ["unix", "tcp4", "tcp6", "mapped"]
OTHER = 12345


def listening(kind: str) -> tuple[socket.socket, Callable[[], socket.socket]]:
    """Return a server, and what connects to it."""
    family = {"unix": socket.AF_UNIX, "tcp4": socket.AF_INET}.get(kind, socket.AF_INET6)
    server = socket.socket(family)
    if kind == "unix":
        # A name without a file: other users may not enter the folders of tests.
        address: object = f"\0circus-peers-{os.getpid()}"
        server.bind(address)  # type: ignore[arg-type]
    elif kind == "mapped":
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", 0))
        family, address = socket.AF_INET, ("127.0.0.1", server.getsockname()[1])
    else:
        server.bind(("127.0.0.1" if kind == "tcp4" else "::1", 0))
        address = server.getsockname()
    server.listen()

    def connect() -> socket.socket:
        one = socket.socket(family)
        one.connect(address)  # type: ignore[arg-type]
        return one

    return server, connect


@pytest.fixture(params=KINDS)
def pair(
    request: pytest.FixtureRequest,
) -> Iterator[tuple[socket.socket, Callable[[], socket.socket]]]:
    server, connect = listening(request.param)
    with server:
        yield server, connect


@pytest.fixture(params=["netlink", "tables"])
def peers(request: pytest.FixtureRequest) -> Iterator[Peers]:
    asked = Peers()
    if request.param == "tables":
        asked._diag.close()
    yield asked
    asked.close()


def met(peers: Peers, fd: int) -> Caller:
    meeting: Meeting = peers.meet(fd)
    meeting.close()
    return meeting.caller


def test_oneself(peers: Peers, pair: tuple[socket.socket, Callable[[], socket.socket]]) -> None:
    server, connect = pair
    with connect(), server.accept()[0] as accepted:
        pid = os.getpid() if accepted.family == socket.AF_UNIX else None
        assert met(peers, accepted.fileno()) == LocalUser(os.getuid(), pid)


def connecting_as(uid: int, connect: Callable[[], socket.socket]) -> tuple[int, Callable[[], None]]:
    """Connect in a child of another user; return its pid, and what makes it hang up and end."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(writes)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            one = connect()
            os.read(reads, 1)
            one.close()
        finally:
            os._exit(0)
    os.close(reads)

    def end() -> None:
        os.close(writes)
        os.waitpid(pid, 0)

    return pid, end


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("uid", [OTHER, 65534])
def test_another_user(
    peers: Peers, pair: tuple[socket.socket, Callable[[], socket.socket]], uid: int
) -> None:
    server, connect = pair
    server.settimeout(10)
    pid, end = connecting_as(uid, connect)
    with server.accept()[0] as accepted:
        known = pid if accepted.family == socket.AF_UNIX else None
        assert met(peers, accepted.fileno()) == LocalUser(uid, known)
        end()
        after = met(peers, accepted.fileno())
        # A Unix socket remembers; of a TCP connection that was closed the tables say root.
        assert after == LocalUser(uid, known) if known else isinstance(after, Stranger)


def test_a_descriptor_that_is_no_socket_is_a_strangers(peers: Peers) -> None:
    reads, writes = os.pipe()
    assert isinstance(met(peers, reads), Stranger)
    os.close(reads)
    os.close(writes)
    assert isinstance(met(peers, reads), Stranger)


def test_a_descriptor_that_is_no_socket_is_not_kept_open(peers: Peers) -> None:
    read, write = os.pipe()
    try:
        before = os.listdir("/proc/self/fd")
        for _ in range(10):
            peers.meet(read).close()
        assert os.listdir("/proc/self/fd") == before
    finally:
        os.close(read)
        os.close(write)


def test_who_is_turned_away_reads_the_end(
    peers: Peers, pair: tuple[socket.socket, Callable[[], socket.socket]]
) -> None:
    server, connect = pair
    with connect() as one, server.accept()[0] as accepted:
        peers.meet(accepted.fileno()).turn_away()
        one.settimeout(10)
        assert one.recv(1) == b""
        with pytest.raises(OSError):
            accepted.sendall(b"a secret")


def test_where_the_kernel_has_no_such_table_proc_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = Peers()
    monkeypatch.setattr(netlink.SockDiag, "connection", lambda *_: None)
    server, connect = listening("tcp4")
    with server, connect(), server.accept()[0] as accepted:
        assert met(peers, accepted.fileno()) == LocalUser(os.getuid())
        assert peers._diag._netlink is None
