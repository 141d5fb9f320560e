"""The operator's hooks of one watcher: who is asked, who is told, and what an answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.hook_specs import HookSpec
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.watcher.effects import AskHook
from cvec_circus_core.policy.watcher.inputs import HookAnswered, Input
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.hook_views import HookWatcher
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.watcher_hooks import WatcherHooks
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.system.fakes import FakeClock, FakeProcesses
from tests.runtime.memory import in_memory

LIMIT = 10.0
"""Seconds after which a test has failed."""
REAPED = events.ProcessReaped("Web", 1, 7, 3, ExitReason.EXITED)

Hook = Callable[..., object]


class Scene:
    """The hooks of one watcher, and what they did."""

    def __init__(self, hooks: Mapping[str, Hook], *, ignore_failure: bool = False) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[Input] = []
        self.events: list[events.Event] = []
        specs = {name: HookSpec(self._noting(hook), ignore_failure) for name, hook in hooks.items()}
        self.spec = WatcherSpec(name="Web", cmd="web", hooks=specs)
        loop, clock = asyncio.get_running_loop(), FakeClock()
        world = World(
            loop,
            clock,
            FakeProcesses(clock),
            FairQueue(clock, loop, lambda: 1),
            ManagedSockets(FakeSocketOwner()),
            self.events.append,
        )
        actor: Any = None
        watcher = HookWatcher(actor, world, "Web")
        self.hooks = WatcherHooks(world, self.answers.append, lambda: self.spec, watcher)

    def _noting(self, hook: Hook) -> Hook:
        def call(watcher: object, arbiter: object, hook_name: str, **arguments: Any) -> object:
            self.calls.append((hook_name, arguments))
            return hook()

        return call

    async def rest(self) -> None:
        """Wait until every hook has been called."""
        async with asyncio.timeout(LIMIT):
            await self.hooks.wait_done()

    async def asks(self, name: str, pid: int | None = None) -> HookAnswered:
        """Ask one hook; return the answer."""
        self.hooks.ask(AskHook(name, 5, 1, pid))
        await self.rest()
        (answer,) = self.answers
        assert isinstance(answer, HookAnswered)
        assert (answer.serial, answer.wid) == (5, 1)
        return answer


def fails() -> None:
    """Fail."""
    raise KeyError("gone")


@pytest.mark.parametrize(
    ("name", "hook", "allowed", "why"),
    [
        ("before_start", lambda: True, True, ""),
        ("before_start", lambda: None, True, ""),
        ("before_start", lambda: 0, True, ""),
        ("before_start", lambda: False, False, "before_start said no"),
        ("before_spawn", fails, False, "KeyError: 'gone'"),
        ("before_stop", lambda: False, True, ""),
        ("other", fails, True, ""),
    ],
    ids=["true", "none", "zero", "false", "fails", "does not decide", "not there"],
)
@in_memory
async def test_only_an_explicit_no_and_a_failure_refuse(
    name: str, hook: Hook, allowed: bool, why: str
) -> None:
    scene = Scene({} if name == "other" else {name: hook})
    answer = await scene.asks(name)
    assert answer.allowed is allowed
    assert why in answer.why


@in_memory
async def test_a_failure_may_be_ignored() -> None:
    scene = Scene({"before_start": fails}, ignore_failure=True)
    assert (await scene.asks("before_start")).allowed
    assert [type(event) for event in scene.events] == [events.HookFailed]


@in_memory
async def test_a_question_about_a_process_names_it() -> None:
    scene = Scene({"after_spawn": lambda: True})
    await scene.asks("after_spawn", pid=7)
    assert scene.calls == [("after_spawn", {"pid": 7})]
    assert [type(event) for event in scene.events] == [events.HookSucceeded]


@in_memory
async def test_a_death_is_told_before_and_after_in_order() -> None:
    scene = Scene({"before_reap": lambda: True, "after_reap": lambda: True})
    scene.hooks.tell(REAPED)
    scene.hooks.tell(REAPED)
    await scene.rest()
    assert [name for name, _ in scene.calls] == ["before_reap", "after_reap"] * 2
    assert scene.calls[1][1]["exit_code"] == 3


@in_memory
async def test_no_hook_no_call() -> None:
    scene = Scene({})
    scene.hooks.tell(REAPED)
    assert scene.hooks.around_signal(7, 15, lambda: None)
    assert await scene.hooks.extended_stats({"pid": 7}) == {"pid": 7}
    assert scene.calls == []


@pytest.mark.parametrize(
    ("signum", "hook", "is_sent", "calls"),
    [
        (15, lambda: True, True, ["before_signal", "after_signal"]),
        (15, lambda: False, False, ["before_signal"]),
        (15, fails, True, ["before_signal", "after_signal"]),
        (9, lambda: False, True, ["before_signal", "after_signal"]),
    ],
    ids=["yes", "no", "a failure is no veto", "SIGKILL asks nobody"],
)
@in_memory
async def test_a_signal(signum: int, hook: Hook, is_sent: bool, calls: list[str]) -> None:
    scene = Scene({"before_signal": hook, "after_signal": lambda: True})
    sent: list[int] = []
    was_at_once = scene.hooks.around_signal(7, signum, lambda: sent.append(signum))
    assert was_at_once is (signum == 9)
    await scene.rest()
    assert bool(sent) is is_sent
    assert [name for name, _ in scene.calls] == calls


@in_memory
async def test_statistics_are_what_the_hook_made_of_them() -> None:
    scene = Scene({})

    def more(stats: dict[str, Any], **_: object) -> None:
        stats["requests"] = 5

    scene.spec = WatcherSpec(name="Web", cmd="web", hooks={"extended_stats": HookSpec(more)})
    assert await scene.hooks.extended_stats({"pid": 7}) == {"pid": 7, "requests": 5}
    scene.spec = WatcherSpec(
        name="Web", cmd="web", hooks={"extended_stats": HookSpec(lambda **_: fails())}
    )
    assert await scene.hooks.extended_stats({"pid": 7}) == {"pid": 7}


@in_memory
async def test_what_is_abandoned_answers_nothing() -> None:
    async def hangs() -> None:
        await asyncio.sleep(1000)

    scene = Scene({})
    spec = HookSpec(lambda **_: hangs())
    scene.spec = WatcherSpec(name="Web", cmd="web", hooks={"before_start": spec})
    scene.hooks.ask(AskHook("before_start", 5))
    await asyncio.sleep(0)
    scene.hooks.abandon()
    await scene.rest()
    assert scene.answers == []


@in_memory
async def test_one_that_takes_too_long_has_failed() -> None:
    async def hangs() -> None:
        await asyncio.sleep(1000)

    scene = Scene({})
    spec = HookSpec(lambda **_: hangs())
    scene.spec = WatcherSpec(name="Web", cmd="web", hooks={"before_start": spec}, hook_timeout=0.01)
    answer = await scene.asks("before_start")
    assert (answer.allowed, "no answer in 0.01 s" in answer.why) == (False, True)
