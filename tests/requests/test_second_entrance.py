"""A second entrance: lines of JSON on a Unix stream socket, where callers sign in by a key.

It stands for whatever comes in beside ZeroMQ later. All that it shares with the control endpoint is
the port `answer(message, caller)`; who a caller is, it finds out by itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.model.access import Caller, KeyHolder, KnownKey, Role
from cvec_circus_core.model.errors import Errno
from cvec_circus_core.model.messages import Reply, RequestMessage, Success
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.requests.authorizer import Authorizer
from cvec_circus_core.requests.rate_limits import ASKED_A_SECOND, LONGEST_OF_OTHERS
from cvec_circus_core.requests.service import RequestPort, RequestService

PEOPLE = {"k-ann": Role.OPERATOR, "k-eve": Role.VIEWER, "k-bob": Role.GUEST}
KEYS = {key: KnownKey(key.removeprefix("k-"), role, key) for key, role in PEOPLE.items()}
OWN_UID = 4242


class LineEntrance:
    """Turns lines into messages and replies into lines; the first line of a connection signs in."""

    def __init__(self, requests: RequestPort, authorizer: Authorizer) -> None:
        self._requests = requests
        self._authorizer = authorizer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        key = (await reader.readline()).decode().strip()
        caller = self._authorizer(KeyHolder(key, "unix"))
        while line := await reader.readline():
            body = await self._answer(line, caller)
            writer.write(json.dumps(body).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _answer(self, line: bytes, caller: Caller) -> dict[str, Any]:
        words = json.loads(line)
        message = RequestMessage(words["do"], words.get("with", {}))
        return _body(await self._requests.answer(message, caller, size=len(line)))


def _body(reply: Reply) -> dict[str, Any]:
    if isinstance(reply, Success):
        return {"good": True, **reply.result}
    return {"good": False, "errno": int(reply.errno), "why": reply.reason}


class Session:
    """One connection of somebody who has signed in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def ask(self, command: str, **properties: Any) -> dict[str, Any]:
        """Return the answer to one request."""
        self.writer.write(json.dumps({"do": command, "with": properties}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self._reader.readline())
        return answer


Connect = Callable[[str], Coroutine[Any, Any, Session]]


def through_the_entrance(
    daemon: Any, folder: Path, scene: Callable[[Connect], Coroutine[Any, Any, None]]
) -> None:
    """Run a scene of clients against the daemon behind the entrance."""

    async def run() -> None:
        service = RequestService(daemon.dispatcher(), daemon.clock, asyncio.get_running_loop())
        authorizer = Authorizer(ArbiterSpec, OWN_UID, daemon.clock)
        authorizer.keys = KEYS
        path = str(folder / "entrance")
        entrance = LineEntrance(service, authorizer)
        sessions: list[Session] = []

        async def connect(key: str) -> Session:
            reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
            writer.write(key.encode() + b"\n")
            sessions.append(Session(reader, writer))
            return sessions[-1]

        async with await asyncio.start_unix_server(entrance.serve, path, limit=1 << 20):
            async with asyncio.timeout(20):
                await scene(connect)
            for session in sessions:
                session.writer.close()
                await session.writer.wait_closed()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("key", "command", "properties", "answer"),
    [
        ("k-ann", "list", {}, {"watchers": ["db", "web"]}),
        ("k-eve", "list", {}, {"watchers": ["db", "web"]}),
        ("k-bob", "list", {}, {"watchers": ["web"]}),
        ("k-ann", "stop", {"name": "db"}, {}),
        ("k-bob", "stop", {"name": "web"}, {}),
        ("k-eve", "stop", {"name": "web"}, "circusctl authorize --role operator lets them"),
        ("k-bob", "stop", {"name": "db"}, "circusctl authorize --role operator lets them"),
        ("k-bob", "quit", {}, "circusctl authorize --role operator lets them"),
        ("k-zoe", "list", {}, "an unknown key may not use 'list'"),
    ],
)
def test_roles_hold_at_the_second_entrance(
    daemon: Any, tmp_path: Path, key: str, command: str, properties: dict[str, Any], answer: Any
) -> None:
    async def scene(connect: Connect) -> None:
        reply = await (await connect(key)).ask(command, **properties)
        if isinstance(answer, str):
            assert not reply["good"]
            assert reply["errno"] == Errno.NOT_ALLOWED
            assert answer in reply["why"]
            assert daemon.supervisor.said == []
            assert daemon.audited()[-1][1:] == (command, "refused")
        else:
            assert reply == {"good": True, **answer}

    through_the_entrance(daemon, tmp_path, scene)


def test_what_is_done_there_is_audited_under_the_name_of_who_signed_in(
    daemon: Any, tmp_path: Path
) -> None:
    async def scene(connect: Connect) -> None:
        ann, bob = await connect("k-ann"), await connect("k-bob")
        await ann.ask("set", name="db", options={"numprocesses": 3})
        await bob.ask("restart", name="web")
        await bob.ask("set", name="web", options={"cmd": "id"})
        secret = await bob.ask("get", name="web", keys=["env"])
        assert secret["options"]["env"] == {"TOKEN": "***"}

    through_the_entrance(daemon, tmp_path, scene)
    assert daemon.audited() == [
        ("key 'ann'", "set", "ok"),
        ("key 'bob'", "restart", "ok"),
        ("key 'bob'", "set", "refused"),
    ]
    assert all(event.facts()["address"] == "unix" for event in daemon.events)


def test_rate_limits_hold_at_the_second_entrance(daemon: Any, tmp_path: Path) -> None:
    async def scene(connect: Connect) -> None:
        eve, again, ann = [await connect(key) for key in ("k-eve", "k-eve", "k-ann")]
        answers = [await eve.ask("list") for _ in range(ASKED_A_SECOND)]
        assert all(answer["good"] for answer in answers)
        refused = await again.ask("list")
        assert not refused["good"]
        assert "times a second" in refused["why"]
        assert (await ann.ask("list"))["good"], "others are not held up"
        daemon.clock.advance(1.0)
        assert (await eve.ask("list"))["good"]
        large = await eve.ask("list", padding="x" * LONGEST_OF_OTHERS)
        assert "bytes in a request" in large["why"]

    through_the_entrance(daemon, tmp_path, scene)
