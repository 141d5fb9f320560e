"""Several names, and patterns: a request for each watcher, and whose answer is whose."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.answering import Answering
from tests.cli.conftest import Said

Run = Callable[..., Said]

NAMES = ["db", "web1", "Web2", "web[3]"]
HEALTH = {
    "running": 1,
    "wanted": 2,
    "restarts": 0,
    "last_exit": None,
    "reason": "spawn failed",
    "retry_in": None,
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer as a daemon with these watchers does."""
    said = request["properties"]
    name = said.get("name")
    if request["command"] == "list" and name is None:
        return {"status": "ok", "watchers": NAMES}
    if name.lower() not in [one.lower() for one in NAMES]:
        return {"status": "error", "reason": f"program {name} not found", "errno": 3}
    match request["command"]:
        case "list":
            return {"status": "ok", "pids": [7], "processes": [1]}
        case "options":
            return {"status": "ok", "options": {"cmd": name, "numprocesses": 2}}
        case "tail":
            one = {"process_id": 1, "process_pid": 7, "ended": False, "end": 3, "data": "hi\n"}
            assert (said["merged"], said["channel"]) == (True, "all")
            entries = [{**one, "watcher": "db", "channel": "stdout", "time": 1.0}]
            return {"status": "ok", "merged": entries if name == "db" else [], "processes": 1}
        case "status" if said.get("long"):
            return {"status": "active", "details": {name: {"state": "active", **HEALTH}}}
        case "status":
            return {"status": "active"}
        case "stats":
            return {"status": "ok", "name": name, "info": {"7": {"pid": 7, "cmdline": "sleep"}}}
    return {"status": "ok", "numprocesses": 3}


@pytest.fixture
def there(daemon: Callable[..., Answering]) -> Answering:
    """Return what answers."""
    return daemon(answer)


@pytest.mark.parametrize(
    ("words", "out"),
    [
        ("options db", "cmd: db\nnumprocesses: 2\n"),
        ("options db web1", "db: cmd: db\ndb: numprocesses: 2\nweb1: cmd: web1\nweb1: nu"),
        ("list d*", "db: 7\n"),
        ("list web[3]", "7\n"),
        ("numprocesses WEB?", "web1: 3\nWeb2: 3\n"),
        ("numprocesses web? web1 db", "web1: 3\nWeb2: 3\ndb: 3\n"),
        ("rm web* --nostop", "web1: ok\nWeb2: ok\nweb[3]: ok\n"),
        ("kill d* 7", "db: ok\n"),
        ("signal d* 7 HUP", "db: ok\n"),
        ("incr d* 2", "db: 3\n"),
        ("set d* numprocesses 3", "db: ok\n"),
        ("tail db web1", "db:1 | hi\nweb1 has written nothing\n"),
        ("tail d*:1", "db:1 | hi\n"),
        ("status db web1", "db: active\nweb1: active\n"),
        ("stats db web1", "db:\n7: 7  sleep"),
    ],
)
def test_what_is_printed(circusctl: Run, there: Answering, words: str, out: str) -> None:
    said = circusctl("--endpoint", there.endpoint, *words.split())
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(out)
    assert not out.endswith("\n") or said.out == out


def test_numbers_and_switches_go_to_each(circusctl: Run, there: Answering) -> None:
    circusctl("--endpoint", there.endpoint, "signal", "web?", "7", "HUP", "--children")
    more = {"pid": 7, "signum": "HUP", "children": True}
    assert there.asked == [
        ("list", {}),
        ("signal", {"name": "web1", **more}),
        ("signal", {"name": "Web2", **more}),
    ]


@pytest.mark.parametrize("command", ["rm", "kill", "options", "stop", "stats", "tail"])
def test_a_pattern_that_matches_nothing(circusctl: Run, there: Answering, command: str) -> None:
    said = circusctl("--endpoint", there.endpoint, command, "z*")
    assert said == Said(3, "", "error: no watcher matches 'z*'\n")


def test_one_that_is_not_there_among_others(circusctl: Run, there: Answering) -> None:
    said = circusctl("--endpoint", there.endpoint, "list", "nope", "z*", "d*")
    assert (said.code, said.out) == (3, "db: 7\n")
    assert said.err == "error: no watcher is named 'nope'\nerror: no watcher matches 'z*'\n"


def test_as_json_each_has_its_name(circusctl: Run, there: Answering) -> None:
    said = circusctl("--json", "--endpoint", there.endpoint, "list", "d*")
    assert json.loads(said.out)["db"]["pids"] == [7]


def test_several_are_followed_if_all_of_them_are_there(circusctl: Run, there: Answering) -> None:
    said = circusctl("--endpoint", there.endpoint, "tail", "-f", "db", "nobody")
    assert (said.code, said.out) == (3, "")
    assert "no watcher is named 'nobody'" in said.err


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            "status db web1",
            [
                "NAME  STATE     PROCS  PID  UPTIME  MEMORY  RESTARTS  LAST EXIT",
                "db    degraded    1/2                              0",
                "  └ spawn failed",
                "web1  degraded    1/2                              0",
                "  └ spawn failed",
            ],
        ),
        (
            "status db",
            [
                "NAME  STATE     PROCS  PID  UPTIME  MEMORY  RESTARTS  LAST EXIT",
                "db    degraded    1/2                              0",
                "  └ spawn failed",
            ],
        ),
        ("list db d*", ["db:", "WID  PID", "  1    7"]),
        ("numprocesses d*", ["db: 3"]),
    ],
)
def test_on_a_terminal(
    circusctl: Run,
    there: Answering,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    lines: list[str],
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = circusctl("--no-color", "--endpoint", there.endpoint, *words.split())
    assert said.out.splitlines() == lines


def test_stats_are_one_table(
    circusctl: Run, there: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = circusctl("--no-color", "--endpoint", there.endpoint, "stats", "db", "web1")
    assert [line.split()[:2] for line in said.out.splitlines()] == [
        ["NAME", "PID"],
        ["db", "7"],
        ["web1", "7"],
    ]


@pytest.mark.parametrize(
    ("words", "meant"), [("list wbe1", "web1"), ("list WEB_2", "Web2"), ("options dbb", "db")]
)
def test_the_nearest_watcher_is_named(
    circusctl: Run, there: Answering, words: str, meant: str
) -> None:
    said = circusctl("--endpoint", there.endpoint, *words.split())
    name = words.split()[1]
    assert said == Said(3, "", f"error: no watcher is named {name!r}; did you mean {meant!r}?\n")


def test_no_watcher_is_near(circusctl: Run, there: Answering) -> None:
    said = circusctl("--endpoint", there.endpoint, "list", "postgres")
    assert said == Said(3, "", "error: no watcher is named 'postgres'\n")
