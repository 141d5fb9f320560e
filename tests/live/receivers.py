"""Real servers that plugins talk to, kept in the test: statsd's datagrams, HTTP, SMTP."""

from __future__ import annotations

import email.policy
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.live.daemon import free_port


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

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
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


class Post:
    """A mail server that wants a name and a password, where it has one, and keeps what comes."""

    def __init__(self, password: str | None = None) -> None:
        self.letters: list[EmailMessage] = []
        self.receivers: list[list[str]] = []
        self.refusals: list[str] = []
        """What is answered to the next letters instead of taking them."""
        self._password = password
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=free_port(),
            authenticator=self._authenticate if password else None,
            auth_required=password is not None,
            auth_require_tls=False,
        )
        self._controller.start()
        self.port = int(self._controller.port)

    async def handle_DATA(  # noqa: N802 - the name that the library calls
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        """Take a letter, or refuse it."""
        if self.refusals:
            return self.refusals.pop(0)
        letter = message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.receivers.append(list(envelope.rcpt_tos))
        self.letters.append(letter)
        return "250 OK"

    def _authenticate(self, *told: Any) -> AuthResult:
        login = told[-1]
        is_right = login.password == str(self._password).encode()
        return AuthResult(success=is_right, handled=is_right)

    def close(self) -> None:
        """Take no more."""
        self._controller.stop()


@contextmanager
def post(password: str | None = None) -> Iterator[Post]:
    """Return a mail server for one test."""
    one = Post(password)
    try:
        yield one
    finally:
        one.close()
