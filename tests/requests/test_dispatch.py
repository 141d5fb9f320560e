"""Whatever happens to a request becomes a reply, here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.request import REQUIRED, Request, prop
from cvec_circus_core.model.access import Caller, LocalUser, Rights, Stranger
from cvec_circus_core.model.errors import Conflict, Errno
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success

ADMIN = Caller(LocalUser(0), "user 'root'", Rights(everything=True, reading=True))
STRANGER = Caller(Stranger("gone"), "a stranger", Rights())


class BreakRequest(Request):
    """How to break."""

    how: str = prop(REQUIRED, "how")


class Break(Command):
    """Break in some way."""

    name = "break"
    request = BreakRequest

    async def execute(self, supervisor: Any, request: Any) -> Mapping[str, Any]:
        if request.how == "conflict":
            raise Conflict("another one wins")
        if request.how == "escapes":
            raise Conflict("\x1b[2J\nforged\x07")
        if request.how == "system":
            raise PermissionError(13, "Permission denied")
        if request.how == "bug":
            raise ZeroDivisionError("division by zero")
        if request.how == "memory":
            raise MemoryError
        if request.how == "thread":
            raise RuntimeError("can't start new thread")
        return {"how": request.how}


def ask(daemon: Any, caller: Caller, command: str, **properties: Any) -> Reply:
    dispatcher = daemon.dispatcher(**{"break": Break()})
    reply: Reply = asyncio.run(dispatcher.answer(RequestMessage(command, properties), caller))
    return reply


@pytest.mark.parametrize(
    ("how", "errno", "reason"),
    [
        ("conflict", Errno.COMMAND_ERROR, "another one wins"),
        ("system", Errno.OS_ERROR, "Permission denied"),
        ("escapes", Errno.COMMAND_ERROR, "\\x1b[2J\nforged\\x07"),
        ("bug", Errno.COMMAND_ERROR, "unexpected ZeroDivisionError: division by zero"),
        ("memory", Errno.OS_ERROR, "this daemon gets no more memory"),
        ("thread", Errno.OS_ERROR, "this daemon gets no more threads"),
        (3, Errno.MESSAGE_ERROR, "property 'how' is wrong"),
    ],
)
def test_an_error_becomes_a_reply(daemon: Any, how: Any, errno: Errno, reason: str) -> None:
    reply = ask(daemon, ADMIN, "break", how=how)
    assert isinstance(reply, Failure)
    assert (reply.errno, reason in reply.reason) == (errno, True)
    assert daemon.audited() == [("user 'root'", "break", "failed")]


def test_a_result_becomes_a_reply(daemon: Any) -> None:
    assert ask(daemon, ADMIN, "break", how="not") == Success({"how": "not"})


def test_a_missing_property_and_a_missing_command_are_told(daemon: Any) -> None:
    missing, unknown = ask(daemon, ADMIN, "break"), ask(daemon, ADMIN, "nonsense")
    assert isinstance(missing, Failure)
    assert isinstance(unknown, Failure)
    assert (missing.errno, unknown.errno) == (Errno.MESSAGE_ERROR, Errno.UNKNOWN_COMMAND)


@pytest.mark.parametrize("command", ["break", "list"])
def test_rights_come_before_the_form_of_a_request(daemon: Any, command: str) -> None:
    reply = ask(daemon, STRANGER, command)
    assert isinstance(reply, Failure)
    assert reply.errno == Errno.NOT_ALLOWED
