"""The supervisor port on the real actors, with processes and time in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.config.mappings import (
    changed_spec,
    socket_from_mapping,
    spec_as_json,
    watcher_from_mapping,
)
from cvec_circus_core.extend.extra_stats import ExtraStats
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.ports import Supervisor, WatcherPort
from cvec_circus_core.extend.registry import load_commands
from cvec_circus_core.model.access import Caller, LocalUser, Rights
from cvec_circus_core.model.errors import (
    AlreadyExists,
    BadMessage,
    Conflict,
    ShuttingDown,
    UnknownProcess,
    UnknownWatcher,
)
from cvec_circus_core.model.events import Event
from cvec_circus_core.model.messages import RequestMessage, Success
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.spec_reader import SpecReader
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.audited import audited, audited_watcher, insider
from cvec_circus_core.requests.dispatch import Dispatcher
from cvec_circus_core.runtime.census_cache import SharedCensus
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.hook_views import HookArbiter, HookWatcher
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.supervisor import Introspection, LocalSupervisor
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.testing import FakeClock, FakeProcesses

ROUNDS = 2000
"""Steps of a fifth of a second in which everything has to come to rest."""

READER = SpecReader(
    lambda name, options: watcher_from_mapping(name, options, strict=True),
    changed_spec,
    spec_as_json,
    socket_from_mapping,
)
WEB = WatcherSpec(name="Web", cmd="web", numprocesses=2, priority=1)
DB = WatcherSpec(name="db", cmd="db", priority=5, autostart=False)


class NoCensus:
    """A process table of which every pid is known."""

    def take(self, pids: Iterable[int], *, pss: bool = False) -> Mapping[int, Any]:
        """Return an info object for each pid."""
        return {pid: {"pid": pid, "pss": pss} for pid in pids}


class Memory:
    """A supervisor whose processes are numbers and whose time is told."""

    def __init__(self, *watchers: WatcherSpec) -> None:
        self.clock = FakeClock()
        self.processes = FakeProcesses(self.clock)
        self.events: list[Event] = []
        self.audit = Audit(self.clock, self.events.append)
        loop = asyncio.get_running_loop()
        world = World(
            loop,
            self.clock,
            self.processes,
            FairQueue(self.clock, loop, lambda: 1),
            ManagedSockets(FakeSocketOwner()),
            self.events.append,
            options=READER,
            seen_by_hooks=self.seen_by_hooks,
        )
        census = SharedCensus(self.clock, lambda clock: NoCensus())
        introspection = Introspection(
            census, ExtraStats(Hooks()), lambda: len(self.events), pid=4711
        )
        self.world = world
        self.supervisor = LocalSupervisor(Configuration(watchers=watchers), world, introspection)

    def seen_by_hooks(self, owner: str, watcher: WatcherPort) -> WatcherPort:
        """Return a watcher as hooks act on it."""
        return audited_watcher(watcher, insider(f"a hook of {owner}"), self.audit)

    def seen_by(self, name: str) -> Supervisor:
        """Return the supervisor as somebody within the process acts on it."""
        return audited(self.supervisor, insider(name), self.audit)

    async def rest(self, wish: Awaitable[Done]) -> Done:
        """Let things happen until a wish is settled."""
        outcome = asyncio.ensure_future(_done(wish))
        for _ in range(ROUNDS):
            for _ in range(10):
                await asyncio.sleep(0)
            if not self.processes.deliver() and outcome.done():
                return outcome.result()
            self.clock.advance(0.2)
        raise AssertionError("it never comes to rest")

    def topics(self) -> list[str]:
        """Return the names of the events so far, and forget them."""
        names = [event.name for event in self.events]
        self.events.clear()
        return names


async def _done(wish: Awaitable[Done]) -> Done:
    return await wish


def play(scene: Callable[[Memory], Coroutine[Any, Any, None]], *watchers: WatcherSpec) -> None:
    """Run a scene in a loop of its own."""

    async def run() -> None:
        async with asyncio.timeout(20):
            await scene(Memory(*(watchers or (WEB, DB))))

    asyncio.run(run())


def test_the_verbs_of_a_watcher() -> None:
    async def scene(memory: Memory) -> None:
        web = memory.supervisor.watcher("web")
        started = await memory.rest(web.start())
        assert len(started.started) == 2
        assert web.view().status is WatcherStatus.ACTIVE
        restarted = await memory.rest(web.restart())
        assert set(restarted.stopped) == set(started.started)
        reloaded = await memory.rest(web.reload())
        assert set(reloaded.stopped) == set(restarted.started)
        roughly = await memory.rest(web.reload(graceful=False))
        assert set(roughly.stopped) == set(reloaded.started)
        assert (await memory.rest(web.resize(3))).numprocesses == 3
        assert (await memory.rest(web.resize(-1))).numprocesses == 0
        await memory.rest(web.resize(1))
        [process] = web.view().processes
        await memory.rest(web.kill(process.pid, None, None))
        assert [one.pid for one in web.view().processes] != [process.pid]
        await memory.rest(web.stop())
        assert web.view().status is WatcherStatus.STOPPED

    play(scene)


def test_a_reason_to_stop_is_shown() -> None:
    async def scene(memory: Memory) -> None:
        web = memory.supervisor.watcher("web")
        await memory.rest(web.start())
        await memory.rest(web.stop("the disk is full"))
        assert web.view().health.reason == "the disk is full"

    play(scene)


def test_what_can_not_be_is_refused_and_changes_nothing() -> None:
    async def scene(memory: Memory) -> None:
        web = memory.supervisor.watcher("web")
        with pytest.raises(UnknownWatcher):
            memory.supervisor.watcher("nope")
        with pytest.raises(BadMessage):
            web.change({"numprocesses": 3, "stop_signal": "nonsense"})
        with pytest.raises(UnknownProcess):
            web.kill(1, None, None)
        with pytest.raises(AlreadyExists):
            memory.supervisor.add("WEB", "web", {})
        with pytest.raises(BadMessage):
            memory.supervisor.add("new", "new", {"nonsense": 1})
        with pytest.raises(BadMessage):
            memory.supervisor.sockets.remove("nope")
        assert web.spec == WEB
        assert web.options()["numprocesses"] == 2
        assert len(memory.supervisor.watchers()) == 2

    play(scene)


def test_finding_watchers() -> None:
    async def scene(memory: Memory) -> None:
        supervisor = memory.supervisor
        supervisor.add("alpha", "alpha", {"priority": 9})
        assert [watcher.name for watcher in supervisor.watchers()] == ["alpha", "db", "Web"]
        by_pattern = supervisor.matching("*", "glob")
        assert [watcher.name for watcher in by_pattern] == ["alpha", "db", "Web"]
        assert [watcher.name for watcher in supervisor.matching("^w", "regex")] == ["Web"]
        assert supervisor.watcher(" WEB ").name == "Web"
        with pytest.raises(UnknownWatcher):
            supervisor.matching("x*", "glob")

    play(scene)


def test_wishes_for_all() -> None:
    async def scene(memory: Memory) -> None:
        supervisor = memory.supervisor
        await memory.rest(supervisor.start_all())
        web, db = supervisor.watcher("web"), supervisor.watcher("db")
        assert len(web.view().processes) == 2
        assert not db.view().processes, "it does not start by itself"
        await memory.rest(supervisor.reload_all())
        await memory.rest(supervisor.stop_all())
        assert not web.view().processes
        await memory.rest(supervisor.remove("db"))
        assert [watcher.name for watcher in supervisor.watchers()] == ["Web"]
        await memory.rest(supervisor.quit())
        assert supervisor.is_quitting
        with pytest.raises(ShuttingDown):
            supervisor.add("late", "late", {})

    play(scene)


def test_what_no_watcher_knows() -> None:
    async def scene(memory: Memory) -> None:
        supervisor = memory.supervisor
        assert supervisor.pid == 4711
        assert supervisor.changes == len(memory.events)
        assert await supervisor.own_info() == {"pid": 4711, "pss": False}
        assert "numprocesses" in supervisor.option_of_watchers()
        assert supervisor.plugins() == ()

    play(scene)


def test_a_socket_that_is_used_is_not_closed(tmp_path: Path) -> None:
    user = WatcherSpec(name="user", cmd="user $(circus.sockets.web)")

    async def scene(memory: Memory) -> None:
        sockets = memory.supervisor.sockets
        view = sockets.add("Web", {"path": str(tmp_path / "socket")})
        assert list(sockets.views()) == [view]
        with pytest.raises(Conflict, match="is used by user"):
            sockets.remove("web")
        await memory.rest(memory.supervisor.remove("user"))
        sockets.remove("web")
        assert not sockets.views()

    play(scene, user)


SAME = {"numprocesses": 2, "priority": 1, "graceful_timeout": 30.0}
ROOT = Caller(LocalUser(0), "user 'root'", Rights(everything=True, reading=True))


async def by_request(memory: Memory) -> None:
    dispatcher = Dispatcher(load_commands(), memory.supervisor, memory.audit)
    message = RequestMessage("set", {"name": "web", "options": SAME})
    assert isinstance(await dispatcher.answer(message, ROOT), Success)


async def by_the_program(memory: Memory) -> None:
    await memory.rest(memory.seen_by("the program itself").watcher("web").change(SAME))


@pytest.mark.parametrize("is_up", [False, True])
@pytest.mark.parametrize("ask", [by_request, by_the_program])
def test_the_same_set_tells_the_same_events_whoever_asks(
    ask: Callable[[Memory], Coroutine[Any, Any, None]], is_up: bool
) -> None:
    async def scene(memory: Memory) -> None:
        web = memory.supervisor.watcher("web")
        if is_up:
            await memory.rest(web.start())
        memory.topics()
        await ask(memory)
        await memory.rest(web.resize(2))
        assert sorted(memory.topics()) == ["set", "updated", "updated", "updated"]

    play(scene)


def test_hooks_act_by_the_port_and_are_audited() -> None:
    async def scene(memory: Memory) -> None:
        actor = memory.supervisor.watcher("web")
        mine = HookWatcher(actor, memory.world, "web")
        everybody = HookArbiter(memory.supervisor.actors, memory.world, "web")
        mine.wish("start")
        await memory.rest(actor.resize(2))
        assert (mine.status(), len(mine.pids), mine.numprocesses) == ("active", 2, 2)
        assert everybody.statuses() == {"db": "stopped", "Web": "active"}
        assert everybody.numprocesses() == 2
        mine.send_signal(mine.pids[0], 10)
        mine.notify_event("deployed", {"version": "1"})
        with pytest.raises(UnknownProcess):
            everybody.get_watcher("DB").send_signal(mine.pids[0], 10)
        with pytest.raises(ValueError, match="leave"):
            mine.wish("leave")
        facts = [event.facts() for event in memory.events if "outcome" in event.facts()]
        assert [(fact["who"], fact["command"], fact["outcome"]) for fact in facts] == [
            ("a hook of web", "start", "ok"),
            ("a hook of web", "signal", "ok"),
            ("a hook of web", "signal", "failed"),
        ]
        assert "deployed" in memory.topics()

    play(scene)
