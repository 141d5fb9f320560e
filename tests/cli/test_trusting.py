"""Who may listen where circusctl sends: root, the caller, and those who are named."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvec_circus_cli.requests import check_listener
from cvec_circus_core import AsyncCircusClient, CircusClient, StatsClient, api
from cvec_circus_core.system import listeners
from tests.cli.answering import Answering
from tests.cli.conftest import Said

NOBODY = 65534
LISTENER = """
import os, socket, sys
place = sys.argv[1]
os.setuid(65534)
server = socket.socket(socket.AF_UNIX if "/" in place else socket.AF_INET)
server.bind(place if "/" in place else ("127.0.0.1", 0))
server.listen()
print(server.getsockname() if "/" in place else server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    print(len(connection.recv(100)), flush=True)
"""
OK = {"status": "ok", "numwatchers": 3}


@pytest.mark.parametrize(
    ("uid", "users", "is_trusted"),
    [
        (0, [], True),
        (os.geteuid(), [], True),
        (None, [], True),
        (NOBODY, [], False),
        (NOBODY, ["root"], False),
        (NOBODY, ["nobody"], True),
        (NOBODY, ["www", str(NOBODY)], True),
        (123_456, ["123456"], True),
        (123_456, [], False),
    ],
)
@pytest.mark.skipif(os.geteuid() == NOBODY, reason="nobody is us")
def test_who_is_trusted(
    monkeypatch: pytest.MonkeyPatch, uid: int | None, users: list[str], is_trusted: bool
) -> None:
    monkeypatch.setattr(listeners, "listener_uid", lambda endpoint: uid)
    if is_trusted:
        check_listener("tcp://127.0.0.1:5555", users)
        return
    with pytest.raises(api.CallError, match="neither root nor you: nothing was sent"):
        check_listener("tcp://127.0.0.1:5555", users)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_the_kernel_says_who_listens_at_a_port(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        asked = "[::1]" if ":" in host else "localhost"
        assert api.listener_uid(f"tcp://{asked}:{port}") == os.geteuid()
    assert api.listener_uid(f"tcp://{asked}:{port}") is None


def test_the_kernel_says_who_listens_at_a_path(tmp_path: Path) -> None:
    path = f"{tmp_path}/socket"
    assert api.listener_uid(f"ipc://{path}") is None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert api.listener_uid(f"ipc://{path}") == os.geteuid()


def test_of_other_machines_the_kernel_knows_nothing() -> None:
    assert api.listener_uid("tcp://192.0.2.1:5555") is None
    assert api.listener_uid("tcp://example.org:5555") is None
    assert api.listener_uid("tcp://127.0.0.1:port") is None


def test_ours_is_trusted(circusctl: Callable[..., Said], daemon: Callable[..., Answering]) -> None:
    there = daemon({"numwatchers": OK})
    assert circusctl("--endpoint", there.endpoint, "numwatchers") == Said(0, "3\n", "")


@pytest.fixture
def stranger() -> Iterator[Callable[[str], tuple[str, subprocess.Popen[str]]]]:
    """Return a call that has nobody listen at a place, and tells the endpoint."""
    running: list[subprocess.Popen[str]] = []

    def start(place: str) -> tuple[str, subprocess.Popen[str]]:
        listener = subprocess.Popen(
            [sys.executable, "-c", LISTENER, place], stdout=subprocess.PIPE, text=True
        )
        running.append(listener)
        assert listener.stdout is not None
        name = listener.stdout.readline().strip()
        return (f"ipc://{name}" if "/" in name else f"tcp://127.0.0.1:{name}"), listener

    yield start
    for listener in running:
        listener.kill()
        listener.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize(
    "words", [("numwatchers",), ("listen",), ("set", "web", "env.PASSWORD", "x")]
)
def test_somebody_else_gets_nothing(
    circusctl: Callable[..., Said],
    stranger: Callable[[str], tuple[str, subprocess.Popen[str]]],
    words: tuple[str, ...],
) -> None:
    endpoint, _ = stranger("port")
    said = circusctl("--timeout", "20", "--endpoint", endpoint, *words)
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        f"circusctl: user nobody listens at {endpoint}, who is neither root nor you: nothing was "
        "sent; --trust-user nobody trusts them\n"
    )


def test_somebody_else_who_does_not_talk_is_named_by_who_waits_for_the_daemon(
    circusctl: Callable[..., Said],
    stranger: Callable[[str], tuple[str, subprocess.Popen[str]]],
) -> None:
    endpoint, _ = stranger("port")
    said = circusctl("--wait-for-daemon", "--timeout", "1", "--endpoint", endpoint, "status")
    assert said.code == 1
    assert f"user nobody listens at {endpoint}, who is neither root nor you" in said.err


SPEAKER = """
import json, os, sys, time
import zmq
context = zmq.Context()
context.socket(zmq.PUB).close()
os.setuid(65534)
sender = context.socket(zmq.PUB if sys.argv[1] == "port" else zmq.ROUTER)
port = sender.bind_to_random_port("tcp://127.0.0.1")
print(port, flush=True)
while sys.argv[1] == "port":
    sender.send_multipart([b"stat.forged", b"{}"])
    time.sleep(0.01)
while True:
    client, request = sender.recv_multipart()
    print("heard", flush=True)
    sender.send_multipart([client, json.dumps({"id": json.loads(request)["id"]}).encode()])
"""
"""Another user who speaks the protocol, and tells what they have heard."""


@pytest.fixture
def speaker() -> Iterator[Callable[[str], str]]:
    """Return a call that has another user answer, or publish, and tells the endpoint."""
    running: list[subprocess.Popen[str]] = []

    def start(kind: str) -> str:
        words = [sys.executable, "-c", SPEAKER, kind]
        running.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout is not None
        return f"tcp://127.0.0.1:{running[-1].stdout.readline().strip()}"

    yield start
    for each in running:
        each.kill()
        each.communicate()


def call_blocking(endpoint: str, trust_user: str | list[str]) -> object:
    with CircusClient(endpoint=endpoint, timeout=20, trust_user=trust_user) as client:
        return client.send_message("set", name="web", options={"env": {"PASSWORD": "x"}})


def call_async(endpoint: str, trust_user: str | list[str]) -> object:
    async def main() -> object:
        async with AsyncCircusClient(
            endpoint=endpoint, timeout=20, trust_user=trust_user
        ) as client:
            return await client.send_message("list")

    return asyncio.run(main())


def subscribe(endpoint: str, trust_user: str | list[str]) -> object:
    with StatsClient(endpoint, trust_user=trust_user) as stats:
        return stats.receive(20)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize(
    ("use", "kind"), [(call_blocking, "answer"), (call_async, "answer"), (subscribe, "port")]
)
def test_python_clients_ask_the_kernel_too(
    speaker: Callable[[str], str], use: Callable[[str, str | list[str]], object], kind: str
) -> None:
    endpoint = speaker(kind)
    with pytest.raises(api.CallError, match=r"user nobody listens at .*trust_user='nobody'"):
        use(endpoint, ())  # type: ignore[arg-type]
    for trusted in ("nobody", ["www", str(NOBODY)], "*"):
        assert use(endpoint, trusted) is not None
