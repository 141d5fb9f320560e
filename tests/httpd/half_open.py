"""Connections that begin a request and do not end it, thousands at a time.

``python -m tests.httpd.half_open PORT [COUNT]`` opens ten thousand against a console, opens again
those that are ended, five hundred a second, and prints how long a request takes meanwhile.
"""

from __future__ import annotations

import resource
import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

AGAIN = 500
"""Connections a second that are opened again."""


@contextmanager
def hold_half_open(port: int, count: int) -> Iterator[None]:
    """Hold so many half-open connections, each opened again when it is ended."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted_files = min(hard, count + 1000) if hard != resource.RLIM_INFINITY else count + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted_files, hard))
    ready, over = threading.Event(), threading.Event()
    holder = threading.Thread(target=_hold, args=(port, count, ready, over), daemon=True)
    holder.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        over.set()
        holder.join(30)


def _hold(port: int, count: int, ready: threading.Event, over: threading.Event) -> None:
    connections: set[socket.socket] = set()
    opened, began = 0, time.monotonic()
    with selectors.DefaultSelector() as selector:
        while not over.is_set():
            allowed = count + int((time.monotonic() - began) * AGAIN) if ready.is_set() else count
            while len(connections) < count and opened < allowed and not over.is_set():
                connection = socket.socket()
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", port))
                connections.add(connection)
                selector.register(connection, selectors.EVENT_WRITE)
                opened += 1
                if opened % 100 == 0:
                    _look(selector, connections, 0)
            if opened >= count and not ready.is_set():
                began = time.monotonic()
                ready.set()
            _look(selector, connections, 0.05)
    for connection in connections:
        connection.close()


def _look(selector: selectors.BaseSelector, connections: set[socket.socket], wait: float) -> None:
    for key, events in selector.select(wait):
        connection = key.fileobj
        assert isinstance(connection, socket.socket)
        try:
            if events & selectors.EVENT_WRITE:
                connection.send(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
                selector.modify(connection, selectors.EVENT_READ)
                continue
            if connection.recv(4096):
                continue
        except BlockingIOError:
            continue
        except OSError:
            pass
        selector.unregister(connection)
        connections.discard(connection)
        connection.close()


def main() -> None:
    """Hold, and ask meanwhile."""
    port = int(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with hold_half_open(port, count):
        times = []
        for _ in range(50):
            began = time.monotonic()
            response = httpx.get(f"http://127.0.0.1:{port}/sign-in", timeout=30)
            assert response.status_code == 200
            times.append(time.monotonic() - began)
        times.sort()
        print(
            f"{count} half-open connections: a request takes {times[25] * 1000:.0f} ms "
            f"(median), {times[-1] * 1000:.0f} ms (worst of 50)"
        )


if __name__ == "__main__":
    main()
