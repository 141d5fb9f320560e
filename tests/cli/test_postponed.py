"""What the daemon's program leaves for later, in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cvec_circus_core.daemon.lazy_modules import SELDOM_USED

_FIRST = "import sys, cvec_circus_cli.circusd\n"

_HANDSHAKE = """
import asyncio, ssl
async def run():
    server = await asyncio.start_server(lambda _, writer: writer.write(b"no TLS here"), "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    try:
        await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
    except ssl.SSLError as error:
        print(type(error).__module__, asyncio.sslproto.SSLProtocol.__name__)
    server.close()
asyncio.run(run())
"""


def told(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _FIRST + program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_daemon_starts_without_them() -> None:
    # What else is installed may import one of them at its own start.
    kinds = told(f"print([type(sys.modules.get(one)).__name__ for one in {SELDOM_USED!r}])")
    assert kinds.count("_Placeholder") >= len(SELDOM_USED) - 1, kinds


@pytest.mark.parametrize(
    "use",
    [
        "import tempfile; print(tempfile.gettempdir())",
        "from hashlib import sha256; print(sha256(b'x').hexdigest())",
        "import csv, io; print(next(csv.reader(io.StringIO('a,b'))))",
        "import zipfile; print(zipfile.ZipFile)",
    ],
)
def test_whoever_uses_one_gets_it_whole(use: str) -> None:
    plain = subprocess.run(
        [sys.executable, "-c", use], capture_output=True, text=True, timeout=60, check=True
    )
    assert told(use) == plain.stdout.strip()


def test_asyncio_still_speaks_tls() -> None:
    assert told(_HANDSHAKE) == "ssl SSLProtocol"


def test_many_threads_may_be_the_first() -> None:
    program = """
from concurrent.futures import ThreadPoolExecutor
import ssl
with ThreadPoolExecutor(16) as pool:
    found = {id(one) for one in pool.map(lambda _: ssl.SSLContext, range(64))}
print(len(found))
"""
    assert told(program) == "1"
