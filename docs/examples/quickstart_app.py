"""One worker of the quick start's web application; the standard library is all it needs.

Every worker binds the same port with SO_REUSEPORT, so the kernel spreads new connections over
those that are alive. SIGTERM lets requests under way end before the worker goes.

    GET /       a page that says which worker answered
    GET /json   the same as JSON
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

PAGE = """<!doctype html>
<html lang="en">
<title>Worker {wid}</title>
<h1>Worker {wid} answered</h1>
<p>Its pid is {pid} and this was its request number {served}. Reload to meet the others.</p>
</html>
"""


class Application(ThreadingHTTPServer):
    """The server of one worker: it shares its port and counts what it served."""

    allow_reuse_port = True
    daemon_threads = False

    def __init__(self, port: int, wid: int) -> None:
        super().__init__(("127.0.0.1", port), Answer)
        self.wid = wid
        self._served = 0
        self._counting = threading.Lock()

    def facts(self) -> dict[str, int]:
        """Return who answers, counting this answer."""
        with self._counting:
            self._served += 1
            return {"wid": self.wid, "pid": os.getpid(), "served": self._served}

    def finish(self, signum: int, frame: FrameType | None) -> None:
        """Take no more requests: `serve_forever` returns soon after."""
        threading.Thread(target=self.shutdown).start()


class Answer(BaseHTTPRequestHandler):
    """One connection."""

    server: Application
    timeout = 5

    def do_GET(self) -> None:
        """Answer with a page or, at /json, with an object."""
        match self.path:
            case "/":
                self._send("text/html; charset=utf-8", PAGE.format(**self.server.facts()))
            case "/json":
                self._send("application/json", json.dumps(self.server.facts()) + "\n")
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tell each request on standard output, with the worker it went to."""
        print(f"worker {self.server.wid}: {format % args}")


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--wid", type=int, default=0, help="number of the worker, $(circus.wid)")
    given = parser.parse_args()
    try:
        application = Application(given.port, given.wid)
    except OSError as error:
        print(f"worker {given.wid}: port {given.port}: {error.strerror}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, application.finish)
    signal.signal(signal.SIGINT, application.finish)
    print(f"worker {given.wid}: pid {os.getpid()} serves http://127.0.0.1:{given.port}/")
    with application:
        application.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
