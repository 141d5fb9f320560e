"""Real web servers on a managed socket, and releases of the application that they serve.

A release is written where the server looks for its application; each takes its time to import, as
real ones do. The good one answers every request with the pid of the process that has answered. The
broken ones fail in the ways in which releases fail.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.prefix) / "bin"
IMPORT = 2.0
"""Seconds that a release takes to import."""

_ANSWERS = """
import os
def application(environ, start_response):
    body = b"%d\\n" % os.getpid()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b"%d\\n" % os.getpid()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
_PYTHON = {
    "good": f"import time\ntime.sleep({IMPORT})\n{_ANSWERS}",
    "no import": "import no_such_module\n",
    "no import after a while": f"import time\ntime.sleep({IMPORT})\nimport no_such_module\n",
    "exit 0": "import os\nos._exit(0)\n",
    "hangs": "import time\ntime.sleep(3600)\n",
}
_NODE_SERVER = (
    "const http = require('http');\n"
    "const server = http.createServer((request, response) => response.end(process.pid + '\\n'));\n"
    f"setTimeout(() => server.listen(WHERE), {IMPORT * 1000:.0f});\n"
    "process.on('SIGTERM', () => server.close(() => process.exit(0)));\n"
)
_NODE = {
    "good": _NODE_SERVER,
    "no import": "require('no-such-module');\n",
    "no import after a while": f"setTimeout(() => require('no-such-module'), {IMPORT * 1000});\n",
    "exit 0": "process.exit(0);\n",
    "hangs": "setInterval(() => 0, 3600 * 1000);\n",
}
WRONG_PORT = "wrong port"
BROKEN = [*(kind for kind in _PYTHON if kind != "good"), WRONG_PORT]

_PLAIN = """
import socket, sys
where = sys.argv[1]
from app import application
if where.startswith("fd:"):
    listening = socket.socket(fileno=int(where[3:]))
    listening.setblocking(True)
else:
    listening = socket.create_server(("127.0.0.1", int(where)))
while True:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1000)
        body = b"".join(application({}, lambda status, headers: None))
        connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + body)
"""
_WAITRESS = """
import socket, sys, waitress
where = sys.argv[1]
from app import application
if where.startswith("fd:"):
    waitress.serve(application, sockets=[socket.socket(fileno=int(where[3:]))])
else:
    waitress.serve(application, listen="127.0.0.1:" + where)
"""
_GRANIAN = """
import socket, sys
from granian import Granian
from granian._granian import SocketHolder
from granian.constants import Interfaces
where = sys.argv[1]
class Server(Granian):
    def _init_shared_socket(self):
        if not where.startswith("fd:"):
            return super()._init_shared_socket()
        self._ssp = None
        self._sso = socket.socket(fileno=int(where[3:]))
        self._shd = SocketHolder(self._sso.fileno(), False, 1024)
if __name__ == "__main__":
    port = 0 if where.startswith("fd:") else int(where)
    Server("app:asgi", port=port, interface=Interfaces.ASGI).serve()
"""
_RECIPES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "recipes" / "web"
SCRIPTS = {
    "plain.py": _PLAIN,
    "on_waitress.py": _WAITRESS,
    "on_granian.py": _GRANIAN,
    **{
        name: (_RECIPES / name).read_text(encoding="utf-8")
        for name in ("serve_uvicorn.py", "serve_hypercorn.py", "gunicorn_uvicorn.py")
    },
}


@dataclass(frozen=True)
class Server:
    """How a server is started, on a descriptor and on a port of its own."""

    on_descriptor: str
    on_port: str
    releases: str = "python"

    @property
    def is_installed(self) -> bool:
        """Whether its program is on this machine."""
        return shutil.which(self.on_descriptor.split()[0]) is not None


def _gunicorn(*words: str, app: str = "app:application") -> Server:
    start = f"{BIN / 'gunicorn'} -w 2 --graceful-timeout 5 {' '.join(words)}"
    return Server(f"{start} -b fd://FD {app}", f"{start} -b 127.0.0.1:PORT {app}")


def _script(name: str) -> Server:
    start = f"{sys.executable} {name}"
    return Server(f"{start} fd:FD", f"{start} PORT")


SERVERS = {
    "plain": _script("plain.py"),
    # uvicorn and hypercorn by themselves close what they have accepted and not read yet: these are
    # as the recipes are.
    "uvicorn": Server(
        f"{sys.executable} serve_uvicorn.py app:asgi FD", f"{BIN / 'uvicorn'} --port PORT app:asgi"
    ),
    "gunicorn": _gunicorn(),
    "gunicorn gthread": _gunicorn("-k gthread --threads 2"),
    "gunicorn uvicorn": _gunicorn("-c gunicorn_uvicorn.py", app="app:asgi"),
    "gunicorn preload": _gunicorn("--preload"),
    "waitress": _script("on_waitress.py"),
    "chaussette": Server(
        f"{BIN / 'chaussette'} --fd FD app.application",
        f"{BIN / 'chaussette'} --port PORT app.application",
    ),
    "granian": _script("on_granian.py"),
    "hypercorn": Server(
        f"{sys.executable} serve_hypercorn.py app:asgi FD",
        f"{BIN / 'hypercorn'} -b 127.0.0.1:PORT app:asgi",
    ),
    "node": Server("node app.js fd:FD", "node app.js PORT", releases="node"),
}


def write_release(folder: Path, server: Server, kind: str) -> None:
    """Put a release where the server finds it, in one step."""
    if server.releases == "node":
        where = (
            "process.argv[2].startsWith('fd:') ? {fd: +process.argv[2].slice(3)} : +process.argv[2]"
        )
        name, text = "app.js", _NODE[kind].replace("WHERE", where)
    else:
        name, text = "app.py", _PYTHON[kind]
    fresh = folder / f"{name}.new"
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(folder / name)


def write_scripts(folder: Path) -> None:
    """Put the servers' own scripts beside the release."""
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text, encoding="utf-8")
