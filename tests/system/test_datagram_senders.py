"""The kernel tells who has sent a datagram, as long as the sender's socket is there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cvec_circus_core.system.net import datagram_senders
from cvec_circus_core.system.net.datagram_senders import DatagramSenders, process_owners

NOBODY = 65534
SENDING = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as beats:
    beats.sendto(b"x", ("127.0.0.1", int(sys.argv[1])))
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["netlink", "tables"])
def senders(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> DatagramSenders:
    """Ask by netlink, and where there is none."""
    if request.param == "tables":
        monkeypatch.setattr(datagram_senders, "_netlink", lambda: None)
    made = DatagramSenders()
    stack.callback(made.close)
    return made


def bound(stack: ExitStack, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    receiver = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
    receiver.settimeout(10)
    receiver.bind((host, 0))
    return receiver


@pytest.mark.parametrize(
    ("host", "to"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "::ffff:127.0.0.1"),
    ],
)
@pytest.mark.parametrize("connects", [False, True])
def test_who_keeps_the_socket_is_told(
    stack: ExitStack, senders: DatagramSenders, host: str, to: str, connects: bool
) -> None:
    receiver = bound(stack, host)
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as beats:
        address = (to, receiver.getsockname()[1])
        if connects:
            beats.connect(address)
            beats.send(b"x")
        else:
            beats.sendto(b"x", address)
        _, sender = receiver.recvfrom(9)
        assert senders.owner(sender[:2], receiver.getsockname()[:2]) == os.getuid()
    assert senders.owner(sender[:2], receiver.getsockname()[:2]) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_another_user_is_told(stack: ExitStack, senders: DatagramSenders) -> None:
    receiver = bound(stack, "127.0.0.1")
    port = str(receiver.getsockname()[1])
    command = ["/usr/bin/env", "python3", "-c", SENDING, port]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, user=NOBODY, cwd="/")
    try:
        _, sender = receiver.recvfrom(9)
        assert senders.owner(sender, receiver.getsockname()) == NOBODY
        assert process_owners(process.pid) == {NOBODY}
    finally:
        process.communicate(timeout=10)
    assert process_owners(process.pid) == frozenset()


def test_other_machines_are_nobody(stack: ExitStack, senders: DatagramSenders) -> None:
    receiver = bound(stack, "127.0.0.1")
    any_address = bound(stack, "0.0.0.0")
    port = any_address.getsockname()[1]
    for elsewhere in ("192.0.2.1", "2001:db8::1", "224.0.0.1"):
        assert senders.owner((elsewhere, port), receiver.getsockname()) is None
