"""The table of status: 80 columns, states told apart, signals by name, and what is wrong below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cvec_circus_cli.command_lookup import find
from cvec_circus_cli.tables import tables_text
from tests.cli.answering import Answering
from tests.cli.conftest import Said

WELL: dict[str, Any] = {
    "state": "active",
    "running": 2,
    "wanted": 2,
    "numprocesses": 2,
    "restarts": 0,
    "last_exit": None,
    "last_death": None,
    "reason": None,
    "retry_in": None,
    "ready": 2,
    "said": {},
    "pids": [4711, 4712],
    "age": 3720.0,
    "rss": 25_165_824,
}
NONE = {"running": 0, "ready": 0, "pids": [], "age": None, "rss": None}


@pytest.mark.parametrize(
    ("health", "line"),
    [
        ({}, "web   active    2/2  4711+1   1h02m   24.0M         0"),
        ({"pids": [7], "age": 59.9}, "web   active    2/2  7      59s   24.0M         0"),
        ({"state": "stopping"}, "web   stopping    2/2  4711+1   1h02m   24.0M         0"),
        (
            {**NONE, "state": "stopped", "wanted": 0},
            "web   stopped    0/2                              0",
        ),
        (
            {"last_exit": -15, "last_death": -11, "restarts": 3},
            "web   active    2/2  4711+1   1h02m   24.0M         3  SIGSEGV",
        ),
        ({"last_death": 1}, "web   active    2/2  4711+1   1h02m   24.0M         0  1"),
    ],
)
def test_a_row(health: dict[str, Any], line: str) -> None:
    tables = find("status").tables({"details": {"web": {**WELL, **health}}})
    assert tables_text(tables, colours=False).splitlines()[1].split() == line.split()


@pytest.mark.parametrize(
    ("health", "state", "note"),
    [
        ({}, "active", None),
        ({"running": 1, "ready": 1, "reason": "no such file"}, "degraded", "  └ no such file"),
        ({"running": 1, "ready": 1, "retry_in": 2.5}, "degraded", "  └ next try in 2.5 s"),
        (
            {**NONE, "state": "starting", "reason": "exit 1", "retry_in": 2.54},
            "retrying",
            "  └ exit 1; next try in 2.5 s",
        ),
        ({**NONE, "state": "stopped", "reason": "max_retry"}, "failed", "  └ max_retry"),
        (
            {**NONE, "state": "stopped", "reason": "waits for a connection"},
            "waiting",
            "  └ waits for a connection",
        ),
        ({**NONE, "state": "stopped", "wanted": 0}, "stopped", None),
        ({**NONE, "state": "starting"}, "starting", None),
        ({"ready": 1}, "active", "  └ 1 of 2 ready"),
        ({"said": {"7": "warm"}}, "active", "  └ 7 says: warm"),
    ],
)
def test_states_are_told_apart(health: dict[str, Any], state: str, note: str | None) -> None:
    tables = find("status").tables({"details": {"web": {**WELL, **health}}})
    _, row, *notes = tables_text(tables, colours=False).splitlines()
    assert row.split()[1] == state
    assert notes == ([] if note is None else [note])


def test_it_fits_80_columns() -> None:
    reason = "the last exit was within a second of the start, as were the four before it"
    health = {**WELL, "restarts": 123, "last_death": -11, "reason": reason, "retry_in": 12.0}
    details = {name: {**health, "pids": [3_999_998, 3_999_999]} for name in ("web", "api:v1")}
    text = tables_text(find("status").tables({"details": details}), colours=False)
    assert max(map(len, text.splitlines())) <= 80
    assert " ".join(text.split()).count("as were the four before it; next try in 12.0 s") == 2


@pytest.mark.parametrize("colours", [False, True])
def test_a_long_name_has_a_line_of_its_own(colours: bool) -> None:
    long = "a-service-with-a-name-that-needs-more-than-half-of-the-line"
    tables = find("status").tables({"details": {long: WELL, "web": WELL}})
    lines = tables_text(tables, colours=colours).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1] == long
    assert lines[2].lstrip() == lines[3].removeprefix("web").lstrip()
    assert len(lines[2]) == len(lines[3])


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ({"status": "ok", "statuses": {"web": "active"}, "failed": []}, 0),
        ({"status": "ok", "statuses": {"web": "active"}}, 0),
        ({"status": "ok", "statuses": {"web": "stopped"}, "failed": ["web"]}, 3),
        ({"status": "active", "running": 2, "reason": None, "retry_in": None}, 0),
        ({"status": "active", "running": 1, "reason": "no such file", "retry_in": None}, 3),
        ({"status": "starting", "running": 0, "reason": None, "retry_in": 0.4}, 3),
        ({"status": "stopped", "running": 0, "reason": None, "retry_in": None}, 0),
        (
            {
                "status": "stopped",
                "running": 0,
                "reason": "waits for a connection",
                "retry_in": None,
            },
            0,
        ),
    ],
)
@pytest.mark.parametrize("switches", [(), ("--json",)])
def test_it_ends_with_3_where_something_failed(
    circusctl: Callable[..., Said],
    daemon: Callable[..., Answering],
    reply: dict[str, Any],
    code: int,
    switches: tuple[str, ...],
) -> None:
    there = daemon({"status": reply})
    assert circusctl(*switches, "--endpoint", there.endpoint, "status").code == code


def test_plugins_without_a_process_stand_among_the_others() -> None:
    threads = [
        {"name": "flapping", "state": "running", "reason": None},
        {"name": "a", "state": "failed", "reason": "KeyError: 'x'"},
    ]
    reply = {"details": {"web": WELL, "api": WELL}, "threads": threads}
    _, *lines = tables_text(find("status").tables(reply), colours=False).splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["api", "active"],
        ["plugin:a", "failed"],
        ["└", "KeyError:"],
        ["plugin:flapping", "running"],
        ["web", "active"],
    ]
    assert lines[3].endswith("thread")
