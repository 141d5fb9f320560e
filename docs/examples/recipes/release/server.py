"""One release of a small server: python3 server.py FD."""

import signal
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import socket

VERSION = Path("VERSION").read_text(encoding="utf-8")


class Handler(BaseHTTPRequestHandler):
    """Tells the version."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(VERSION.encode())

    def log_message(self, format: str, *words: object) -> None:
        """Log nothing."""


server = socketserver.ThreadingTCPServer(("", 0), Handler, bind_and_activate=False)
server.socket = socket(fileno=int(sys.argv[1]))

# At SIGTERM no new request is taken, and those that are under way are answered.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
