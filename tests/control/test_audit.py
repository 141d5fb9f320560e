"""Lines about who did what: names, never values, and not too many."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.control.audit import PERIOD, REFUSALS, Audit
from cvec_circus_core.model.access import LocalUser, Rights, Stranger, Visitor
from cvec_circus_core.model.errors import Errno
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success
from cvec_circus_core.testing import FakeClock

BOB = Visitor(LocalUser(1001, 4711), "user 'bob'", Rights())
REFUSED = Failure("user 'bob' may not stop", Errno.NOT_ALLOWED)


def said(command: str, **properties: Any) -> RequestMessage:
    return RequestMessage(command, properties, None, False)


@pytest.mark.parametrize(
    ("visitor", "message", "reply", "line"),
    [
        (
            BOB,
            said("stop", name="web"),
            Success({}),
            "user 'bob' (uid 1001, pid 4711): stop name=web: ok",
        ),
        (
            Visitor(LocalUser(7), "user '7'", Rights()),
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
            Visitor(Stranger("gone"), "a stranger", Rights()),
            said("stop"),
            Failure("who calls can not be told", Errno.NOT_ALLOWED),
            "a stranger: stop: refused: 'who calls can not be told'",
        ),
    ],
)
def test_a_line(
    caplog: pytest.LogCaptureFixture,
    visitor: Visitor,
    message: RequestMessage,
    reply: Reply,
    line: str,
) -> None:
    with caplog.at_level("INFO"):
        Audit(FakeClock()).tell(visitor, message, reply, acts=True)
    assert caplog.messages == [line]


@pytest.mark.parametrize(
    ("acts", "reply", "lines"),
    [(False, Success({}), 0), (False, REFUSED, 1), (True, Success({}), 1), (True, REFUSED, 1)],
)
def test_acts_and_refusals_are_told(
    caplog: pytest.LogCaptureFixture, acts: bool, reply: Reply, lines: int
) -> None:
    with caplog.at_level("INFO"):
        Audit(FakeClock()).tell(BOB, said("list"), reply, acts=acts)
    assert len(caplog.messages) == lines


def test_who_is_refused_again_and_again_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    audit = Audit(clock)
    with caplog.at_level("INFO"):
        for _ in range(1000):
            audit.tell(BOB, said("stop"), REFUSED, acts=True)
            audit.tell_turned_away(BOB)
        assert len(caplog.messages) == REFUSALS + 1
        audit.tell(BOB, said("stop"), Success({}), acts=True)
        assert caplog.messages[-1].endswith("stop: ok")
        clock.advance(PERIOD)
        audit.tell(BOB, said("stop"), REFUSED, acts=True)
    assert len(caplog.messages) == REFUSALS + 3
