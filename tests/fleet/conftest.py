"""Real etcd servers for the tests of a fleet."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.daemon import LIMIT, free_port, until

PASSWORD = "only-etcd-knows"


class EtcdServer:
    """One etcd of a cluster of its own."""

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.folder = folder
        self._flags: list[str] = []
        self._reached: dict[str, Any] = {}
        scheme = "http"
        if certificate is not None:
            scheme, key = "https", certificate.with_suffix(".key")
            self._flags = [
                *("--cert-file", str(certificate), "--key-file", str(key)),
                *("--trusted-ca-file", str(certificate), "--client-cert-auth"),
            ]
            context = ssl.create_default_context(cafile=str(certificate))
            context.load_cert_chain(certificate, key)
            self._reached = {"verify": context}
        self.endpoint = f"{scheme}://127.0.0.1:{free_port()}"
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
                    *("--initial-cluster", f"test={self._peer}", *self._flags),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self.is_well)
        return self

    def is_well(self) -> bool:
        """Tell whether it answers."""
        try:
            reply = httpx.get(f"{self.endpoint}/health", timeout=2, **self._reached)
            return bool(reply.json()["health"] == "true")
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    def send(self, signum: int) -> None:
        """Send a signal to it."""
        assert self._process is not None
        self._process.send_signal(signum)

    def ask(self, path: str, token: str = "", **body: object) -> dict[str, Any]:
        """Return the reply of its gateway to a request that is not refused."""
        headers = {"Authorization": token} if token else {}
        url = f"{self.endpoint}/v3/{path}"
        reply = httpx.post(url, json=body, headers=headers, timeout=LIMIT, **self._reached)
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
def secret_etcd(etcd_program: str, tmp_path: Path) -> Iterator[tuple[EtcdServer, Path]]:
    """Return an etcd that asks for a certificate and a password, and that certificate."""
    certificate = tmp_path / "etcd.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            # etcd refuses certificates with a common name where it asks for a password, too.
            *("-subj", "/O=fleet", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    server = EtcdServer(tmp_path, certificate)
    try:
        server.start()
        server.ask("auth/user/add", name="root", password=PASSWORD)
        server.ask("auth/role/add", name="root")
        server.ask("auth/user/grant", user="root", role="root")
        server.ask("auth/enable")
        yield server, certificate
    finally:
        server.stop()


@pytest.fixture
def etcd(etcd_program: str, tmp_path: Path) -> Iterator[EtcdServer]:
    server = EtcdServer(tmp_path)
    try:
        yield server.start()
    finally:
        server.send(signal.SIGCONT)
        server.stop()
