"""Managed sockets of a daemon inside a program."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from cvec_circus_core import Arbiter, CircusSocket, Watcher
from tests.live.daemon import free_port

pytestmark = pytest.mark.live

SERVE = Path(__file__).resolve().parent.parent / "live" / "serving.py"


def answer(port: int, limit: float = 20) -> int:
    end = time.monotonic() + limit
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=limit) as client:
                return int(client.recv(100))
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_an_arbiter_opens_its_sockets() -> None:
    port = free_port()
    cmd = f"{sys.executable} {SERVE} fd $(circus.sockets.web)"
    with CircusSocket("web", host="127.0.0.1", port=port) as web:
        watcher = Watcher("w", cmd, use_sockets=True)
        arbiter = Arbiter([watcher], endpoint=None, sockets=[web], background=True)
        arbiter.start()
        try:
            assert answer(port) in watcher.processes
        finally:
            arbiter.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
