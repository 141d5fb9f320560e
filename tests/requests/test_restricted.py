"""The daemon as callers with limits see it, through real commands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.registry import load_commands
from cvec_circus_core.model.access import (
    Caller,
    LocalUser,
    NotAllowed,
    Rights,
    Stranger,
)
from cvec_circus_core.model.errors import Errno, UnknownWatcher
from cvec_circus_core.requests.admission import admitted
from cvec_circus_core.requests.properties import convert
from cvec_circus_core.testing import FakeSupervisor, FakeWatcher

BOB = LocalUser(1001)
COMMANDS: Mapping[str, Command] = load_commands()

ADMIN = Caller(BOB, "user 'bob'", Rights(everything=True, reading=True))
VIEWER = Caller(BOB, "user 'bob'", Rights(reading=True))
OPERATOR = Caller(BOB, "user 'bob'", Rights(words=frozenset({"bob"})))
BOTH = Caller(BOB, "user 'bob'", Rights(reading=True, words=frozenset({"bob"})))
NOBODY = Caller(BOB, "user 'bob'", Rights())
STRANGER = Caller(Stranger("the connection was closed too soon"), "a stranger", Rights())


def daemon() -> FakeSupervisor:
    """Return a daemon of which one watcher lists bob."""
    web = FakeWatcher("web", allow_users=["bob"], env={"TOKEN": "secret"}).up()
    return FakeSupervisor(web, FakeWatcher("db", env={"TOKEN": "secret"}).up())


def run(caller: Caller, what: str, /, **properties: Any) -> Mapping[str, Any]:
    """Run a command for a caller. Raises `CircusError`."""
    command = COMMANDS[what]
    supervisor = admitted(daemon(), caller, command)
    return asyncio.run(command.execute(supervisor, convert(command.request, properties)))


@pytest.mark.parametrize(
    ("caller", "watchers"),
    [(ADMIN, ["db", "web"]), (VIEWER, ["db", "web"]), (BOTH, ["db", "web"]), (OPERATOR, ["web"])],
)
def test_callers_see_what_they_may_see(caller: Caller, watchers: list[str]) -> None:
    assert run(caller, "list")["watchers"] == watchers


@pytest.mark.parametrize("name", sorted(COMMANDS))
@pytest.mark.parametrize("caller", [NOBODY, STRANGER], ids=["nobody", "stranger"])
def test_who_may_nothing_may_not_even_ask(caller: Caller, name: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        run(caller, name, name=3, nonsense=True)
    assert refused.value.errno is Errno.NOT_ALLOWED


@pytest.mark.parametrize("name", sorted(name for name, one in COMMANDS.items() if one.acts))
def test_viewers_act_on_nothing(name: str) -> None:
    with pytest.raises(NotAllowed):
        run(VIEWER, name, name="web")


@pytest.mark.parametrize("caller", [VIEWER, OPERATOR, BOTH])
def test_values_of_env_are_for_those_who_may_do_everything(caller: Caller) -> None:
    assert run(caller, "options", name="web")["options"]["env"] == {"TOKEN": "***"}
    assert run(caller, "get", name="web", keys=["env"])["options"]["env"] == {"TOKEN": "***"}
    with pytest.raises(NotAllowed):
        run(caller, "env", name="web")
    assert run(ADMIN, "get", name="web", keys=["env"])["options"]["env"] == {"TOKEN": "secret"}


@pytest.mark.parametrize(
    ("caller", "name", "properties", "sentence"),
    [
        (NOBODY, "stop", {}, "user 'bob' may not use 'stop'; allow_users in [circus] lets them"),
        (NOBODY, "list", {}, "user 'bob' may not use 'list'; viewers in [circus] lets them"),
        (
            BOTH,
            "stop",
            {"name": "db"},
            "user 'bob' may not use 'stop' on db; allow_users in [watcher:db] or [circus] lets",
        ),
        (
            OPERATOR,
            "set",
            {"name": "web", "options": {"cmd": "id"}},
            "user 'bob' may not use 'set'; ",
        ),
        (STRANGER, "list", {}, "who calls can not be told (the connection was closed too soon)"),
    ],
)
def test_a_refusal_tells_what_would_help(
    caller: Caller, name: str, properties: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(NotAllowed) as refused:
        run(caller, name, **properties)
    assert refused.value.reason.startswith(sentence)


def test_a_watcher_that_is_hidden_is_like_one_that_is_not_there() -> None:
    sentences = set()
    for name in ("db", "nope"):
        with pytest.raises(UnknownWatcher) as refused:
            run(OPERATOR, "status", name=name)
        assert isinstance(refused.value, NotAllowed)
        sentences.add(refused.value.reason)
    assert len(sentences) == 1
    with pytest.raises(UnknownWatcher) as unknown:
        run(VIEWER, "status", name="nope")
    assert not isinstance(unknown.value, NotAllowed)


def test_a_pattern_that_means_one_of_others_does_nothing() -> None:
    fake = daemon()
    stop = COMMANDS["stop"]
    supervisor = admitted(fake, OPERATOR, stop)
    with pytest.raises(NotAllowed):
        asyncio.run(stop.execute(supervisor, convert(stop.request, {"name": "*"})))
    assert fake.said == []
    asyncio.run(stop.execute(supervisor, convert(stop.request, {"name": "w*"})))
    assert fake.said == ["stop web"]


def test_a_command_that_says_it_reads_can_not_act() -> None:
    class Liar(Command):
        """Claim to read, and stop something."""

        name = "liar"
        acts = False

        async def execute(self, supervisor: Any, request: Any) -> Mapping[str, Any]:
            supervisor.watcher("web").stop()
            return {}

    for caller in (VIEWER, OPERATOR, BOTH):
        with pytest.raises(NotAllowed):
            asyncio.run(Liar().execute(admitted(daemon(), caller, Liar()), None))
