"""What circusctl prints for a reply: exactly these lines (reference: command line)."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.testing import info_of
from tests.commands.loading import command

LINE = "101  sleep root 0 1.46M 2.44M 0.0 0.006 0:00.00"
SLEEP = info_of(101, cmdline="sleep")
CHILD = info_of(102, cmdline="child")
DETAILS = {
    "state": "active",
    "running": 2,
    "wanted": 3,
    "restarts": 7,
    "last_exit": -9,
    "reason": "spawn failed",
    "retry_in": 1.25,
}


@pytest.mark.parametrize(
    "name",
    ["add", "kill", "quit", "reload", "reloadconfig", "restart", "rm", "set", "signal", "start"],
)
def test_what_has_no_result_says_ok(name: str) -> None:
    assert command(name).show({"status": "ok", "time": 1.0}) == "ok"


@pytest.mark.parametrize(
    ("name", "reply", "text"),
    [
        ("stop", {"info": None}, "ok"),
        ("start", {"info": {"started": [1], "kept": []}}, "ok"),
        ("incr", {"numprocesses": 3}, "3"),
        ("decr", {}, "ok"),
        (
            "decr",
            {"numprocesses": 1, "singleton": True},
            "the watcher is a singleton: its number of processes stays 1",
        ),
        ("list", {"watchers": ["a", "b"]}, "a,b"),
        ("list", {"pids": [1, 2], "processes": [1, 2]}, "1,2"),
        ("list", {"pids": []}, ""),
        (
            "listsockets",
            {
                "sockets": [
                    {"fd": 7, "name": "ux", "backlog": 5, "path": "/run/x"},
                    {"fd": 8, "name": "web", "backlog": 5, "host": "::1", "port": 80},
                ]
            },
            "7:socket 'ux' at /run/x\n8:socket 'web' at [::1]:80",
        ),
        (
            "addsocket",
            {"socket": {"fd": 8, "name": "web", "backlog": 5, "host": "::1", "port": 80}},
            "8:socket 'web' at [::1]:80",
        ),
        ("listpids", {"pids": [1, 2]}, "1,2"),
        ("numprocesses", {"numprocesses": 4, "watcher_name": "web"}, "4"),
        ("numwatchers", {"numwatchers": 4}, "4"),
        ("env", {"env": {"A": "1", "B": "x y"}}, "A=1\nB=x y"),
        ("get", {"options": {"numprocesses": 2, "env": {"A": "1", "B": "2"}}},
         "numprocesses: 2\nenv: A=1,B=2"),
        ("options", {"options": {"args": [], "cmd": "x", "uid": None}}, "args: \ncmd: x\nuid: "),
        ("globaloptions", {"options": {"check_delay": 5.0}}, "check_delay: 5.0"),
        ("status", {"status": "active", "running": 1}, "active"),
        ("status", {"status": "ok", "statuses": {"b": "stopped", "a": "active"}},
         "a: active\nb: stopped"),
        (
            "status",
            {"status": "ok", "statuses": {"a": "active"}, "details": {"a": DETAILS}},
            "a: active 2/3, restarts 7, last exit SIGKILL, spawn failed, next try in 1.2 s",
        ),
        ("dstats", {"info": SLEEP}, f"Main Process:\n    {LINE}"),
        ("stats", {"name": "web", "info": {"101": SLEEP}}, f"web:\n101: {LINE}"),
        ("stats", {"process": 101, "info": SLEEP}, f"101: {LINE}\n"),
        (
            "stats",
            {"infos": {"b": {}, "a": {"101": {**SLEEP, "children": [CHILD]}}}},
            f"a:\n101: {LINE}\n   102  child root 0 1.46M 2.44M 0.0 0.006 0:00.00\nb:",
        ),
        (
            "stats",
            {"process": 101, "info": {**SLEEP, "extra": {"queue": 3, "load": 0.5}}},
            f"101: {LINE} queue=3 load=0.5\n",
        ),
        (
            "stats",
            {"process": 5, "info": "No such process (stopped?)"},
            "5: No such process (stopped?)\n",
        ),
    ],
)  # fmt: skip
def test_lines(name: str, reply: dict[str, Any], text: str) -> None:
    assert command(name).show(reply) == text
