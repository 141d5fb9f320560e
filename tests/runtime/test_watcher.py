"""One watcher at run time: wishes in, effects carried out in order, tickets settled, views out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cvec_circus_core.extend.ports import SignalSelection
from cvec_circus_core.model import events
from cvec_circus_core.model.errors import BadMessage, Conflict, UnknownProcess
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.model.readiness import SPAWNED
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.arbiter.inputs import Became, Troubled
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.policy.watcher.spec_change import changed
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.tickets import TicketFuture
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.watcher_inbox import MOST_TICKETS, News
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.system.fakes import Behaviour, FakeClock, FakeProcesses
from cvec_circus_core.system.protocols import Scope
from tests.runtime.memory import in_memory

TERM, KILL = 15, 9


class Scene:
    """One watcher over fakes, and what it told."""

    def __init__(self, *, answers_later: bool = False, **options: Any) -> None:
        self.clock = FakeClock()
        self.processes = FakeProcesses(self.clock, answers_later=answers_later)
        self.events: list[events.Event] = []
        self.news: list[News] = []
        loop = asyncio.get_running_loop()
        turns = FairQueue(self.clock, loop, lambda: 1)
        sockets = ManagedSockets(FakeSocketOwner())
        world = World(loop, self.clock, self.processes, turns, sockets, self.events.append)
        spec = WatcherSpec(
            **{"name": "Web", "cmd": "web", "ready": SPAWNED, "settle": 0.0, **options}
        )
        self.actor = WatcherActor(spec, world)
        self.actor.inbox.listener = self.news.append

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(30):
            await asyncio.sleep(0)
            self.processes.deliver()

    async def passes(self, seconds: float) -> None:
        """Let time pass."""
        await self.settle()
        self.clock.advance(seconds)
        await self.settle()

    async def up(self) -> list[int]:
        """Start the watcher; return the pids."""
        self.actor.start()
        await self.settle()
        return self.pids

    @property
    def pids(self) -> list[int]:
        """The pids that readers see."""
        return [process.pid for process in self.actor.view().processes]

    def kinds(self) -> list[str]:
        """Name the events so far, and forget them."""
        names = [type(event).__name__ for event in self.events]
        self.events.clear()
        return names


async def refusal(ticket: TicketFuture) -> str:
    """Return why a ticket is not kept."""
    outcome = ticket.outcome()
    assert isinstance(outcome, Failed)
    return str(outcome.error)


@in_memory
async def test_a_start_spawns_and_tells_who_was_started() -> None:
    scene = Scene(numprocesses=2)
    ticket = scene.actor.start()
    assert scene.actor.view().status is WatcherStatus.STARTING, "a reader sees the wish at once"
    await scene.settle()
    assert ticket.outcome() == Done(started=(1000, 1001), numprocesses=2)
    assert scene.actor.view().status is WatcherStatus.ACTIVE
    assert scene.kinds() == ["ProcessSpawned", "ProcessSpawned", "WatcherStarted"]


@in_memory
async def test_the_same_where_spawns_are_answered_later() -> None:
    scene = Scene(answers_later=True, numprocesses=2)
    assert await scene.up() == [1000, 1001]
    ticket = scene.actor.stop()
    await scene.settle()
    assert ticket.outcome() == Done(stopped=(1000, 1001), numprocesses=2)
    assert scene.processes.alive() == frozenset()


@in_memory
async def test_a_death_is_answered_by_another_process() -> None:
    scene = Scene()
    (pid,) = await scene.up()
    scene.kinds()
    scene.processes.crash(pid)
    await scene.settle()
    assert scene.kinds() == ["ProcessReaped", "ProcessSpawned"]
    assert scene.pids == [pid + 1]
    assert scene.actor.view().health.restarts == 1


@in_memory
async def test_one_that_stays_is_killed_when_its_grace_is_over() -> None:
    scene = Scene(graceful_timeout=5.0)
    scene.processes.behaviour = Behaviour(ignores=frozenset({TERM}))
    (pid,) = await scene.up()
    ticket = scene.actor.stop()
    await scene.passes(4.9)
    assert not ticket.is_settled()
    await scene.passes(0.2)
    assert [signum for _, signum, _ in scene.processes.signals] == [TERM, KILL]
    assert ticket.outcome() == Done(stopped=(pid,), numprocesses=1)


@in_memory
async def test_haste_waits_for_no_grace() -> None:
    scene = Scene(graceful_timeout=500.0)
    scene.processes.behaviour = Behaviour(ignores=frozenset({TERM}))
    await scene.up()
    ticket = scene.actor.stop()
    await scene.settle()
    scene.actor.hasten()
    await scene.settle()
    assert ticket.is_settled()
    assert scene.processes.alive() == frozenset()


@in_memory
async def test_a_restart_is_a_stop_and_a_start() -> None:
    scene = Scene()
    (pid,) = await scene.up()
    scene.kinds()
    ticket = scene.actor.restart()
    await scene.settle()
    assert ticket.outcome() == Done(stopped=(pid,), started=(pid + 1,), numprocesses=1)
    assert scene.kinds() == [
        "ProcessSignalled",
        "ProcessReaped",
        "WatcherStopped",
        "ProcessSpawned",
        "WatcherStarted",
    ]


@in_memory
async def test_a_reload_starts_the_new_one_first() -> None:
    scene = Scene()
    (pid,) = await scene.up()
    scene.kinds()
    ticket = scene.actor.reload()
    await scene.settle()
    assert ticket.outcome() == Done(stopped=(pid,), started=(pid + 1,), numprocesses=1)
    assert scene.kinds()[:2] == ["ProcessSpawned", "ProcessSignalled"]


@in_memory
async def test_a_reload_of_one_that_is_down_starts_it() -> None:
    scene = Scene()
    ticket = scene.actor.reload()
    await scene.settle()
    assert ticket.outcome() == Done(started=(1000,), numprocesses=1)


@in_memory
async def test_a_reload_by_sighup_keeps_the_processes() -> None:
    scene = Scene(send_hup=True)
    scene.processes.behaviour = Behaviour(ignores=frozenset({1}))
    (pid,) = await scene.up()
    ticket = scene.actor.reload()
    await scene.settle()
    assert scene.processes.signals == [(pid, 1, Scope.PROCESS)]
    assert ticket.outcome() == Done(kept=(pid,), numprocesses=1)


@in_memory
async def test_sizes_add_up_though_nothing_has_happened_in_between() -> None:
    scene = Scene()
    await scene.up()
    for _ in range(2):
        scene.actor.resize(scene.actor.spec.numprocesses + 1)
    await scene.settle()
    assert len(scene.pids) == 3


@in_memory
async def test_a_singleton_keeps_its_size() -> None:
    scene = Scene(singleton=True)
    await scene.up()
    ticket = scene.actor.resize(5)
    assert ticket.outcome() == Done(numprocesses=1)


@in_memory
async def test_a_newer_wish_supersedes_an_older_one() -> None:
    scene = Scene(warmup_delay=60.0, numprocesses=2)
    start = scene.actor.start()
    await scene.settle()
    scene.actor.stop()
    assert await refusal_soon(scene, start) == "the start was superseded by a newer stop"


async def refusal_soon(scene: Scene, ticket: TicketFuture) -> str:
    """Return why a ticket is not kept, once nothing is under way."""
    await scene.settle()
    return await refusal(ticket)


@in_memory
async def test_what_can_not_start_is_tried_again_and_its_neighbour_goes_on() -> None:
    scene = Scene(numprocesses=2)
    healthy, sick = await scene.up()
    scene.processes.behaviour = Behaviour(refuses="no such program")
    scene.processes.crash(sick)
    await scene.settle()
    for _ in range(20):
        await scene.passes(60.0)
    view = scene.actor.view()
    assert (scene.pids, view.health.reason) == ([healthy], "no such program")
    assert Troubled("web") in scene.news
    scene.processes.behaviour = Behaviour()
    await scene.passes(60.0)
    assert len(scene.pids) == 2
    assert "WatcherStopped" not in scene.kinds()


@pytest.mark.parametrize(("shortage", "is_given_up"), [(True, False), (False, True)])
@in_memory
async def test_a_shortage_gives_nothing_up(shortage: bool, is_given_up: bool) -> None:
    scene = Scene(max_retry=3)
    scene.processes.behaviour = Behaviour(refuses="none left", shortage=shortage)
    await scene.up()
    for _ in range(10):
        await scene.passes(60.0)
    assert (scene.actor.view().status is WatcherStatus.STOPPED) is is_given_up


@in_memory
async def test_news_for_other_watchers_are_told_once() -> None:
    scene = Scene()
    await scene.up()
    statuses = [news.facts.status for news in scene.news if isinstance(news, Became)]
    assert statuses == [WatcherStatus.STARTING, WatcherStatus.ACTIVE]
    assert scene.actor.inbox.facts() is scene.actor.inbox.facts()


@in_memory
async def test_a_view_is_the_same_until_something_happens() -> None:
    scene = Scene()
    (pid,) = await scene.up()
    view = scene.actor.view()
    assert scene.actor.view() is view
    scene.processes.crash(pid)
    await scene.settle()
    assert scene.actor.view() is not view


@in_memory
async def test_too_many_requests_that_wait_are_refused() -> None:
    scene = Scene(warmup_delay=60.0, numprocesses=2)
    for _ in range(MOST_TICKETS):
        scene.actor.start().when_settled(lambda: None)
    with pytest.raises(Conflict, match="Web has 1000 requests waiting already"):
        scene.actor.start()


@in_memory
async def test_requests_for_which_nobody_waits_are_never_too_many() -> None:
    scene = Scene(warmup_delay=60.0, numprocesses=2)
    first, second = scene.actor.start(), scene.actor.start()
    second.when_settled(lambda: None)
    for number in range(3 * MOST_TICKETS):
        scene.actor.resize(number)
    assert scene.actor.spec.numprocesses == 3 * MOST_TICKETS - 1
    assert isinstance(first.outcome(), Failed)
    assert not second.is_settled()
    assert len(scene.actor.inbox.state.tickets) <= MOST_TICKETS
    scene.actor.stop()
    await scene.settle()
    assert second.is_settled()


@pytest.mark.parametrize(
    ("signum", "selection", "sent"),
    [
        (10, SignalSelection(1001), [(1001, 10, Scope.PROCESS)]),
        (KILL, SignalSelection(1000), [(1000, KILL, Scope.PROCESS)]),
    ],
)
@in_memory
async def test_a_signal_by_hand(
    signum: int, selection: SignalSelection, sent: Sequence[tuple[int, int, Scope]]
) -> None:
    scene = Scene(numprocesses=2)
    await scene.up()
    ticket = scene.actor.signal(signum, selection)
    await scene.settle()
    assert scene.processes.signals == sent
    assert ticket.is_settled()


@in_memory
async def test_a_signal_to_a_stranger_is_refused() -> None:
    scene = Scene()
    await scene.up()
    with pytest.raises(UnknownProcess):
        scene.actor.signal(10, SignalSelection(1))
    with pytest.raises(UnknownProcess):
        scene.actor.kill(1, None, None)
    assert scene.processes.signals == []


@in_memory
async def test_a_kill_replaces_one_process() -> None:
    scene = Scene(numprocesses=2)
    first, second = await scene.up()
    ticket = scene.actor.kill(first, 2, None)
    await scene.settle()
    assert scene.processes.signals == [(first, 2, Scope.PROCESS)]
    assert ticket.is_settled()
    assert second in scene.pids
    assert len(scene.pids) == 2


@pytest.mark.parametrize(
    ("options", "replaced"), [({"cmd": "other"}, True), ({"graceful_timeout": 7.0}, False)]
)
@in_memory
async def test_another_spec_replaces_processes_where_that_is_needed(
    options: Mapping[str, Any], replaced: bool
) -> None:
    scene = Scene()
    before = await scene.up()
    spec = replace(scene.actor.spec, **options)
    scene.actor.change_spec(spec, tuple(options), changed(scene.actor.spec, spec).needs)
    await scene.settle()
    assert scene.actor.spec == spec
    assert (scene.pids != before) is replaced


@in_memory
async def test_a_watcher_that_is_left_stops_nothing() -> None:
    scene = Scene()
    (pid,) = await scene.up()
    scene.actor.wish(Go.LEAVE)
    refused = scene.actor.start()
    await scene.settle()
    assert scene.processes.alive() == {pid}
    assert await refusal(refused) == "the daemon is quitting"
    scene.processes.crash(pid)
    await scene.settle()
    assert scene.kinds()[-1] == "ProcessReaped"
    assert scene.pids == []


@in_memory
async def test_an_environment_that_can_not_be_made_is_a_bad_message() -> None:
    scene = Scene(cmd="web '")
    with pytest.raises(BadMessage):
        scene.actor.environment(1)


@in_memory
async def test_an_effect_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(numprocesses=2)
    await scene.up()
    scene.actor.hooks.tell = None  # type: ignore[method-assign, assignment]
    ticket = scene.actor.stop()
    await scene.settle()
    assert ticket.is_settled()
    assert scene.processes.alive() == frozenset()
    assert "failed" in caplog.text
