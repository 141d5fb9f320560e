"""One worker of the example of managed sockets: it serves HTTP on a socket that it is given.

It never binds anything. Where the socket is, ``how`` tells: ``fd 7`` is descriptor 7, ``listed`` is
the first one of LISTEN_FDS, ``stdin`` is descriptor 0.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer

FIRST_LISTED = 3


class Handler(BaseHTTPRequestHandler):
    """Says who answers."""

    def do_GET(self) -> None:
        """Answer with our pid."""
        body = f"{os.getpid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def descriptor(how: str, number: int | None) -> int:
    """Return the number of the socket's descriptor in this process."""
    if how == "stdin":
        return 0
    if how == "fd" and number is not None:
        return number
    # The variables may be meant for somebody else: a parent of ours.
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise SystemExit("no socket was given to this process")
    return FIRST_LISTED


def main() -> None:
    """Serve until told to end, or until nobody has come for some seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=("fd", "listed", "stdin"))
    parser.add_argument("number", type=int, nargs="?")
    parser.add_argument("--idle", type=float, help="seconds after which to end")
    given = parser.parse_args()

    server = HTTPServer(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=descriptor(given.how, given.number))
    # All workers share one socket: who wakes up late finds that another one took the connection.
    server.socket.setblocking(False)
    while select.select([server.socket], [], [], given.idle)[0]:
        server.handle_request()


if __name__ == "__main__":
    main()
