"""Commands that only look: their replies, whole."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.errors import (
    BadMessage,
    CircusError,
    UnknownOption,
    UnknownProcess,
    UnknownWatcher,
)
from cvec_circus_core.model.views import PluginView
from cvec_circus_core.testing import FakeSupervisor, info_of
from tests.commands.conftest import Run


def healthy(count: int, numprocesses: int | None = None) -> dict[str, Any]:
    """Return how a watcher fares that has all its processes, or is stopped."""
    counts = {"running": count, "wanted": count, "ready": count}
    untroubled = {"restarts": 0, "last_exit": None, "last_death": None, "reason": None}
    size = count if numprocesses is None else numprocesses
    return {**counts, **untroubled, "said": {}, "retry_in": None, "numprocesses": size} | {
        "completed": False
    }


@pytest.mark.parametrize(
    ("name", "properties", "reply"),
    [
        ("list", {}, {"watchers": ["off", "one", "web", "Web.Admin"]}),
        ("list", {"name": "WEB"}, {"pids": [101, 102], "processes": [1, 2]}),
        ("list", {"name": "off"}, {"pids": [], "processes": []}),
        ("listpids", {"name": "web"}, {"pids": [101, 102]}),
        ("numprocesses", {}, {"numprocesses": 4}),
        ("numprocesses", {"name": "Web"}, {"numprocesses": 2, "watcher_name": "Web"}),
        ("numwatchers", {}, {"numwatchers": 4}),
        ("get", {"name": "web", "keys": ["cmd"]}, {"options": {"cmd": "web --port 80"}}),
        ("get", {"name": "web", "keys": ["command"]}, {"options": {"command": "web --port 80"}}),
        ("get", {"name": "web", "keys": []}, {"options": {}}),
        ("env", {"name": "web", "process": 2}, {"env": {"PATH": "/bin", "WID": "2"}}),
        ("globaloptions", {"option": "check_delay"}, {"options": {"check_delay": 5.0}}),
        ("globaloptions", {"keys": ["include"]}, {"options": {"include": []}}),
        ("globaloptions", {"keys": ["stats_endpoint"]}, {"options": {"stats_endpoint": None}}),
        (
            "globaloptions",
            {},
            {
                "options": {
                    "endpoint": "tcp://127.0.0.1:5555",
                    "stats_endpoint": "tcp://127.0.0.1:5557",
                    "pubsub_endpoint": "tcp://127.0.0.1:5556",
                    "check_delay": 5.0,
                    "multicast_endpoint": None,
                }
            },
        ),
        ("dstats", {}, {"info": info_of(1, cmdline="circusd")}),
        (
            "status",
            {},
            {
                "statuses": {
                    "off": "stopped",
                    "one": "active",
                    "web": "active",
                    "Web.Admin": "active",
                },
                "failed": [],
                "completed": [],
            },
        ),
        ("status", {"name": "web"}, {"status": "active", **healthy(2)}),
        (
            "status",
            {"name": "o*"},
            {
                "statuses": {"off": "stopped", "one": "active"},
                "failed": [],
                "completed": [],
            },
        ),
        (
            "status",
            {"name": "o*", "long": True},
            {
                "statuses": {"off": "stopped", "one": "active"},
                "failed": [],
                "completed": [],
                "details": {
                    "off": {"state": "stopped", **healthy(0, 1)},
                    "one": {"state": "active", **healthy(1)},
                },
            },
        ),
    ],
)
def test_reply(run: Run, name: str, properties: dict[str, Any], reply: dict[str, Any]) -> None:
    assert run(name, **properties) == reply


def test_options_are_all_there_in_order(run: Run) -> None:
    options = run("options", name="one")["options"]
    assert {"cmd", "numprocesses", "graceful_timeout", "env", "stop_signal"} <= set(options)
    assert options["singleton"] is True
    assert list(options) == sorted(options)


def test_stats_of_all(run: Run) -> None:
    infos = run("stats")["infos"]
    assert {name: list(pids) for name, pids in infos.items()} == {
        "off": [],
        "one": ["104"],
        "web": ["101", "102"],
        "Web.Admin": ["103"],
    }
    assert infos["web"]["102"] == {**info_of(102), "wid": 2, "started": 1332265600.0}


@pytest.mark.parametrize("process", [102, 2])
def test_stats_of_one_process_by_pid_or_by_its_number(run: Run, process: int) -> None:
    info = {**info_of(102), "wid": 2, "started": 1332265600.0}
    assert run("stats", name="web", process=process) == {"process": process, "info": info}


def test_stats_of_a_process_that_is_gone(run: Run, daemon: FakeSupervisor) -> None:
    daemon.infos[101] = None
    info = run("stats", name="web")["info"]
    assert info["101"] == "No such process (stopped?)"
    assert info["102"]["pid"] == 102


def test_stats_with_what_a_hook_adds(run: Run, daemon: FakeSupervisor) -> None:
    daemon.infos[101] = None
    info = run("stats", name="web", extended=True)["info"]
    assert info["102"]["extended"] is True
    assert info["101"] == "No such process (stopped?)"


@pytest.mark.parametrize(
    ("name", "properties", "error", "reason"),
    [
        ("list", {"name": "nope"}, UnknownWatcher, "program nope not found"),
        ("listpids", {"name": "nope"}, UnknownWatcher, "program nope not found"),
        ("status", {"name": "nope"}, UnknownWatcher, "program nope not found"),
        ("status", {"name": "nope*"}, UnknownWatcher, "program nope* not found"),
        ("get", {"name": "web", "keys": ["cmd", "x"]}, UnknownOption, "'x' option not found"),
        ("globaloptions", {"option": "x"}, UnknownOption, "'x' option not found"),
        (
            "get",
            {"name": "web", "keys": ["numproceses"]},
            UnknownOption,
            "'numproceses' option not found; did you mean numprocesses?",
        ),
        (
            "globaloptions",
            {"option": "endpiont"},
            UnknownOption,
            "'endpiont' option not found; did you mean endpoint?",
        ),
        ("globaloptions", {"keys": ["endpoint", "x"]}, UnknownOption, "'x' option not found"),
        ("stats", {"name": "web", "process": 9}, UnknownProcess, "process 9 not found in 'web'"),
        ("stats", {"process": 101}, BadMessage, "'process' needs 'name'"),
        ("env", {"name": "web", "process": 0}, BadMessage, None),
        ("listen", {}, BadMessage, "invalid message. use a pub/sub socket"),
    ],
)
def test_refused(
    run: Run, name: str, properties: dict[str, Any], error: type[CircusError], reason: str | None
) -> None:
    with pytest.raises(error) as raised:
        run(name, **properties)
    assert raised.value.errno == 3
    assert reason is None or raised.value.reason == reason


def test_plugins_in_threads_stand_beside_the_watchers(run: Run, daemon: FakeSupervisor) -> None:
    daemon.hosted = [PluginView("flapping", "flapping", "thread", "running")]
    asked = {"long": True, "usage": True}
    reply = run("status", **asked)
    assert reply["threads"] == [{"name": "flapping", "state": "running", "reason": None}]
    assert reply["details"]["web"]["pids"] == [101, 102]
    assert "threads" not in run("status", name="web", **asked)
