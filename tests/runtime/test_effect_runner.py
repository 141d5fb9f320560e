"""Effects become calls to the owner of processes, and its answers become inputs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest

from cvec_circus_core.model import events
from cvec_circus_core.model.launch import Stdio
from cvec_circus_core.model.outcome import Done, Outcome
from cvec_circus_core.model.readiness import NOTIFY
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.launch import SpawnEnvironment
from cvec_circus_core.policy.watcher.effects import (
    Effect,
    Emit,
    KillLeftovers,
    Listen,
    Reach,
    Settle,
    Signal,
    Spawn,
    Unlisten,
)
from cvec_circus_core.policy.watcher.inputs import (
    Exited,
    Input,
    SocketReady,
    Spawned,
    SpawnFailed,
    Swept,
    TicketId,
)
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.runtime.effect_runner import EffectRunner
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.process_notices import WatcherNotices
from cvec_circus_core.runtime.streams.watcher_streams import WatcherStreams
from cvec_circus_core.runtime.takeover_notes import TakeoverNotes
from cvec_circus_core.runtime.watcher_hooks import WatcherHooks
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.system.fakes import Behaviour, FakeClock, FakeProcesses
from cvec_circus_core.system.protocols import Scope
from tests.runtime.memory import in_memory

TERM = int(signal.SIGTERM)
PASSES = 5

later = pytest.mark.parametrize("answers_later", [False, True], ids=["at once", "later"])


class Runner:
    """An effect runner over fakes; what it posts and settles is written down."""

    def __init__(self, *, answers_later: bool = False, **options: Any) -> None:
        self.spec = WatcherSpec(**{"name": "web", "cmd": "serve", **options})
        self.clock = FakeClock()
        self.processes = FakeProcesses(self.clock, answers_later=answers_later)
        self.owner = FakeSocketOwner()
        self.sockets = ManagedSockets(self.owner)
        self.posted: list[Input] = []
        self.settled: list[tuple[TicketId, Outcome]] = []
        self.events: list[events.Event] = []
        loop = asyncio.get_running_loop()
        world = World(
            loop,
            self.clock,
            self.processes,
            FairQueue(self.clock, loop, lambda: 1),
            self.sockets,
            self.events.append,
            around=self._around,
            chance=lambda: 0.25,
        )
        notices = WatcherNotices(world, self.posted.append, self._spec)
        view: Any = None
        self.streams = WatcherStreams(world, self._spec, notices.on_output)
        self.runner = EffectRunner(
            world,
            self.posted.append,
            lambda ticket, outcome: self.settled.append((ticket, outcome)),
            self._spec,
            self.streams,
            notices,
            WatcherHooks(world, self.posted.append, self._spec, view),
            TakeoverNotes(WatcherState(self.spec), world.store, self.clock),
        )

    def _spec(self) -> WatcherSpec:
        return self.spec

    def _around(self) -> SpawnEnvironment:
        return SpawnEnvironment(sockets=self.sockets.names)

    async def perform(self, *effects: Effect) -> None:
        """Carry out effects, and let everything happen that needs no time."""
        for effect in effects:
            self.runner.perform(effect)
        await self.settle()

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(PASSES):
            await asyncio.sleep(0)
            self.processes.deliver()


@later
@in_memory
async def test_a_spawn_is_answered_by_its_pid(answers_later: bool) -> None:
    runner = Runner(answers_later=answers_later, close_child_stdout=True, close_child_stderr=True)
    await runner.perform(Spawn(3))
    assert runner.posted == [Spawned(3, 1000, 0.25)]
    assert runner.processes.plans[1000].argv == ("serve",)
    assert runner.processes.stdio[1000] == Stdio()


@pytest.mark.parametrize(
    ("text", "code", "is_in_use"),
    [
        (b"OSError: [Errno 98] Address already in use\n", 1, True),
        (b"Error: listen EADDRINUSE: :::80\n    at node\n", 1, True),
        (b"bind(): address in use", 1, True),
        (b"address already in use\n", 0, False),
        (b"EADDRINUSE\n" + 30 * b"other\n", 1, False),
        (b"no such module\n", 1, False),
    ],
)
@in_memory
async def test_an_end_says_whether_the_address_was_in_use(
    text: bytes, code: int, is_in_use: bool
) -> None:
    runner = Runner(close_child_stdout=True, close_child_stderr=True)
    await runner.perform(Spawn(1))
    recent = runner.streams._recent
    recent.note(recent.begin(1, 1000, "stderr"), text, 1000)
    runner.processes.crash(1000, code)
    await runner.settle()
    assert runner.posted[-1] == Exited(1000, code, address_in_use=is_in_use)


@later
@in_memory
async def test_a_spawn_that_fails_is_answered_by_the_reason(answers_later: bool) -> None:
    runner = Runner(answers_later=answers_later)
    runner.processes.behaviour = Behaviour(refuses="there is no such program")
    await runner.perform(Spawn(1), Spawn(2))
    assert runner.posted == [
        SpawnFailed(1, "there is no such program"),
        SpawnFailed(2, "there is no such program"),
    ]


@in_memory
async def test_what_can_not_be_planned_is_not_tried() -> None:
    runner = Runner(cmd="serve $(circus.sockets.gone)")
    await runner.perform(Spawn(1))
    assert runner.posted == [SpawnFailed(1, "the socket 'gone' is not there")]
    assert not runner.processes.plans


@later
@in_memory
async def test_the_plan_names_its_sockets(answers_later: bool) -> None:
    runner = Runner(answers_later=answers_later, cmd="serve $(circus.sockets.web)")
    runner.sockets.open(SocketSpec(name="web", port=0))
    await runner.perform(Spawn(1))
    plan = runner.processes.plans[1000]
    assert plan.sockets == ("web",)
    assert plan.with_numbers(runner.sockets.numbers).argv == ("serve", "10")


@later
@in_memory
async def test_a_notify_socket_goes_with_a_failed_spawn(answers_later: bool) -> None:
    runner = Runner(answers_later=answers_later, ready=NOTIFY)
    runner.processes.behaviour = Behaviour(refuses="no")
    await runner.perform(Spawn(1))
    runner.processes.behaviour = Behaviour()
    await runner.perform(Spawn(1))
    address = runner.processes.plans[1000].env["NOTIFY_SOCKET"]
    assert address.startswith("@cvec-circus/notify/")
    runner.processes.crash(1000)
    await runner.settle()
    assert runner.posted[-1] == Exited(1000, 1)


@later
@in_memory
async def test_an_end_is_posted_once_after_its_spawn(answers_later: bool) -> None:
    runner = Runner(answers_later=answers_later)
    runner.processes.behave = lambda plan: Behaviour(exits_after=0.0, code=7, leaves=1)
    await runner.perform(Spawn(1))
    assert runner.posted == [Spawned(1, 1000, 0.25), Exited(1000, 7, left_behind=True)]


@pytest.mark.parametrize(
    ("reach", "scope"),
    [
        (Reach.PROCESS, Scope.PROCESS),
        (Reach.CHILDREN, Scope.FAMILY),
        (Reach.TREE, Scope.TREE),
    ],
)
@pytest.mark.parametrize("asks_to_go", [False, True])
@in_memory
async def test_a_signal_goes_as_far_as_it_should(
    reach: Reach, scope: Scope, asks_to_go: bool
) -> None:
    runner = Runner()
    await runner.perform(Spawn(1), Signal(1000, TERM, reach, asks_to_go))
    assert runner.processes.signals == []  # the process was not there yet: nobody got it
    await runner.perform(Signal(1000, TERM, reach, asks_to_go))
    assert runner.processes.signals == [(1000, TERM, scope)]


@later
@in_memory
async def test_who_serves_a_socket_is_asked_to_go_when_idle(answers_later: bool) -> None:
    runner = Runner(answers_later=answers_later, cmd="serve $(circus.sockets.web)")
    runner.sockets.open(SocketSpec(name="web", port=0))
    patience: list[float] = []
    send: Callable[..., None] = runner.processes.signal_when_idle

    def signal_when_idle(*arguments: Any) -> None:
        patience.append(arguments[4])
        send(*arguments)

    runner.processes.signal_when_idle = signal_when_idle  # type: ignore[method-assign,assignment]
    await runner.perform(Spawn(1))
    await runner.perform(Signal(1000, TERM, Reach.PROCESS, asks_to_go=True))
    assert patience == [runner.spec.finish_timeout]
    assert runner.processes.signals == [(1000, TERM, Scope.PROCESS)]


@later
def test_a_refused_signal_is_told(answers_later: bool, caplog: pytest.LogCaptureFixture) -> None:
    @in_memory
    async def test() -> None:
        runner = Runner(answers_later=answers_later)
        runner.processes.behaviour = Behaviour(forbids=frozenset({TERM}))
        await runner.perform(Spawn(1))
        await runner.perform(Signal(1000, TERM, Reach.PROCESS))
        assert runner.processes.alive() == {1000}

    test()
    assert "watcher web: process 1000 belongs to another user" in caplog.messages


@in_memory
async def test_leftovers_are_stopped_and_told() -> None:
    runner = Runner()
    runner.processes.behaviour = Behaviour(leaves_stubborn=1)
    await runner.perform(Spawn(1))
    runner.processes.crash(1000)
    await runner.perform(KillLeftovers(1000, TERM, 5.0))
    assert Swept(1000) not in runner.posted
    runner.clock.advance(5.0)
    await runner.settle()
    assert runner.posted[-1] == Swept(1000)


@in_memory
async def test_a_connection_is_told_once_and_not_after_the_end_of_listening() -> None:
    runner = Runner(sockets=("web",))
    runner.sockets.open(SocketSpec(name="web", port=0))
    await runner.perform(Listen())
    runner.owner.connect("web")
    runner.owner.connect("web")
    assert runner.posted == [SocketReady()]
    await runner.perform(Listen(), Unlisten())
    runner.owner.connect("web")
    assert runner.posted == [SocketReady()]


@in_memory
async def test_events_are_told_and_tickets_settled() -> None:
    runner = Runner()
    started = events.WatcherStarted("web")
    await runner.perform(Emit(started), Settle(TicketId(4), Done()))
    assert runner.events == [started]
    assert runner.settled == [(TicketId(4), Done())]
