"""A service manager hears how we are."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvec_circus_core.system.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@circus-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name.replace("@", "\0") if name[0] == "@" else name)
        heard.settimeout(5)
        yield name, heard


def test_it_hears(manager: tuple[str, socket.socket]) -> None:
    address, heard = manager
    environment = {"NOTIFY_SOCKET": address, "OTHER": "x"}
    service = ServiceManager.from_environment(environment)
    assert environment == {"OTHER": "x"}
    assert service.is_there
    assert service.ready()
    assert service.reloading(12.5)
    assert service.status("two\nlines")
    assert service.stopping()
    assert [heard.recv(1000).decode() for _ in range(4)] == [
        f"READY=1\nMAINPID={os.getpid()}",
        "RELOADING=1\nMONOTONIC_USEC=12500000",
        "STATUS=two lines",
        "STOPPING=1",
    ]


@pytest.mark.parametrize("address", [None, "", "relative", "vsock:2:1234", "/no/such/socket"])
def test_nobody_there_does_no_harm(address: str | None) -> None:
    assert ServiceManager(address).ready() is False
