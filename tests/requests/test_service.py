"""The port `answer(message, caller)` in memory: limits, order, casts, audit. No wire anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cvec_circus_core.extend.command import Command
from cvec_circus_core.model.access import Caller, LocalUser, Rights
from cvec_circus_core.model.errors import Errno
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success
from cvec_circus_core.requests.rate_limits import (
    ASKED_A_SECOND,
    LONGEST_OF_OTHERS,
    OPEN_OF_ONE,
    Admission,
)
from cvec_circus_core.requests.service import RequestService

ADMIN = Caller(LocalUser(0), "user 'root'", Rights(everything=True, reading=True))
VIEWER = Caller(LocalUser(1002), "user 'eve'", Rights(reading=True))
BOB = Caller(LocalUser(1001), "user 'bob'", Rights(words=frozenset({"bob"})))


class Slow(Command):
    """Wait until it is released."""

    name = "slow"
    acts = False

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def execute(self, supervisor: Any, request: Any) -> Mapping[str, Any]:
        await self.release.wait()
        return {"slow": True}


class Prompt(Command):
    """Answer at once."""

    name = "prompt"
    acts = False
    prompt = True

    async def execute(self, supervisor: Any, request: Any) -> Mapping[str, Any]:
        return {"prompt": True}


def message(command: str, *, cast: bool = False, **properties: Any) -> RequestMessage:
    return RequestMessage(command, properties, "id", cast)


def serve(daemon: Any, scene: Callable[[RequestService], Any], **commands: Command) -> Any:
    """Run a scene with the service in a loop, and return what it returns."""

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        service = RequestService(daemon.dispatcher(**commands), daemon.clock, loop)
        result = await scene(service)
        service.close()
        return result

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("caller", "request_", "reply"),
    [
        (ADMIN, message("numwatchers"), {"numwatchers": 2}),
        (VIEWER, message("numwatchers"), {"numwatchers": 2}),
        (VIEWER, message("stop", name="web"), Errno.NOT_ALLOWED),
        (BOB, message("stop", name="web"), {}),
        (BOB, message("stop", name="db"), Errno.NOT_ALLOWED),
        (BOB, message("set", name="web", options={"cmd": "id"}), Errno.NOT_ALLOWED),
        (ADMIN, message("nonsense"), Errno.UNKNOWN_COMMAND),
        (ADMIN, message("stop", name=3), Errno.MESSAGE_ERROR),
    ],
)
def test_an_answer(daemon: Any, caller: Caller, request_: RequestMessage, reply: Any) -> None:
    async def scene(service: RequestService) -> Reply:
        return await service.answer(request_, caller)

    answer = serve(daemon, scene)
    if isinstance(answer, Failure):
        assert answer.errno == reply
    else:
        assert answer.result == reply


def test_acts_and_refusals_are_audited_and_looks_are_not(daemon: Any) -> None:
    async def scene(service: RequestService) -> None:
        await service.answer(message("list"), VIEWER)
        await service.answer(message("stop", name="web"), BOB)
        await service.answer(message("quit"), BOB)

    serve(daemon, scene)
    assert daemon.audited() == [("user 'bob'", "stop", "ok"), ("user 'bob'", "quit", "refused")]
    assert daemon.supervisor.said == ["stop web"]


def test_who_asks_too_often_is_refused_until_time_has_passed(daemon: Any) -> None:
    async def scene(service: RequestService) -> list[Reply]:
        replies = [await service.answer(message("list"), VIEWER) for _ in range(ASKED_A_SECOND + 1)]
        daemon.clock.advance(1.0)
        return [*replies, await service.answer(message("list"), VIEWER)]

    *welcome, refused, again = serve(daemon, scene)
    assert all(isinstance(reply, Success) for reply in (*welcome, again))
    assert isinstance(refused, Failure)
    assert refused.errno == Errno.COMMAND_ERROR
    assert "200 times a second" in refused.reason


def test_a_large_message_is_refused_unless_the_caller_may_do_everything(daemon: Any) -> None:
    async def scene(service: RequestService) -> list[Reply]:
        size = LONGEST_OF_OTHERS + 1
        return [
            await service.answer(message("list"), caller, size=size) for caller in (VIEWER, ADMIN)
        ]

    refused, welcome = serve(daemon, scene)
    assert isinstance(refused, Failure)
    assert isinstance(welcome, Success)


def test_requests_that_wait_are_bounded_and_their_places_come_back(daemon: Any) -> None:
    async def scene(service: RequestService) -> list[Reply]:
        slow = daemon.slow
        waiting = [
            asyncio.ensure_future(service.answer(message("slow"), ADMIN))
            for _ in range(OPEN_OF_ONE)
        ]
        await asyncio.sleep(0)
        refused = await service.answer(message("slow"), ADMIN)
        slow.release.set()
        await asyncio.gather(*waiting)
        return [refused, await service.answer(message("slow"), ADMIN)]

    async def with_slow(service: RequestService) -> list[Reply]:
        return await scene(service)

    daemon.slow = Slow()
    refused, welcome = serve(daemon, with_slow, slow=daemon.slow)
    assert isinstance(refused, Failure)
    assert str(OPEN_OF_ONE) in refused.reason
    assert welcome == Success({"slow": True})


def test_a_prompt_request_does_not_overtake_what_came_before(daemon: Any) -> None:
    async def scene(service: RequestService) -> list[object]:
        order: list[object] = []

        def begin(command: str) -> None:
            assert service.count(ADMIN) is Admission.WELCOME
            service.begin(message(command), ADMIN, b"1", order.append)

        begin("prompt")
        at_once = len(order)
        begin("list")
        begin("prompt")
        await service.wait_answered(5.0)
        return [at_once, *(sorted(reply.result) for reply in order)]  # type: ignore[attr-defined]

    assert serve(daemon, scene, prompt=Prompt()) == [1, ["prompt"], ["watchers"], ["prompt"]]


def test_a_cast_is_run_audited_and_not_replied_to(
    daemon: Any, caplog: pytest.LogCaptureFixture
) -> None:
    replies: list[Reply] = []

    async def scene(service: RequestService) -> None:
        for name in ("web", "db"):
            service.begin(message("stop", cast=True, name=name), BOB, b"1", replies.append)
        await service.wait_answered(5.0)

    serve(daemon, scene)
    assert replies == []
    assert [outcome for _, _, outcome in daemon.audited()] == ["ok", "refused"]
    assert sum("cast stop was refused" in line for line in caplog.messages) == 1


def test_what_waits_is_cancelled_at_the_end(daemon: Any) -> None:
    replies: list[Reply] = []

    async def scene(service: RequestService) -> int:
        service.begin(message("slow"), ADMIN, b"1", replies.append)
        await service.wait_answered(0.01)
        service.close()
        await asyncio.sleep(0)
        await service.wait_answered(5.0)
        return len(replies)

    assert serve(daemon, scene, slow=Slow()) == 0
