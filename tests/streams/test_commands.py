"""The commands tail and reopen, against a daemon in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cvec_circus_cli.session import reachable
from cvec_circus_core.api import BadMessage, OutputLine, OutputView, UnknownWatcher
from cvec_circus_core.testing import FakeSupervisor, FakeWatcher
from cvec_circus_plugins.commands._output_entries import LinePrinter, bytes_of, merged_entries
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
        ({"name": "web"}, {"name": "web", "channel": "all"}),
        (
            {"name": "web:2"},
            {"name": "web", "process": 2, "full_name": "web:2", "channel": "all"},
        ),
        ({"name": "plugin:flapping"}, {"name": "plugin:flapping", "channel": "all"}),
        (
            {"name": "plugin:flapping:1"},
            {
                "name": "plugin:flapping",
                "process": 1,
                "full_name": "plugin:flapping:1",
                "channel": "all",
            },
        ),
        ({"name": "web", "stderr": True}, {"name": "web", "channel": "stderr"}),
        ({"name": "web", "stdout": True}, {"name": "web", "channel": "stdout"}),
        ({"name": "web", "stdout": True, "stderr": True}, {"name": "web", "channel": "all"}),
        (
            {"name": "web", "lines": 3, "follow": True},
            {"name": "web", "lines": 3, "channel": "all"},
        ),
        (
            {"name": "web", "since": "1.5m", "grep": "x y"},
            {"name": "web", "channel": "all", "since": 90.0, "grep": "x y"},
        ),
    ],
)
def test_tail_is_composed(arguments: dict[str, Any], properties: dict[str, Any]) -> None:
    assert Tail().compose(arguments) == {**properties, "merged": True}


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("90s", 90), ("2h", 7200), ("1D", 86400), ("0", 0)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    assert Tail().compose({"name": "w", "since": text})["since"] == seconds


@pytest.mark.parametrize("text", ["x", "-1", "m", "inf", "nan", "1w"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"--since {text} is no time"):
        Tail().compose({"name": "w", "since": text})


def lines_of(*lines: tuple[int, str, bytes]) -> list[OutputLine]:
    """Return lines of some processes, each a second after the one before."""
    return [
        OutputLine(wid, 100 + wid, channel, float(time), data, False)
        for time, (wid, channel, data) in enumerate(lines)
    ]


MIXED = lines_of(
    (1, "stdout", b"a\n"),
    (1, "stdout", b"b\n"),
    (1, "stderr", b"\xff\n"),
    (2, "stdout", b"half"),
    (1, "stdout", b"c\n"),
)


def test_lines_that_follow_each_other_are_one_entry() -> None:
    entries = merged_entries("web", MIXED, 1000)
    assert [bytes_of(entry) for entry in entries] == [b"a\nb\n", b"\xff\n", b"half", b"c\n"]
    assert entries[0] == {
        "watcher": "web",
        "process_id": 1,
        "process_pid": 101,
        "channel": "stdout",
        "time": 0.0,
        "ended": False,
        "data": "a\nb\n",
    }
    assert [bytes_of(entry) for entry in merged_entries("web", MIXED, 3)] == [b"half", b"c\n"]


def test_merged_lines_are_told_apart() -> None:
    reply = {"merged": merged_entries("web", MIXED, 1000), "processes": 2}
    shown = "web:1 | a\nweb:1 | b\nweb:1 err | \ufffd\nweb:2 | half\nweb:1 | c"
    assert Tail().show(reply) == shown
    assert Tail().show_among("web", reply) == shown
    assert Tail().show({**reply, "processes": 1}) == "a\nb\n\ufffd\nhalf\nc"


def test_a_line_without_its_end_is_gone_on_with() -> None:
    printer = LinePrinter(prefixes=True)
    entries = merged_entries("web", lines_of((1, "stdout", b"a"), (2, "stdout", b"x")), 99)
    more = {**entries[0], "data": "b\n"}
    assert printer.text_of(entries[0]) + printer.text_of(more) == b"web:1 | ab\n"
    assert printer.text_of(entries[0]) + printer.text_of(entries[1]) == b"web:1 | a\nweb:2 | x"


def test_the_merged_reply(daemon: FakeSupervisor) -> None:
    reply = ask(Tail(), daemon, name="web", merged=True, channel="all", grep="e")
    assert [bytes_of(entry) for entry in reply["merged"]] == [b"one\n", b"err\n"]
    assert reply["ends"] == [
        {"process_pid": 101, "channel": "stdout", "end": 4},
        {"process_pid": 102, "channel": "stdout", "end": 1},
        {"process_pid": 101, "channel": "stderr", "end": 4},
    ]
    with pytest.raises(BadMessage):
        ask(Tail(), daemon, name="web", channel="all")
    with pytest.raises(BadMessage):
        ask(Tail(), daemon, name="web", merged=True, process=7)


def test_what_does_not_pass_the_daemon_is_said() -> None:
    reply = {"merged": merged_entries("web", MIXED, 1000), "processes": 1}
    shown = Tail().show({**reply, "not_shown": ["'web' writes its stdout to /x itself"]})
    assert shown.endswith("half\nc\n('web' writes its stdout to /x itself)")
    assert Tail().show({"merged": [], "processes": 1, "not_shown": ["why"]}) == "(why)"


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


@pytest.mark.parametrize(
    ("name", "meant"),
    [("web:1", {"watcher": "web:1", "process": None}), ("web:2", {"watcher": "web", "process": 2})],
)
def test_a_watcher_of_that_name_goes_before_a_process(name: str, meant: dict[str, Any]) -> None:
    daemon = FakeSupervisor()
    daemon.add("web", "web", {"numprocesses": 2}).start()
    daemon.add("web:1", "web", {}).start()
    reply = ask(Tail(), daemon, **Tail().compose({"name": name}))
    assert {key: reply[key] for key in meant} == meant
