"""Real servers that plugins talk to, kept in the test: statsd's datagrams, HTTP, SMTP."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Statsd:
    """A socket where statsd would listen."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.heard: list[str] = []

    def has(self, pattern: str) -> bool:
        """Tell whether a whole datagram has come that looks like this."""
        return bool(self.count(pattern))

    def count(self, pattern: str) -> int:
        """Return how many datagrams have come that look like this."""
        try:
            while True:
                self.heard.append(self.socket.recv(65536).decode())
        except BlockingIOError:
            return sum(re.fullmatch(pattern, one) is not None for one in self.heard)


@dataclass(frozen=True)
class Posted:
    """A request that has come."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Web:
    """An HTTP server that behaves as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.is_silent = False
        """Whether it takes requests and never answers."""
        self.asked: list[Posted] = []
        self.ending = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                headers = {key.lower(): value for key, value in self.headers.items()}
                web.asked.append(Posted(self.command, self.path, headers, self.rfile.read(size)))
                if web.is_silent:
                    web.ending.wait(60)
                    return
                self.send_response(web.status)
                if 300 <= web.status < 400:
                    self.send_header("Location", "/elsewhere" + "/again" * (len(web.asked) % 2))
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def do_GET(self) -> None:  # noqa: N802 - the name that the library calls
                self.answer()

            def do_POST(self) -> None:  # noqa: N802 - the name that the library calls
                self.answer()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Serve no more: connections are refused from now on."""
        if not self.ending.is_set():
            self.ending.set()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


@contextmanager
def statsd() -> Iterator[Statsd]:
    """Return a statsd server for one test."""
    one = Statsd()
    try:
        yield one
    finally:
        one.socket.close()


@contextmanager
def web() -> Iterator[Web]:
    """Return an HTTP server for one test."""
    one = Web()
    try:
        yield one
    finally:
        one.close()
