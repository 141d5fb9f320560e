"""Programs that serve on a descriptor they are given: ``python serving.py HOW [DESCRIPTOR]``.

Whatever they are asked, they answer with their pid. The applications are for the servers of others.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

FIRST = 3


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer over WSGI."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


async def asgi(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer over ASGI."""
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def serve(listening: socket.socket, *, once: bool = False) -> None:
    """Accept one after another, and say who we are."""
    listening.setblocking(True)
    while True:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(str(os.getpid()).encode())
        if once:
            return


def echo(receiving: socket.socket) -> None:
    """Send every datagram back, after our pid."""
    receiving.setblocking(True)
    while True:
        said, whence = receiving.recvfrom(1000)
        receiving.sendto(f"{os.getpid()} ".encode() + said, whence)


def listed(name: str) -> socket.socket:
    """Return the socket of a name, as systemd's protocol tells it."""
    assert int(os.environ["LISTEN_PID"]) == os.getpid()
    names = os.environ["LISTEN_FDNAMES"].split(":")
    assert int(os.environ["LISTEN_FDS"]) == len(names)
    return socket.socket(fileno=FIRST + names.index(name))


def wait_for_http(fd: int) -> None:
    """Serve WSGI with what the standard library has."""
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    class Silent(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    server = WSGIServer(("", 0), Silent, bind_and_activate=False)
    server.socket = socket.socket(fileno=fd)
    server.socket.setblocking(True)
    server.server_name, server.server_port = "localhost", 0
    server.setup_environ()
    server.set_app(wsgi)
    server.serve_forever()


def waitress(fd: int) -> None:
    """Serve WSGI with waitress."""
    from waitress import serve as serve_wsgi  # type: ignore[import-untyped]

    serve_wsgi(wsgi, sockets=[socket.socket(fileno=fd)])


def main(how: str, *words: str) -> None:
    """Serve until the end."""
    match how:
        case "fd":
            serve(socket.socket(fileno=int(words[0])))
        case "once":
            serve(socket.socket(fileno=int(words[0])), once=True)
        case "stdin":
            serve(socket.socket(fileno=0))
        case "udp":
            echo(socket.socket(fileno=int(words[0])))
        case "listed":
            serve(listed(words[0]))
        case "wsgiref":
            wait_for_http(int(words[0]))
        case "waitress":
            waitress(int(words[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
