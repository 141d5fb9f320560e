"""A program that asks on behalf of a person: never with more rights than it has itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cvec_circus_core.control.codec import request_of
from cvec_circus_core.model.access import (
    INSIDE,
    Anybody,
    Caller,
    KeyHolder,
    LocalUser,
    PeerIdentity,
    Person,
    Rights,
    Role,
    SignedIn,
    Stranger,
)
from cvec_circus_core.model.errors import BadMessage, Errno
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success
from cvec_circus_core.requests.behalf import on_behalf

ALL = Rights(everything=True, reading=True)
READER = Rights(reading=True)
CONSOLE = Caller(LocalUser(0, 7), "user 'root'", ALL)
ANN, VIC = Person("ann", Role.OPERATOR), Person("vic", Role.VIEWER)


def asking(person: Person | None = None, plugin: str | None = None) -> RequestMessage:
    """Return a message that says who asks."""
    return RequestMessage("status", {}, person=person, plugin=plugin)


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (INSIDE, r"plugin flap\nping"),
        (Anybody("insecure"), "as before"),
        (LocalUser(0, 7), "as before"),
    ],
)
def test_a_plugin_is_believed_from_within_alone(identity: PeerIdentity, name: str) -> None:
    caller = on_behalf(Caller(identity, "as before", ALL), asking(plugin="flap\nping"))
    assert caller == Caller(identity, name, ALL)


@pytest.mark.parametrize(
    ("rights", "role", "expected"),
    [
        (ALL, Role.OPERATOR, ALL),
        (ALL, Role.VIEWER, READER),
        (ALL, Role.GUEST, Rights()),
        (READER, Role.OPERATOR, READER),
        (READER, Role.VIEWER, READER),
        (Rights(words=frozenset({"bob"})), Role.VIEWER, Rights()),
        (Rights(words=frozenset({"bob"})), Role.OPERATOR, Rights(words=frozenset({"bob"}))),
    ],
)
def test_a_person_may_what_both_may(rights: Rights, role: Role, expected: Rights) -> None:
    program = Caller(KeyHolder("k", "there"), "key 'k'", rights)
    caller = on_behalf(program, asking(Person("ann", role)))
    assert caller.rights == expected


def test_the_program_stays_known() -> None:
    identity = on_behalf(CONSOLE, asking(ANN)).identity
    assert identity == SignedIn(ANN, LocalUser(0, 7), "user 'root'")


@pytest.mark.parametrize(
    "caller",
    [
        Caller(Stranger("why"), "a stranger", Rights()),
        Caller(SignedIn(VIC, Anybody("here"), "x"), "person 'vic'", READER),
    ],
)
def test_no_person_hides_a_stranger_or_another_person(caller: Caller) -> None:
    assert on_behalf(caller, asking(ANN)) is caller


def answer(daemon: Any, command: str, person: Person | None, **properties: Any) -> Reply:
    message = RequestMessage(command, properties, person=person)
    reply: Reply = asyncio.run(daemon.dispatcher().answer(message, CONSOLE))
    return reply


def test_a_viewer_reads_and_does_not_act(daemon: Any) -> None:
    assert isinstance(answer(daemon, "status", VIC), Success)
    refusal = answer(daemon, "stop", VIC, name="web")
    assert isinstance(refusal, Failure)
    assert refusal.errno == Errno.NOT_ALLOWED
    assert refusal.reason == "person 'vic' may not use 'stop'; the role operator lets them"
    assert daemon.supervisor.watcher("web").view().status.value == "active"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.GUEST])
def test_a_command_for_operators_is_for_nobody_else(daemon: Any, role: Role) -> None:
    refusal = answer(daemon, "token", Person("vic", role), act="list")
    assert isinstance(refusal, Failure)
    assert refusal.errno == Errno.NOT_ALLOWED


def test_who_is_listed_at_a_watcher_has_no_token(daemon: Any) -> None:
    bob = Caller(KeyHolder("k", "there"), "key 'bob'", Rights(words=frozenset({"key:bob"})))
    for command, properties in (("token", {"act": "list"}), ("token", {"act": "add"})):
        message = RequestMessage(command, properties)
        refusal = asyncio.run(daemon.dispatcher().answer(message, bob))
        assert isinstance(refusal, Failure)
        assert refusal.errno == Errno.NOT_ALLOWED


def test_a_viewer_sees_no_secret(daemon: Any) -> None:
    reply = answer(daemon, "options", VIC, name="web")
    assert isinstance(reply, Success)
    assert reply.result["options"]["env"] == {"TOKEN": "***"}


def test_the_audit_names_the_person_and_the_program(
    daemon: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert isinstance(answer(daemon, "stop", ANN, name="web"), Success)
    assert "person 'ann' by user 'root' (uid 0, pid 7): stop name=web: ok" in caplog.text
    [facts] = [event.facts() for event in daemon.events if event.family == "audit"]
    assert facts["who"] == "person 'ann'"
    assert facts["person"] == "ann"
    assert facts["role"] == "operator"
    assert (facts["by"], facts["uid"], facts["pid"]) == ("user 'root'", 0, 7)


def test_a_name_with_control_characters_reaches_no_terminal(
    daemon: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    answer(daemon, "stop", Person("a\x1b[2J\nroot", Role.OPERATOR), name="web")
    assert "\x1b" not in caplog.text
    assert "\nroot" not in caplog.text
    [facts] = [event.facts() for event in daemon.events if event.family == "audit"]
    assert "\x1b" not in facts["who"] + facts["person"]


def test_many_names_do_not_fill_the_log(daemon: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for number in range(200):
        answer(daemon, "stop", Person(f"p{number}", Role.VIEWER), name="web")
    assert caplog.text.count("refused") < 60


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"name": "ann", "role": "operator"}, ANN),
        ({"name": "vic", "role": "viewer", "more": 1}, VIC),
        (None, None),
    ],
)
def test_a_message_may_name_a_person(person: object, expected: Person | None) -> None:
    assert request_of({"command": "x", "person": person}).person == expected


@pytest.mark.parametrize(
    "person",
    [
        *("ann", [], False, {}, {"name": "ann"}, {"name": "", "role": "viewer"}),
        {"name": "ann", "role": "root"},
        {"name": 1, "role": "viewer"},
        {"name": "a" * 129, "role": "viewer"},
    ],
)
def test_a_wrong_person_is_refused(person: object) -> None:
    with pytest.raises(BadMessage, match="'person' must have a name and a role"):
        request_of({"command": "x", "person": person})
