"""Lines about who did what: names, never values, and not too many."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.access import Caller, KeyHolder, LocalUser, Rights, Stranger
from cvec_circus_core.model.errors import Errno
from cvec_circus_core.model.events import Event, Told
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success
from cvec_circus_core.model.names import topic_name
from cvec_circus_core.model.text import LINES, PERIOD
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.testing import FakeClock

BOB = Caller(LocalUser(1001, 4711), "user 'bob'", Rights())
REFUSED = Failure("user 'bob' may not use 'stop'", Errno.NOT_ALLOWED)


def said(command: str, **properties: Any) -> RequestMessage:
    return RequestMessage(command, properties, None, False)


@pytest.mark.parametrize(
    ("caller", "message", "reply", "line"),
    [
        (
            BOB,
            said("stop", name="web"),
            Success({}),
            "user 'bob' (uid 1001, pid 4711): stop name=web: ok",
        ),
        (
            Caller(LocalUser(7), "user '7'", Rights()),
            said("signal", name="web", signum=9, waiting=True),
            Success({}),
            "user '7' (uid 7): signal name=web signum=9: ok",
        ),
        (
            BOB,
            said("set", name="web", options={"env": {"TOKEN": "hidden"}, "cmd": "hidden"}),
            Success({}),
            "user 'bob' (uid 1001, pid 4711): set name=web options='env,cmd': ok",
        ),
        (
            BOB,
            said("add", name="a\nb\x1b[31m", cmd="hidden", args=["hidden"]),
            Failure("no", Errno.MESSAGE_ERROR),
            "user 'bob' (uid 1001, pid 4711): add name='a\\nb\\x1b[31m': failed with errno 3: no",
        ),
        (
            Caller(Stranger("gone"), "a stranger", Rights()),
            said("stop"),
            Failure("who calls can not be told", Errno.NOT_ALLOWED),
            "a stranger: stop: refused: 'who calls can not be told'",
        ),
    ],
)
def test_a_line(
    caplog: pytest.LogCaptureFixture,
    caller: Caller,
    message: RequestMessage,
    reply: Reply,
    line: str,
) -> None:
    told: list[Event] = []
    with caplog.at_level("INFO"):
        Audit(FakeClock(), told.append).tell(caller, message, reply, acts=True)
    assert caplog.messages == [line]
    assert "hidden" not in str(told[0].facts())


@pytest.mark.parametrize(
    ("acts", "reply", "lines"),
    [(False, Success({}), 0), (False, REFUSED, 1), (True, Success({}), 1), (True, REFUSED, 1)],
)
def test_acts_and_refusals_are_told(
    caplog: pytest.LogCaptureFixture, acts: bool, reply: Reply, lines: int
) -> None:
    told: list[Event] = []
    with caplog.at_level("INFO"):
        Audit(FakeClock(), told.append).tell(BOB, said("list"), reply, acts=acts)
    assert len(caplog.messages) == len(told) == lines


def test_who_is_refused_again_and_again_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    audit = Audit(clock, lambda event: None)
    with caplog.at_level("INFO"):
        for _ in range(1000):
            audit.tell(BOB, said("stop"), REFUSED, acts=True)
            audit.tell_turned_away(BOB)
        assert len(caplog.messages) == LINES + 1
        audit.tell(BOB, said("stop"), Success({}), acts=True)
        assert caplog.messages[-1].endswith("stop: ok")
        clock.advance(PERIOD)
        audit.tell(BOB, said("stop"), REFUSED, acts=True)
    assert len(caplog.messages) == LINES + 3


ALICE = Caller(KeyHolder("ab" * 32, "10.0.0.2"), "key 'alice'", Rights(True, True))
UNKNOWN = Caller(KeyHolder("cd" * 32, "10.0.0.3"), "an unknown key", Rights())


@pytest.mark.parametrize(
    ("caller", "message", "reply", "body"),
    [
        (
            BOB,
            said("stop", name="my web"),
            REFUSED,
            {"watcher": "my web", "command": "stop", "outcome": "refused", "who": "user 'bob'"}
            | {"uid": 1001, "pid": 4711, "properties": {"name": "my web"}}
            | {"reason": "user 'bob' may not use 'stop'"},
        ),
        (
            ALICE,
            said("set", name="web", options={"env": {"TOKEN": "hidden"}}),
            Success({}),
            {"watcher": "web", "command": "set", "outcome": "ok", "who": "key 'alice'"}
            | {"key": "ab" * 32, "address": "10.0.0.2"}
            | {"properties": {"name": "web", "options": "env"}},
        ),
        (
            BOB,
            said("a\nb.c", waiting=True),
            Failure("no", Errno.UNKNOWN_COMMAND),
            {"watcher": "", "command": "unknown", "outcome": "failed", "who": "user 'bob'"}
            | {"uid": 1001, "pid": 4711, "properties": {}, "reason": "no"},
        ),
    ],
)
def test_an_event(
    caller: Caller, message: RequestMessage, reply: Reply, body: dict[str, Any]
) -> None:
    events: list[Event] = []
    Audit(FakeClock(), events.append).tell(caller, message, reply, acts=True)
    [told] = [Told(event, 1, 2.5) for event in events]
    assert told.body() == {**body, "time": 2.5, "seq": 1}
    assert told.topic == f"audit.{topic_name(body['watcher']) or 'circus'}.{body['command']}"


@pytest.mark.parametrize(
    ("caller", "line"),
    [
        (BOB, "user 'bob' (uid 1001, pid 4711): events: refused: may not read; viewers in "),
        (
            UNKNOWN,
            f"an unknown key ({'cd' * 32} from 10.0.0.3): connect: refused: may not connect; "
            "circusctl authorize lets them",
        ),
        (
            Caller(UNKNOWN.identity, "key 'carl'", Rights(words=frozenset({"key:carl"}))),
            "key 'carl' (from 10.0.0.3): events: refused: may not read; circusctl authorize lets",
        ),
    ],
)
def test_who_is_not_let_in(caplog: pytest.LogCaptureFixture, caller: Caller, line: str) -> None:
    events: list[Event] = []
    with caplog.at_level("INFO"):
        Audit(FakeClock(), events.append).tell_turned_away(caller)
    assert caplog.messages[0].startswith(line)
    assert events[0].facts()["outcome"] == "refused"
