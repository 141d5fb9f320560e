"""What the kernel tells of listening sockets, on real ones."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.system.net.socket_table import Address, read_sockets
from cvec_circus_plugins.stats.socket_statistics import SocketStatistics

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="only Linux tells")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(kind: str, folder: Path, stack: ExitStack) -> tuple[socket.socket, Address]:
    """Return a socket that listens, and where the daemon would say that it does."""
    family = {"unix": socket.AF_UNIX, "tcp6": socket.AF_INET6, "any6": socket.AF_INET6}.get(
        kind, socket.AF_INET
    )
    sock = stack.enter_context(socket.socket(family))
    host = {"tcp6": "::1", "any6": "::", "any": "0.0.0.0"}.get(kind, "127.0.0.1")
    sock.bind(str(folder / "a socket") if kind == "unix" else (host, 0))
    sock.listen(16)
    address = sock.getsockname()
    return sock, address if kind == "unix" else (host, address[1])


def connected(to: socket.socket, kind: str, stack: ExitStack) -> socket.socket:
    sock = stack.enter_context(socket.socket(to.family))
    address = to.getsockname()
    reached = {"any": "127.0.0.1", "any6": "::1"}
    sock.connect((reached[kind], address[1]) if kind in reached else address)
    return sock


@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "any", "any6", "unix"])
def test_waiting_and_open_connections_are_told(kind: str, tmp_path: Path, stack: ExitStack) -> None:
    listener, address = listening(kind, tmp_path, stack)
    assert read_sockets([address])[address].queued == 0
    for _ in range(3):
        connected(listener, kind, stack)
    use = read_sockets([address])[address]
    assert (use.is_listening, use.queued) == (True, 3)
    for _ in range(2):
        stack.enter_context(listener.accept()[0])
    use = read_sockets([address])[address]
    assert use.queued == 1
    # TCP connections are open before anybody accepts them.
    assert use.connections == (2 if kind == "unix" else 3)
    assert len(use.seen) == use.connections


def test_what_does_not_listen_is_not_told(tmp_path: Path, stack: ExitStack) -> None:
    bound = stack.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    nowhere: list[Address] = [("127.0.0.1", port), str(tmp_path / "no"), ("localhost", 80)]
    assert read_sockets(nowhere) == {}


def test_datagrams_that_wait_are_told(stack: ExitStack) -> None:
    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind(("127.0.0.1", 0))
    address = ("127.0.0.1", sock.getsockname()[1])
    assert read_sockets([address])[address].queued_bytes == 0
    sock.sendto(b"x" * 100, address)
    assert read_sockets([address])[address].queued_bytes >= 100


def test_new_connections_are_counted_from_sample_to_sample(
    tmp_path: Path, stack: ExitStack
) -> None:
    listener, tcp_address = listening("tcp4", tmp_path, stack)
    assert not isinstance(tcp_address, str)
    host, port = tcp_address
    unix, path = listening("unix", tmp_path, stack)
    views: list[dict[str, Any]] = [
        {"fd": 7, "name": "web", "backlog": 16, "host": host, "port": port},
        {"fd": 8, "name": "ux", "backlog": 16, "path": path},
        {"fd": 9, "name": "gone", "backlog": 16, "host": "127.0.0.1", "port": 1},
    ]

    async def ask(command: str, **_: Any) -> dict[str, Any]:
        assert command == "listsockets"
        return {"status": "ok", "sockets": views}

    sockets = SocketStatistics(ask, read_sockets)

    def sampled() -> dict[str | None, Any]:
        return dict(asyncio.run(sockets.sample()))

    assert [body["reads"] for body in sampled().values()] == [0, 0, 0, 0]
    for _ in range(5):
        connected(listener, "tcp4", stack)
        with listener.accept()[0]:
            pass  # closed here first, it leaves a trace
    kept = connected(unix, "unix", stack)
    stack.enter_context(unix.accept()[0])
    bodies = sampled()
    assert [bodies[key]["reads"] for key in ("7", "8", "9", None)] == [5, 1, 0, 6]
    assert bodies["7"]["address"] == f"{host}:{port}"
    assert bodies["8"] == {
        "fd": 8,
        "subtopic": 8,
        "name": "ux",
        "address": path,
        "backlog": 16,
        "reads": 1,
        "queued": 0,
        "connections": 1,
    }
    assert bodies["9"]["queued"] == "N/A"
    assert bodies[None]["addresses"] == [f"{host}:{port}", path, "127.0.0.1:1"]
    assert sampled()[None]["reads"] == 0
    kept.close()
