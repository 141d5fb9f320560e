"""Commands that change something: what they ask of the daemon, and their replies, whole."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.errors import (
    AlreadyExists,
    BadMessage,
    CircusError,
    Errno,
    GaveUp,
    UnknownProcess,
    UnknownWatcher,
)
from cvec_circus_core.testing import FakeSupervisor, FakeTicket, FakeWatcher
from tests.commands.conftest import Run

WAIT = {"waiting": True}


@pytest.mark.parametrize(
    ("name", "properties", "said"),
    [
        ("start", {}, ["start all"]),
        ("start", {"name": "off"}, ["start off"]),
        ("start", {"name": "WEB*"}, ["start web", "start Web.Admin"]),
        ("start", {"name": "o.*", "match": "regex"}, ["start off", "start one"]),
        ("stop", {}, ["stop all"]),
        ("stop", {"name": "web*"}, ["stop Web.Admin", "stop web"]),
        ("stop", {"name": "web", "match": "simple"}, ["stop web"]),
        ("stop", {"name": "web", "reason": "it flaps"}, ["stop web because it flaps"]),
        ("restart", {}, ["restart all"]),
        ("restart", {"name": "web"}, ["restart web"]),
        (
            "restart",
            {"name": "web", "terminate": True},
            ["kill web pid=None signum=9 grace=0.0", "restart web"],
        ),
        ("restart", {"name": "off", "terminate": True}, ["restart off"]),
        ("restart", {"name": "web", "rolling": True}, ["reload web"]),
        ("reload", {}, ["reload all"]),
        ("reload", {"sequential": True}, ["reload all one by one"]),
        ("reload", {"name": "web"}, ["reload web"]),
        ("reload", {"name": "web", "graceful": False}, ["reload web not gracefully"]),
        ("reload", {"name": "web*"}, ["reload web", "reload Web.Admin"]),
        ("rm", {"name": "web"}, ["remove web"]),
        ("rm", {"name": "WEB", "nostop": True}, ["remove web without a stop"]),
        ("quit", {}, ["quit"]),
        ("kill", {"name": "web"}, ["kill web pid=None signum=None grace=None"]),
        (
            "kill",
            {"name": "web", "pid": 102, "signum": "hup", "graceful_timeout": 0.5},
            ["kill web pid=102 signum=1 grace=0.5"],
        ),
        (
            "kill",
            {"name": "web", "pid": "102", "signum": "1", "graceful_timeout": "0.5"},
            ["kill web pid=102 signum=1 grace=0.5"],
        ),
        (
            "set",
            {"name": "web", "options": {"warmup_delay": 1}},
            ["change web {'warmup_delay': 1}"],
        ),
        ("set", {"name": "web", "respawn": False}, ["change web {'respawn': False}"]),
        ("add", {"name": "new", "cmd": "new"}, ["add new: new"]),
        ("add", {"name": "new", "cmd": "new", "start": True}, ["add new: new", "start new"]),
        ("signal", {"name": "web", "signum": "SIGHUP"}, ["signal web 1"]),
        ("signal", {"name": "web", "signum": 9, "pid": 101}, ["signal web 9 pid=101"]),
        ("signal", {"name": "web", "signum": "15", "process": 2}, ["signal web 15 wid=2"]),
        ("signal", {"name": "web", "signum": 15, "process": 101}, ["signal web 15 pid=101"]),
        (
            "signal",
            {"name": "web", "signum": 15, "process": 101, "pid": 7},
            ["signal web 15 pid=101 childpid=7"],
        ),
        (
            "signal",
            {"name": "web", "signum": 15, "process": 2, "pid": 7},
            ["signal web 15 wid=2 childpid=7"],
        ),
        (
            "signal",
            {"name": "web", "signum": 15, "pid": 2, "childpid": 7},
            ["signal web 15 wid=2 childpid=7"],
        ),
        (
            "signal",
            {"name": "web", "signum": 15, "pid": 101, "child_pid": 7},
            ["signal web 15 pid=101 childpid=7"],
        ),
        (
            "signal",
            {"name": "web", "signum": 10, "pid": 101, "childpid": 7},
            ["signal web 10 pid=101 childpid=7"],
        ),
        (
            "signal",
            {"name": "web", "signum": 1, "children": True, "recursive": True},
            ["signal web 1 children=True recursive=True"],
        ),
    ],
)
def test_it_begins_and_answers_at_once(
    run: Run, daemon: FakeSupervisor, name: str, properties: dict[str, Any], said: list[str]
) -> None:
    assert run(name, **properties) == {}
    assert daemon.said == said


@pytest.mark.parametrize(
    ("name", "properties", "reply"),
    [
        ("start", {}, {}),
        ("start", {"name": "off"}, {"info": {"started": [105], "kept": []}}),
        ("start", {"name": "web"}, {"info": {"started": [], "kept": [101, 102]}}),
        ("start", {"name": "web*"}, {}),
        ("stop", {}, {}),
        ("stop", {"name": "web"}, {"info": None}),
        ("stop", {"name": "web*"}, {}),
        (
            "restart",
            {"name": "web"},
            {"info": {"stopped": [101, 102], "started": [105, 106], "kept": []}},
        ),
        ("restart", {"name": "web*"}, {}),
        ("restart", {}, {}),
        ("reload", {"name": "one"}, {"info": {"stopped": [104], "started": [105], "kept": []}}),
        ("reload", {}, {}),
        ("rm", {"name": "web"}, {}),
        ("quit", {}, {}),
        ("kill", {"name": "web"}, {}),
        ("set", {"name": "web", "options": {"numprocesses": 3}}, {}),
        ("add", {"name": "new", "cmd": "new"}, {}),
        ("add", {"name": "new", "cmd": "new", "start": True}, {"started": [105], "kept": []}),
        ("incr", {"name": "web"}, {"numprocesses": 3}),
        ("incr", {"name": "web", "nb": 4}, {"numprocesses": 6}),
        ("decr", {"name": "web", "nb": 5}, {"numprocesses": 0}),
        ("decr", {"name": "one"}, {"numprocesses": 1, "singleton": True}),
    ],
)
def test_it_waits_and_tells_what_was_done(
    run: Run, name: str, properties: dict[str, Any], reply: dict[str, Any]
) -> None:
    assert run(name, **properties, **WAIT) == reply


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({}, "reload the configuration"),
        (WAIT, "reload the configuration"),
        ({"plan": True}, "plan the configuration"),
        ({"allow_empty": True}, "reload the configuration, even an empty one"),
        ({"plan": True, "allow_empty": True}, "plan the configuration, even an empty one"),
    ],
)
def test_reloadconfig_tells_the_plan(
    run: Run, daemon: FakeSupervisor, properties: dict[str, Any], said: str
) -> None:
    plan = run("reloadconfig", **properties)["plan"]
    assert daemon.said == [said]
    assert {one["action"] for one in plan["watchers"]} == {"keep"}


def test_a_number_is_told_without_waiting_too(run: Run, daemon: FakeSupervisor) -> None:
    assert run("incr", name="web") == {"numprocesses": 3}
    assert run("incr", name="web") == {"numprocesses": 4}
    assert run("decr", name="web", nb=3) == {"numprocesses": 1}
    assert run("incr", name="one") == {"numprocesses": 1, "singleton": True}
    assert daemon.said == ["resize web to 3", "resize web to 4", "resize web to 1"]


def test_a_watcher_is_added_with_options_and_arguments(run: Run, daemon: FakeSupervisor) -> None:
    run("add", name="New One", cmd="new", args=["-x"], options={"numprocesses": 3, "priority": 1})
    spec = daemon.watcher("new one").spec
    assert (spec.name, spec.cmd, spec.args) == ("New One", "new", ("-x",))
    assert (spec.numprocesses, spec.priority) == (3, 1)


def test_a_command_that_can_not_run_is_a_mistake_of_the_request(
    run: Run, daemon: FakeSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = FakeTicket(error=GaveUp("there is no such program"))
    monkeypatch.setattr(FakeWatcher, "start", lambda self: failing)
    assert run("add", name="x", cmd="/no", start=True) == {}
    with pytest.raises(GaveUp, match="there is no such program") as refusal:
        run("add", name="y", cmd="/no", start=True, waiting=True)
    assert refusal.value.errno is Errno.MESSAGE_ERROR


def test_a_name_with_marks_of_a_pattern_is_a_name_first(run: Run, daemon: FakeSupervisor) -> None:
    run("add", name="web[1]", cmd="web")
    run("start", name="web[1]")
    run("status", name="web[1]")
    assert daemon.said[-1] == "start web[1]"


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("start", {"name": "web"}),
        ("stop", {"name": "web"}),
        ("restart", {"name": "web"}),
        ("reload", {"name": "web"}),
        ("incr", {"name": "web"}),
        ("kill", {"name": "web"}),
        ("set", {"name": "web", "options": {"numprocesses": 3}}),
    ],
)
def test_the_real_reason_is_told_to_those_who_wait(
    run: Run, daemon: FakeSupervisor, name: str, properties: dict[str, Any]
) -> None:
    daemon.watcher("web").error = GaveUp("gave up after 5 failures")
    run(name, **properties)
    with pytest.raises(GaveUp, match="gave up after 5 failures"):
        run(name, **properties, **WAIT)


@pytest.mark.parametrize("name", ["start", "stop", "restart", "reload", "quit", "reloadconfig"])
def test_the_real_reason_is_told_of_the_whole_daemon_too(
    run: Run, daemon: FakeSupervisor, name: str
) -> None:
    daemon.error = GaveUp("no")
    run(name)
    with pytest.raises(GaveUp):
        run(name, **WAIT)


def test_the_others_are_waited_for_where_one_fails(run: Run, daemon: FakeSupervisor) -> None:
    daemon.watcher("web").error = GaveUp("no")
    with pytest.raises(GaveUp):
        run("restart", name="web*", waiting=True)
    assert daemon.said == ["restart web", "restart Web.Admin"]
    assert daemon.watcher("web.admin").view().processes[0].pid == 105


@pytest.mark.parametrize(
    ("name", "properties", "error", "reason"),
    [
        ("start", {"name": "nope"}, UnknownWatcher, "program nope not found"),
        ("stop", {"name": "nope*"}, UnknownWatcher, "program nope* not found"),
        ("restart", {"name": "we", "match": "simple"}, UnknownWatcher, "program we not found"),
        ("start", {"name": "web", "match": "magic"}, BadMessage, None),
        ("start", {"name": "(", "match": "regex"}, BadMessage, None),
        ("reload", {"name": "nope"}, UnknownWatcher, None),
        ("rm", {"name": "web*"}, UnknownWatcher, "program web* not found"),
        ("incr", {"name": "nope"}, UnknownWatcher, None),
        ("incr", {"name": "web", "nb": -1}, BadMessage, "'nb' isn't a number of processes: -1"),
        ("kill", {"name": "nope"}, UnknownWatcher, None),
        ("kill", {"name": "web", "pid": 104}, UnknownProcess, "process 104 not found in 'web'"),
        ("kill", {"name": "web", "signum": "NO"}, BadMessage, "'NO' isn't a signal"),
        ("kill", {"name": "web", "pid": "x"}, BadMessage, "'pid' isn't a number: 'x'"),
        ("kill", {"name": "web", "graceful_timeout": -1.0}, BadMessage, None),
        ("kill", {"name": "web", "graceful_timeout": "inf"}, BadMessage, None),
        ("signal", {"name": "web", "signum": 99}, BadMessage, "99 isn't a signal"),
        ("signal", {"name": "web", "signum": 1, "pid": 9}, UnknownProcess, None),
        ("signal", {"name": "web", "signum": 1, "process": 9}, UnknownProcess, None),
        ("signal", {"name": "web", "signum": 1, "childpid": 9}, BadMessage, None),
        (
            "signal",
            {"name": "web", "signum": 1, "pid": 101, "process": 1, "childpid": 9},
            BadMessage,
            None,
        ),
        ("set", {"name": "web"}, BadMessage, "message invalid 'options' is missing"),
        ("set", {"name": "nope", "options": {"cmd": "x"}}, UnknownWatcher, None),
        ("set", {"name": "web", "options": {"numprocesses": "3"}}, BadMessage, None),
        ("set", {"name": "web", "options": {"nonsense": 1}}, BadMessage, "unknown key 'nonsense'"),
        (
            "set",
            {"name": "web", "options": {"numproceses": 3}},
            BadMessage,
            "unknown key 'numproceses'; did you mean numprocesses?",
        ),
        (
            "add",
            {"name": "x", "cmd": "x", "options": {"Max-Ag": 3}},
            BadMessage,
            "unknown key 'Max-Ag'; did you mean max_age?",
        ),
        ("add", {"name": " ", "cmd": "x"}, BadMessage, "'name' is empty"),
        ("add", {"name": "x", "cmd": ""}, BadMessage, "'cmd' is empty"),
        ("add", {"name": "x", "cmd": "x", "options": {"numprocesses": "3"}}, BadMessage, None),
    ],
)
def test_refused_before_anything_was_done(
    run: Run,
    daemon: FakeSupervisor,
    name: str,
    properties: dict[str, Any],
    error: type[CircusError],
    reason: str | None,
) -> None:
    with pytest.raises(error) as raised:
        run(name, **properties)
    assert raised.value.errno == 3
    assert reason is None or raised.value.reason == reason
    assert daemon.said == []


def test_a_name_is_taken_once(run: Run, daemon: FakeSupervisor) -> None:
    with pytest.raises(AlreadyExists, match="'WEB' already exist"):
        run("add", name="WEB", cmd="x")
    assert daemon.said == []


@pytest.mark.parametrize(("uid", "allowed"), [("www", True), ("root", False), (None, False)])
def test_the_owner_of_the_endpoint_adds_only_what_is_his(
    run: Run, daemon: FakeSupervisor, uid: str | None, allowed: bool
) -> None:
    daemon.spec = type(daemon.spec)(endpoint_owner="www")
    options = {} if uid is None else {"uid": uid}
    if allowed:
        assert run("add", name="x", cmd="x", options=options) == {}
    else:
        with pytest.raises(BadMessage, match="uid does not match endpoint_owner"):
            run("add", name="x", cmd="x", options=options)


@pytest.mark.parametrize(
    ("reason", "stopped_for", "started"),
    [("it flaps", "it flaps", ["web"]), (None, "it flaps", []), ("it flaps", "it limps", [])],
)
def test_a_program_starts_only_what_it_has_stopped_itself(
    run: Run, daemon: FakeSupervisor, reason: str | None, stopped_for: str, started: list[str]
) -> None:
    run("stop", name="web", **({"reason": reason} if reason else {}))
    assert run("start", name="web", stopped_for=stopped_for) == {"started": started}
    assert len(daemon.watcher("web").pids) == 2 * len(started)


def test_an_event_is_announced(run: Run, daemon: FakeSupervisor) -> None:
    assert run("announce", name="WEB", event="deployed", body={"version": 2}) == {}
    assert daemon.said == ["announce web.deployed {'version': 2}"]


@pytest.mark.parametrize("event", ["spawn", "reap", "stop", "not_ready", "", "Deployed", "a.b"])
def test_no_event_of_the_daemon_can_be_forged(run: Run, event: str) -> None:
    with pytest.raises(BadMessage):
        run("announce", name="web", event=event)
