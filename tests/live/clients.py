"""Clients of what the daemon's sockets lead to."""

from __future__ import annotations

import socket
import urllib.request

from tests.live.daemon import Daemon

Address = tuple[str, int] | str
LIMIT = 20.0


def address(daemon: Daemon, name: str) -> Address:
    """Return where a managed socket is."""
    (found,) = (one for one in daemon.ok("listsockets")["sockets"] if one["name"] == name)
    return found["path"] if "path" in found else (found["host"], found["port"])


def descriptor(daemon: Daemon, name: str) -> int:
    """Return the number of a managed socket in the daemon."""
    (found,) = (one for one in daemon.ok("listsockets")["sockets"] if one["name"] == name)
    return int(found["fd"])


def connected(where: Address) -> socket.socket:
    """Return a connection that nobody may have accepted yet."""
    client = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    client.settimeout(LIMIT)
    client.connect(where)
    return client


def who(where: Address) -> int:
    """Connect and return who answers."""
    with connected(where) as client:
        return int(client.recv(100))


def who_serves(where: Address) -> int:
    """Ask over HTTP and return who answers."""
    assert not isinstance(where, str)
    with urllib.request.urlopen(f"http://{where[0]}:{where[1]}/", timeout=LIMIT) as reply:
        return int(reply.read())


def who_echoes(where: Address) -> int:
    """Send a datagram and return who answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(LIMIT)
        client.sendto(b"hello", where)
        pid, said = client.recv(100).split()
    assert said == b"hello"
    return int(pid)
