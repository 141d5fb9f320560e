"""The commands tail and reopen, against a daemon in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cvec_circus_cli.session import reachable
from cvec_circus_core.api import BadMessage, OutputView, UnknownWatcher
from cvec_circus_core.testing import FakeSupervisor, FakeWatcher
from cvec_circus_plugins.commands.reopen import Reopen
from cvec_circus_plugins.commands.tail import Tail


def said(wid: int, data: bytes, channel: str = "stdout", ended: bool = False) -> OutputView:
    """Return the output of one process."""
    return OutputView(wid, 100 + wid, channel, data, len(data), ended)


def ask(command: Any, daemon: FakeSupervisor, **properties: Any) -> Any:
    """Return the reply to a request."""
    return asyncio.run(command.execute(daemon, command.request(**properties)))


@pytest.fixture
def daemon() -> FakeSupervisor:
    """Have a daemon with a watcher that has said something, and one without a stream."""
    web = FakeWatcher("web", stdout_stream={"filename": "x"})
    web.output = [said(1, b"one\n"), said(2, b"\xff", ended=True), said(1, b"err\n", "stderr")]
    return FakeSupervisor(web, FakeWatcher("mute"))


@pytest.mark.parametrize(
    ("properties", "lines"),
    [
        ({"process": 1}, "one"),
        ({"process": 1, "channel": "stderr"}, "err"),
        ({}, "==> process 1 (pid 101) <==\none\n==> process 2 (pid 102, ended) <==\n\ufffd"),
    ],
)
def test_tail_shows(daemon: FakeSupervisor, properties: dict[str, Any], lines: str) -> None:
    assert Tail().show(ask(Tail(), daemon, name="web", **properties)) == lines


def test_bytes_that_are_no_text_come_as_base64(daemon: FakeSupervisor) -> None:
    (entry,) = ask(Tail(), daemon, name="web", process=2)["output"]
    assert (entry["data"], entry["encoding"], entry["end"]) == ("/w==", "base64", 1)


@pytest.mark.parametrize(
    ("properties", "fault"),
    [
        ({"name": "nobody"}, UnknownWatcher),
        ({"name": "web", "channel": "stdin"}, BadMessage),
        ({"name": "web", "process": 3}, BadMessage),
        ({"name": "web", "lines": -1}, BadMessage),
        ({"name": "web", "lines": 10**9}, BadMessage),
    ],
)
def test_tail_refuses(
    daemon: FakeSupervisor, properties: dict[str, Any], fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        ask(Tail(), daemon, **properties)


@pytest.mark.parametrize(
    ("arguments", "properties"),
    [
        ({"name": "web"}, {"name": "web"}),
        ({"name": "web:2"}, {"name": "web", "process": 2}),
        ({"name": "plugin:flapping"}, {"name": "plugin:flapping"}),
        ({"name": "plugin:flapping:1"}, {"name": "plugin:flapping", "process": 1}),
        ({"name": "web", "stderr": True}, {"name": "web", "channel": "stderr"}),
        ({"name": "web", "lines": 3, "follow": True}, {"name": "web", "lines": 3}),
    ],
)
def test_tail_is_composed(arguments: dict[str, Any], properties: dict[str, Any]) -> None:
    assert Tail().compose(arguments) == properties


def test_reopen_means_those_that_have_streams(daemon: FakeSupervisor) -> None:
    assert ask(Reopen(), daemon) == {"reopened": ["web"]}
    assert ask(Reopen(), daemon, name="w*") == {"reopened": ["web"]}
    assert ask(Reopen(), daemon, name="mute") == {"reopened": []}
    assert daemon.said == ["reopen web", "reopen web"]


@pytest.mark.parametrize(
    ("endpoint", "control", "there"),
    [
        ("tcp://127.0.0.1:5556", "tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556"),
        ("tcp://0.0.0.0:5556", "tcp://far:5555", "tcp://far:5556"),
        ("tcp://*:5556", "tcp://far:5555", "tcp://far:5556"),
        ("tcp://0.0.0.0:5556", "ipc:///run/x", "tcp://127.0.0.1:5556"),
        ("ipc:///run/e", "ipc:///run/c", "ipc:///run/e"),
    ],
)
def test_an_endpoint_bound_to_every_address_is_reached(
    endpoint: str, control: str, there: str
) -> None:
    assert reachable(endpoint, control) == there
