"""Real etcd servers for the tests of a fleet."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.daemon import LIMIT, free_port, until


class EtcdServer:
    """One etcd of a cluster of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self._peer = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> EtcdServer:
        """Start it, and wait until it answers."""
        with (self.folder / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("etcd", "--name", "test", "--data-dir", str(self.folder / "data")),
                    *("--listen-client-urls", self.endpoint),
                    *("--advertise-client-urls", self.endpoint),
                    *("--listen-peer-urls", self._peer, "--unsafe-no-fsync"),
                    *("--initial-advertise-peer-urls", self._peer),
                    *("--initial-cluster", f"test={self._peer}"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self.is_well)
        return self

    def is_well(self) -> bool:
        """Tell whether it answers."""
        try:
            return bool(httpx.get(f"{self.endpoint}/health", timeout=2).json()["health"] == "true")
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    def send(self, signum: int) -> None:
        """Send a signal to it."""
        assert self._process is not None
        self._process.send_signal(signum)

    def ask(self, path: str, token: str = "", **body: object) -> dict[str, Any]:
        """Return the reply of its gateway to a request that is not refused."""
        headers = {"Authorization": token} if token else {}
        reply = httpx.post(f"{self.endpoint}/v3/{path}", json=body, headers=headers, timeout=LIMIT)
        content: dict[str, Any] = reply.raise_for_status().json()
        return content

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="session")
def etcd_program() -> str:
    program = shutil.which("etcd")
    if program is None:
        assert "CI" not in os.environ, "etcd is missing: apt-get install etcd-server"
        pytest.skip("etcd is not installed: apt-get install etcd-server")
    return program


@pytest.fixture
def etcd(etcd_program: str, tmp_path: Path) -> Iterator[EtcdServer]:
    server = EtcdServer(tmp_path)
    try:
        yield server.start()
    finally:
        server.send(signal.SIGCONT)
        server.stop()
