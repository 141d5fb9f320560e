"""Every command over the bare wire, by a DEALER and by a REQ socket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from tests.live.daemon import Daemon, until
from tests.live.wire import Caller

WATCHERS = """
[watcher:sleeper]
cmd = sleep 1000
numprocesses = 2
graceful_timeout = 5
flapping.max_retry = 7

[watcher:Upper Case]
cmd = sleep 1000
singleton = True

[watcher:web.app]
cmd = sleep 1000

[watcher:off]
cmd = sleep 1000
autostart = False
"""

ANY = re.compile("")
Check = Callable[[Any], bool]


@pytest.fixture(scope="module")
def daemon(start_shared: Callable[..., Daemon]) -> Daemon:
    return start_shared(WATCHERS)


@pytest.fixture
def house(daemon: Daemon) -> Daemon:
    """Put everything as it was at first."""
    daemon.ok("set", name="sleeper", options={"numprocesses": 2}, waiting=True)
    daemon.ok("stop", name="off", waiting=True)
    # Anew, so that the wids are 1 and 2.
    daemon.ok("restart", name="sleeper", waiting=True)
    daemon.until_active("sleeper", 2)
    return daemon


@pytest.fixture(params=[zmq.DEALER, zmq.REQ], ids=["dealer", "req"])
def caller(request: pytest.FixtureRequest, house: Daemon) -> Iterator[Caller]:
    with Caller(house.endpoint, request.param) as made:
        yield made


def pids(count: int) -> Check:
    """Tell whether something is a list of so many pids."""
    return lambda value: len(value) == count and all(isinstance(one, int) for one in value)


def info(value: Any) -> bool:
    """Tell whether something is an info object."""
    keys = {"pid", "cmdline", "username", "nice", "cpu", "mem", "mem_info1", "mem_info2"}
    return {*keys, "ctime", "children", "create_time", "age"} <= set(value)


def infos(count: int) -> Check:
    """Tell whether something holds so many info objects by pid."""
    return lambda value: len(value) == count and all(info(one) for one in value.values())


WAIT = {"waiting": True}
STATUSES = {"Upper Case": "active", "off": "stopped", "sleeper": "active", "web.app": "active"}

TABLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("list", {}, {"watchers": ["off", "sleeper", "Upper Case", "web.app"]}),
    ("list", {"name": "sleeper"}, {"pids": pids(2), "processes": [1, 2]}),
    ("LIST", {"name": "SLEEPER"}, {"pids": pids(2)}),
    ("listpids", {"name": "sleeper"}, {"pids": pids(2)}),
    ("numwatchers", {}, {"numwatchers": 4}),
    ("numprocesses", {}, {"numprocesses": 4}),
    ("numprocesses", {"name": "Sleeper"}, {"numprocesses": 2, "watcher_name": "Sleeper"}),
    ("status", {}, {"statuses": STATUSES}),
    ("status", {"name": "sleeper"}, {"status": "active", "running": 2, "wanted": 2}),
    ("status", {"name": "off"}, {"status": "stopped", "running": 0}),
    ("stats", {}, {"infos": lambda value: infos(2)(value["sleeper"]) and value["off"] == {}}),
    ("stats", {"name": "sleeper"}, {"name": "sleeper", "info": infos(2)}),
    ("stats", {"name": "sleeper", "process": 1}, {"process": 1, "info": info}),
    ("stats", {"name": "sleeper", "extended": True}, {"info": infos(2)}),
    ("dstats", {}, {"info": info}),
    (
        "options",
        {"name": "sleeper"},
        {
            "options": lambda value: (
                (value["cmd"], value["flapping.max_retry"]) == ("sleep 1000", "7")
            )
        },
    ),
    (
        "get",
        {"name": "sleeper", "keys": ["cmd", "numprocesses"]},
        {"options": {"cmd": "sleep 1000", "numprocesses": 2}},
    ),
    ("globaloptions", {}, {"options": lambda value: value["endpoint"].startswith("ipc://")}),
    ("globaloptions", {"option": "check_delay"}, {"options": {"check_delay": 5.0}}),
    ("globaloptions", {"keys": ["check_delay"]}, {"options": {"check_delay": 5.0}}),
    ("incr", {"name": "sleeper"}, {"numprocesses": 3}),
    ("incr", {"name": "sleeper", "nb": 2, **WAIT}, {"numprocesses": 4}),
    ("incr", {"name": "upper case"}, {"numprocesses": 1, "singleton": True}),
    ("decr", {"name": "sleeper", **WAIT}, {"numprocesses": 1}),
    ("decr", {"name": "sleeper", "nb": 7}, {"numprocesses": 0}),
    ("set", {"name": "sleeper", "options": {"warmup_delay": 0, "graceful_timeout": 5.0}}, {}),
    ("set", {"name": "sleeper", "numprocesses": 3, **WAIT}, {}),
    ("signal", {"name": "sleeper", "signum": "CONT"}, {}),
    ("signal", {"name": "sleeper", "signum": 18, "process": 1}, {}),
    ("signal", {"name": "sleeper", "signum": "sigwinch", "recursive": True}, {}),
    ("kill", {"name": "sleeper", "signum": "INT", "graceful_timeout": 3, **WAIT}, {}),
    ("stop", {"name": "sleeper"}, {}),
    ("stop", {"name": "sleeper", **WAIT}, {"info": None}),
    ("stop", {"name": "s*", **WAIT}, {"info": None}),
    ("stop", {"name": "(sleeper|off)", "match": "regex", **WAIT}, {}),
    ("start", {"name": "off", **WAIT}, {"info": lambda value: pids(1)(value["started"])}),
    ("start", {"name": "sleeper", **WAIT}, {"info": lambda value: pids(2)(value["kept"])}),
    ("start", {**WAIT}, {}),
    (
        "restart",
        {"name": "sleeper", **WAIT},
        {
            "info": lambda value: (
                pids(2)(value["stopped"]) and pids(2)(value["started"]) and value["kept"] == []
            )
        },
    ),
    (
        "reload",
        {"name": "sleeper", **WAIT},
        {"info": lambda value: pids(2)(value["stopped"]) and pids(2)(value["started"])},
    ),
    ("reload", {"name": "sleeper", "sequential": True, **WAIT}, {"info": ANY}),
    ("reload", {"name": "sleeper", "graceful": False, **WAIT}, {"info": ANY}),
    ("reload", {**WAIT}, {}),
    ("reloadconfig", {**WAIT}, {"plan": ANY}),
    ("reloadconfig", {"plan": True}, {"plan": ANY}),
    ("env", {"name": "sleeper"}, {"env": lambda value: "PATH" in value}),
]


def agrees(value: Any, expected: Any) -> bool:
    """Compare with a value, or ask a check."""
    if expected is ANY:
        return True
    return bool(expected(value) if callable(expected) else value == expected)


@pytest.mark.parametrize(("command", "properties", "expected"), TABLE)
def test_a_command_answers(
    caller: Caller, command: str, properties: dict[str, Any], expected: dict[str, Any]
) -> None:
    reply = caller.call(command, **properties)
    assert reply["status"] == expected.get("status", "ok"), reply
    assert isinstance(reply["time"], float)
    for key, value in expected.items():
        assert agrees(reply[key], value), reply
    if not properties.get("waiting"):
        assert "info" not in reply or command in ("stats", "dstats")


def test_add_and_rm(caller: Caller, house: Daemon) -> None:
    options = {"numprocesses": 2, "env": {"A": "1"}}
    reply = caller.call(
        "add", name="New", cmd="sleep", args=["1000"], options=options, start=True, waiting=True
    )
    assert (reply["status"], reply["kept"]) == ("ok", [])
    assert reply["started"] == house.pids("new")
    assert caller.call("rm", name="new", waiting=True)["status"] == "ok"
    assert caller.call("status", name="new")["reason"] == "program new not found"
    assert caller.call("add", name="idle", cmd="sleep 1000")["status"] == "ok"
    assert caller.call("status", name="idle")["status"] == "stopped"
    assert caller.call("rm", name="idle", waiting=True)["status"] == "ok"


def test_add_of_what_can_not_start_says_why(caller: Caller) -> None:
    properties = {"name": "x", "cmd": "/nowhere/x", "start": True, "waiting": True}
    reply = caller.call("add", **properties, options={"retry_pause": 0, "max_retry": 5})
    assert (reply["status"], reply["errno"], reply["tb"]) == ("error", 3, None)
    assert "'/nowhere/x'" in reply["reason"]
    said = caller.call("status", name="x")
    assert (said["status"], said["reason"]) == ("stopped", reply["reason"])
    assert caller.call("rm", name="x", waiting=True)["status"] == "ok"


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("foo", {}, 2, "unknown command: 'foo'"),
    ("list", {"name": "nope"}, 3, "program nope not found"),
    ("status", {"name": "nope"}, 3, "program nope not found"),
    ("stop", {"name": "n*pe"}, 3, "program n*pe not found"),
    ("start", {"name": "x", "match": "fuzzy"}, 3, "match"),
    ("start", {"name": "(", "match": "regex"}, 3, "regex"),
    ("kill", {"name": "nope"}, 3, "program nope not found"),
    ("kill", {"name": "sleeper", "pid": 1}, 3, "process 1 not found in 'sleeper'"),
    ("kill", {"name": "sleeper", "pid": "x"}, 3, "pid"),
    ("kill", {"name": "sleeper", "signum": "NOPE"}, 3, "NOPE"),
    ("kill", {"name": "sleeper", "graceful_timeout": -1}, 3, "graceful_timeout"),
    ("stats", {"name": "sleeper", "process": 99999999}, 3, "not found in 'sleeper'"),
    ("get", {"name": "sleeper"}, 3, "message invalid 'keys' is missing"),
    ("get", {"name": "sleeper", "keys": ["cmd", "nope"]}, 3, "'nope' option not found"),
    ("globaloptions", {"option": "nope"}, 3, "'nope' option not found"),
    ("incr", {}, 3, "message invalid 'name' is missing"),
    ("incr", {"name": 3}, 3, "name"),
    ("incr", {"name": "sleeper", "nb": "1"}, 3, "nb"),
    ("incr", {"name": "sleeper", "nb": 1.5}, 3, "nb"),
    ("incr", {"name": "sleeper", "waiting": "yes"}, 3, "waiting"),
    ("set", {"name": "sleeper", "options": {"numprocesses": "3"}}, 3, "isn't an integer"),
    ("set", {"name": "sleeper", "options": {"nope": 1}}, 3, "unknown key 'nope'"),
    ("set", {"name": "sleeper", "options": {"cmd": "ls", "uid": []}}, 3, "uid"),
    ("set", {"name": "upper case", "options": {"numprocesses": 2}}, 3, "singleton"),
    ("signal", {"name": "sleeper"}, 3, "message invalid 'signum' is missing"),
    ("signal", {"name": "sleeper", "signum": "NOPE"}, 3, "NOPE"),
    ("signal", {"name": "sleeper", "signum": 15, "pid": 1}, 3, "process 1 not found"),
    ("signal", {"name": "sleeper", "signum": 15, "childpid": 1}, 3, "childpid"),
    ("add", {"name": "x"}, 3, "message invalid 'cmd' is missing"),
    ("add", {"name": "", "cmd": "true"}, 3, "name"),
    ("add", {"name": "x", "cmd": ""}, 3, "cmd"),
    ("add", {"name": "SLEEPER", "cmd": "true"}, 5, "already exist"),
    ("add", {"name": "x", "cmd": "true", "options": {"rlimit_nofile": "x"}}, 3, "rlimit_nofile"),
    ("listen", {}, 3, "invalid message. use a pub/sub socket"),
]


@pytest.mark.parametrize(("command", "properties", "errno", "reason"), REFUSED)
def test_a_command_refuses(
    caller: Caller, command: str, properties: dict[str, Any], errno: int, reason: str
) -> None:
    before = caller.call("numprocesses")["numprocesses"]
    reply = caller.call(command, **properties)
    assert (reply["status"], reply["errno"], reply["tb"]) == ("error", errno, None), reply
    assert reason in reply["reason"], reply
    assert caller.call("numprocesses")["numprocesses"] == before


def test_a_cast_is_done_without_a_reply(house: Daemon, connect: Callable[..., Caller]) -> None:
    caller = connect(house)
    caller.cast("incr", name="sleeper")
    caller.cast("incr", name="nope")
    caller.cast("nope")
    until(lambda: len(house.pids("sleeper")) == 3)
    until(lambda: house.said("cast incr was refused: program nope not found"))
    assert caller.is_silent(0.2)


def test_waiting_is_answered_at_the_end_and_not_waiting_at_once(
    house: Daemon, connect: Callable[..., Caller]
) -> None:
    house.ok("add", name="slow", cmd="sh -c 'trap : TERM; while :; do sleep 0.1; done'",
             options={"graceful_timeout": 0.6}, start=True, waiting=True)  # fmt: skip
    pid = house.pids("slow")[0]
    until(lambda: "trap" in house.alive()[pid])
    caller = connect(house)
    slow = caller.send("stop", name="slow", waiting=True)
    quick = caller.send("stop", name="slow")
    status = caller.send("status", name="slow")
    assert caller.receive()["id"] == quick
    assert caller.receive()["id"] == status
    assert caller.answer(slow)["status"] == "ok"
    assert house.status("slow")["status"] == "stopped"
    house.ok("rm", name="slow", waiting=True)


def test_replies_go_out_as_they_finish_and_ids_match_them(
    house: Daemon, connect: Callable[..., Caller]
) -> None:
    caller = connect(house)
    sent = [caller.send("numprocesses" if i % 2 else "numwatchers") for i in range(200)]
    restart = caller.send("restart", name="sleeper", waiting=True)
    for i, number in enumerate(sent):
        assert ("numprocesses" in caller.answer(number)) == bool(i % 2)
    assert caller.answer(restart)["info"]["started"] == house.pids("sleeper")


def test_requests_begin_in_the_order_in_which_they_came(
    house: Daemon, connect: Callable[..., Caller]
) -> None:
    house.ok("add", name="count", cmd="sleep 1000", options={"numprocesses": 0}, waiting=True)
    caller = connect(house)
    for number in range(50):
        looks = [caller.send("get", name="count", keys=["numprocesses"])]
        more = caller.send("incr", name="count")
        looks.append(caller.send("get", name="count", keys=["numprocesses"]))
        seen = [caller.answer(look)["options"]["numprocesses"] for look in looks]
        assert seen == [number, number + 1]
        assert caller.answer(more)["numprocesses"] == number + 1
    house.ok("rm", name="count", waiting=True)
