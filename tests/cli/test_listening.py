"""circusctl listen: a line per event, flushed, until it is interrupted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from cvec_circus_plugins.commands.listen import event_piece
from tests.cli.answering import Answering
from tests.cli.conftest import Said

PROGRAM = [sys.executable, "-m", "cvec_circus_cli.circusctl"]
EVENT = [b"watcher.web.spawn", b'{"process_pid": 1, "time": 2.5}']


@pytest.fixture
def events() -> Iterator[tuple[zmq.Socket[bytes], str]]:
    """Return a publisher that sees subscriptions, and its endpoint."""
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.linger = 0
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    yield publisher, f"tcp://127.0.0.1:{port}"
    publisher.close()
    context.term()


@pytest.mark.parametrize(
    ("words", "topics", "line"),
    [
        (
            ["--endpoint", "ENDPOINT", "listen"],
            {b"\x01"},
            'watcher.web.spawn: {"process_pid": 1, "time": 2.5}',
        ),
        (
            ["listen", "ENDPOINT", "watcher.web", "watcher.db"],
            {b"\x01watcher.web", b"\x01watcher.db"},
            'watcher.web.spawn: {"process_pid": 1, "time": 2.5}',
        ),
        (
            ["--json", "listen", "ENDPOINT"],
            {b"\x01"},
            '{"topic": "watcher.web.spawn", "body": {"process_pid": 1, "time": 2.5}}',
        ),
    ],
)
def test_events_are_lines(
    events: tuple[zmq.Socket[bytes], str], words: list[str], topics: set[bytes], line: str
) -> None:
    publisher, endpoint = events
    program = [sys.executable, "-m", "cvec_circus_cli.circusctl"]
    listener = subprocess.Popen(
        [*program, *(endpoint if word == "ENDPOINT" else word for word in words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CIRCUSCTL_ENDPOINT": "tcp://127.0.0.1:1"},
    )
    try:
        assert publisher.poll(20_000)
        assert {publisher.recv() for _ in topics} == topics
        publisher.send_multipart(EVENT)
        assert listener.stdout is not None
        assert listener.stdout.readline() == f"{line}\n"
        listener.send_signal(signal.SIGINT)
        assert listener.communicate(timeout=20) == ("", "")
        assert listener.returncode == 0
    finally:
        listener.kill()
        listener.wait()


def test_that_nobody_publishes_is_told(tmp_path: Path) -> None:
    words = ["--wait-for-daemon", "--timeout", "0.1", "listen", f"ipc://{tmp_path}/none"]
    listener = subprocess.Popen(
        [sys.executable, "-m", "cvec_circus_cli.circusctl", *words],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert listener.stderr is not None
        said = listener.stderr.readline()
        assert said == f"nothing listens at ipc://{tmp_path}/none so far; waiting for it\n"
    finally:
        listener.kill()
        listener.communicate()


@pytest.mark.parametrize("place", ["listen ENDPOINT", "--endpoint ENDPOINT listen"])
def test_that_nothing_listens_is_told_at_once(
    circusctl: Callable[..., Said], tmp_path: Path, place: str
) -> None:
    endpoint = f"ipc://{tmp_path}/none"
    started = time.monotonic()
    said = circusctl("--timeout", "60", *place.replace("ENDPOINT", endpoint).split())
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"circusctl: nothing listens at {endpoint}: is the daemon running")
    assert time.monotonic() - started < 30


def test_the_daemon_is_asked_where_its_events_are(
    events: tuple[zmq.Socket[bytes], str], daemon: Callable[..., Answering]
) -> None:
    publisher, endpoint = events
    there = daemon({"globaloptions": {"status": "ok", "options": {"pubsub_endpoint": endpoint}}})
    listener = subprocess.Popen(
        [*PROGRAM, "listen", "watcher.web"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "CIRCUSCTL_ENDPOINT": there.endpoint},
    )
    try:
        assert publisher.poll(20_000)
        assert publisher.recv() == b"\x01watcher.web"
        publisher.send_multipart(EVENT)
        assert listener.stdout is not None
        assert listener.stdout.readline().startswith("watcher.web.spawn: ")
    finally:
        listener.kill()
        listener.communicate()


def test_whom_the_daemon_does_not_tell_is_told_why(daemon: Callable[..., Answering]) -> None:
    reason = "user 'bob' may not use 'globaloptions'; viewers in [circus] lets them"
    there = daemon({"globaloptions": {"status": "error", "errno": 7, "reason": reason}})
    listener = subprocess.Popen(
        [*PROGRAM, "listen"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CIRCUSCTL_ENDPOINT": there.endpoint},
    )
    try:
        assert listener.stderr is not None
        assert listener.stderr.readline() == f"{reason}; trying tcp://127.0.0.1:5556\n"
    finally:
        listener.kill()
        listener.communicate()


def test_a_daemon_that_ends_the_connection_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        listener = subprocess.Popen(
            [*PROGRAM, "--timeout", "1", "listen", endpoint],
            stderr=subprocess.PIPE,
            text=True,
        )
        ended = threading.Thread(target=_end_all, args=(server,), daemon=True)
        ended.start()
        try:
            assert listener.stderr is not None
            said = listener.stderr.readline()
            assert said.startswith(f"{endpoint} takes connections, but does not keep ours: ")
            assert "viewers in [circus]" in said
        finally:
            listener.kill()
            listener.communicate()
            server.shutdown(socket.SHUT_RDWR)
            ended.join(20)


def _end_all(server: socket.socket) -> None:
    try:
        while True:
            server.accept()[0].close()
    except OSError:
        pass


@pytest.mark.parametrize(
    ("body", "line"),
    [(b"plain", 't: "plain"'), (b"\xff", 't: "\\ufffd"'), (b"[1]", "t: [1]")],
)
def test_a_body_that_is_no_object_is_printed_too(body: bytes, line: str) -> None:
    assert event_piece(b"t", body).data.decode() == f"{line}\n"
