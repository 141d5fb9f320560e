"""Tables on a terminal; in a pipe the same replies are plain lines (tests/commands)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from cvec_circus_cli.command_lookup import find
from cvec_circus_cli.tables import coloured_json, tables_text
from tests.cli.answering import Answering
from tests.cli.conftest import Said

SLEEP = {
    "pid": 101,
    "wid": 1,
    "cmdline": "sleep",
    "username": "root",
    "nice": 0,
    "mem_info1": "1.46M",
    "mem_info2": "2.44M",
    "cpu": 0.0,
    "mem": 0.006,
    "ctime": "0:00.00",
    "children": [{"pid": 102, "cmdline": "child"}],
}


@pytest.mark.parametrize(
    ("command", "reply", "lines"),
    [
        (
            "status",
            {"statuses": {"web": "active", "a long name": "stopped"}},
            ["NAME         STATE", "a long name  stopped", "web          active"],
        ),
        (
            "status",
            {
                "details": {
                    "web": {
                        "state": "active",
                        "running": 1,
                        "wanted": 2,
                        "restarts": 3,
                        "last_exit": -15,
                        "last_death": -9,
                        "reason": "spawn failed",
                        "retry_in": 2.0,
                    }
                }
            },
            [
                "NAME  STATE     PROCS  PID  UPTIME  MEMORY  RESTARTS  LAST EXIT",
                "web   degraded    1/2                              3  SIGKILL",
                "  └ spawn failed; next try in 2.0 s",
            ],
        ),
        ("list", {"watchers": ["a", "b"]}, ["NAME", "a", "b"]),
        ("list", {"pids": [7, 12], "processes": [1, 2]}, ["WID  PID", "  1    7", "  2   12"]),
        (
            "options",
            {"options": {"cmd": "x", "shell": False, "uid": None, "env": {"A": "1"}}},
            ["OPTION  VALUE", "cmd     x", "shell   no", "uid", "env     A=1"],
        ),
        (
            "listsockets",
            {
                "sockets": [
                    {"fd": 7, "name": "admin", "backlog": 2048, "path": "/run/a.sock"},
                    {"fd": 12, "name": "web", "backlog": 5, "host": "127.0.0.1", "port": 80},
                    {"fd": 13, "name": "v6", "backlog": 5, "host": "::1", "port": 80},
                ]
            },
            [
                "FD  NAME   ADDRESS       BACKLOG",
                " 7  admin  /run/a.sock      2048",
                "12  web    127.0.0.1:80        5",
                "13  v6     [::1]:80            5",
            ],
        ),
        (
            "processes",
            {"changes": 5, "daemon": 1, "watchers": {"web": {"7": 1, "12": 2}, "off": {}}},
            ["NAME  WID  PID", "off", "web     1    7", "web     2   12"],
        ),
        (
            "plugins",
            {
                "running": [
                    {
                        "name": "flapping",
                        "use": "flapping",
                        "host": "thread",
                        "state": "running",
                        "reason": None,
                    }
                ],
                "installed": [
                    {
                        "group": "commands",
                        "name": "uptime",
                        "distribution": "circus-uptime",
                        "version": "1.0",
                        "state": "failed",
                        "reason": "no clock",
                    }
                ],
            },
            [
                "RUNNING   USE       HOST    STATE    REASON",
                "flapping  flapping  thread  running",
                "",
                "GROUP     NAME    DISTRIBUTION   VERSION  STATE   REASON",
                "commands  uptime  circus-uptime  1.0      failed  no clock",
            ],
        ),
        (
            "dstats",
            {"info": SLEEP},
            [
                "NAME     PID  WID  COMMAND  USER  NICE  RESIDENT  VIRTUAL  CPU%   MEM%     TIME",
                "circusd  101    1  sleep    root     0     1.46M    2.44M   0.0  0.006  0:00.00",
                "  └      102       child",
            ],
        ),
        (
            "stats",
            {"name": "web", "info": {"101": SLEEP, "102": "No such process (stopped?)"}},
            [
                "NAME  PID WID COMMAND USER NICE RESIDENT VIRTUAL CPU% MEM% TIME",
                "web 101 1 sleep root 0 1.46M 2.44M 0.0 0.006 0:00.00",
                "└ 102 child",
                "web 102 No such process (stopped?)",
            ],
        ),
        (
            "stats",
            {"process": 101, "info": {**SLEEP, "children": []}},
            [
                "PID WID COMMAND USER NICE RESIDENT VIRTUAL CPU% MEM% TIME",
                "101 1 sleep root 0 1.46M 2.44M 0.0 0.006 0:00.00",
            ],
        ),
    ],
)
def test_table(command: str, reply: dict[str, Any], lines: list[str]) -> None:
    text = tables_text(find(command).tables(reply), colours=False)
    if command == "stats":
        assert [line.split() for line in text.splitlines()] == [line.split() for line in lines]
    else:
        assert text.splitlines() == lines


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("status", {"status": "active"}),
        ("list", {"pids": [1]}),
        ("stop", {}),
        ("listsockets", {"sockets": []}),
        ("plugins", {"running": [], "installed": []}),
        ("processes", {"changes": 5}),
        ("processes", {"changes": 5, "watchers": {}}),
        ("status", {"statuses": {}, "details": {}}),
        ("list", {"watchers": []}),
        ("stats", {"infos": {}}),
    ],
)
def test_some_replies_are_no_tables(command: str, reply: dict[str, Any]) -> None:
    assert not find(command).tables(reply)


def test_states_are_coloured() -> None:
    tables = find("status").tables({"statuses": {"active": "stopped", "b": "active"}})
    title, first, second = tables_text(tables, colours=True).splitlines()
    assert title == "\x1b[1mNAME    STATE\x1b[0m"
    assert first == "active  \x1b[31mstopped\x1b[0m"
    assert second == "b       \x1b[32mactive\x1b[0m"


@pytest.mark.parametrize(
    ("is_terminal", "out"), [(True, "there are no managed sockets\n"), (False, "")]
)
def test_no_sockets(
    circusctl: Callable[..., Said],
    daemon: Callable[..., Answering],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
    out: str,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    there = daemon({"listsockets": {"status": "ok", "sockets": []}})
    assert circusctl("--endpoint", there.endpoint, "listsockets") == Said(0, out, "")


def test_coloured_json_is_the_same_json() -> None:
    text = json.dumps({"a": [1.5, True, None, 'x "y": 3'], "b": {}}, indent=2)
    coloured = coloured_json(text)
    assert '\x1b[1m"a"\x1b[0m' in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == text


@pytest.mark.parametrize(
    ("words", "colour", "asked"),
    [
        (("status",), True, {"long": True, "usage": True}),
        (("--no-color", "status"), False, {"long": True, "usage": True}),
        (("status", "web"), False, {"name": "web", "long": True, "usage": True}),
    ],
)
def test_a_terminal_gets_a_table(
    circusctl: Callable[..., Said],
    daemon: Callable[..., Answering],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    colour: bool,
    asked: dict[str, Any],
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    one, all = {"status": "active", "running": 1}, {"status": "ok", "statuses": {"web": "active"}}
    there = daemon(lambda request: one if "name" in request["properties"] else all)
    said = circusctl("--endpoint", there.endpoint, *words)
    assert ("\x1b[32mactive" in said.out) is colour
    assert there.asked == [("status", asked)]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("status", {"statuses": {}, "details": {}, "failed": []}),
        ("list", {"watchers": []}),
        ("stats", {"infos": {}}),
        ("processes", {"changes": 1, "watchers": {}}),
    ],
)
@pytest.mark.parametrize(
    ("is_terminal", "out"), [(True, "no watchers yet: circusctl add NAME CMD...\n"), (False, "")]
)
def test_no_watchers(
    circusctl: Callable[..., Said],
    daemon: Callable[..., Answering],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    reply: dict[str, Any],
    is_terminal: bool,
    out: str,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    there = daemon({command: {"status": "ok", **reply}})
    assert circusctl("--endpoint", there.endpoint, command) == Said(0, out, "")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--", "list", "web"), "web"),
        (("list", "--", "-web"), "-web"),
        (("list", "--", "--json"), "--json"),
    ],
)
def test_two_dashes_end_switches(
    circusctl: Callable[..., Said],
    daemon: Callable[..., Answering],
    words: tuple[str, ...],
    name: str,
) -> None:
    there = daemon({"list": {"status": "ok", "pids": [7]}})
    assert circusctl("--endpoint", there.endpoint, *words) == Said(0, "7\n", "")
    assert there.asked == [("list", {"name": name})]
