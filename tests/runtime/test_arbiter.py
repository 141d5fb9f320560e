"""All watchers together at run time: effects become acts, and answers come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cvec_circus_core.model.errors import (
    AlreadyExists,
    ConfigError,
    ShuttingDown,
    UnknownWatcher,
)
from cvec_circus_core.model.events import (
    ProcessSpawned,
    WatcherAdded,
    WatcherRemoved,
    WatcherStarted,
    WatcherStopped,
)
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.readiness import SPAWNED, alive
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.policy.watcher import inputs, machine
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.runtime import watcher_inbox as watcher_module
from cvec_circus_core.system.fakes import Behaviour
from tests.runtime.memory import MemoryDaemon, in_memory


def spec(name: str, priority: int = 0, **options: Any) -> WatcherSpec:
    """Return a watcher whose command is its name."""
    usual = {"name": name, "cmd": name, "priority": priority, "ready": SPAWNED}
    return WatcherSpec(**{**usual, **options})


async def up(*specs: WatcherSpec, **options: Any) -> MemoryDaemon:
    """Return a daemon whose watchers are active."""
    daemon = MemoryDaemon(*specs, **options)
    await daemon.rest(daemon.arbiter.start_all())
    return daemon


THREE = (spec("low"), spec("high", 9, numprocesses=2), spec("mid", 5))


class TestStart:
    @in_memory
    async def test_by_priority(self) -> None:
        daemon = MemoryDaemon(*THREE, spec("never", 99, autostart=False))
        done = await daemon.outcome(daemon.arbiter.start_all())
        assert daemon.watchers_of(ProcessSpawned) == ["high", "mid", "low"]
        assert isinstance(done, Done)
        assert len(done.started) == 4
        assert daemon.pids()["never"] == set()

    @in_memory
    async def test_with_the_pause_between(self) -> None:
        daemon = MemoryDaemon(*THREE, warmup_delay=10.0)
        ticket = daemon.arbiter.start_all()
        for count in (1, 2, 3):
            await daemon.settle()
            assert len(daemon.watchers_of(WatcherStarted)) == count
            daemon.clock.advance(10.0)
        await daemon.settle()
        assert ticket.is_settled()

    @in_memory
    async def test_past_one_that_can_not_start(self) -> None:
        daemon = MemoryDaemon(*THREE)
        daemon.behaviours["high"] = Behaviour(refuses="no such program")
        ticket = daemon.arbiter.start_all()
        await daemon.settle()
        assert daemon.watchers_of(WatcherStarted) == ["mid", "low"]
        assert not ticket.is_settled()
        assert "no such program" in await daemon.refused(ticket)


class TestStop:
    @in_memory
    async def test_in_the_reverse_order_side_by_side(self) -> None:
        daemon = await up(*THREE)
        daemon.processes.behaviour = Behaviour(dies_in=5.0)
        owners = {pid: name for name, pids in daemon.pids().items() for pid in pids}
        await daemon.rest(daemon.arbiter.stop_all())
        order = [owners[pid] for pid, _, _ in daemon.processes.signals]
        assert order == ["low", "mid", "high", "high"]
        assert await daemon.is_at_rest()

    @in_memory
    async def test_supersedes_a_start(self) -> None:
        daemon = MemoryDaemon(*THREE, warmup_delay=10.0)
        ticket = daemon.arbiter.start_all()
        await daemon.settle()
        await daemon.rest(daemon.arbiter.stop_all())
        assert "superseded" in await daemon.refused(ticket)
        assert await daemon.is_at_rest()


class TestReload:
    @in_memory
    async def test_replaces_one_watcher_after_another(self) -> None:
        daemon = await up(*THREE, spec("down", autostart=False))
        before, count = daemon.pids(), len(daemon.events)
        await daemon.rest(daemon.arbiter.reload_all())
        del daemon.events[:count]
        assert daemon.watchers_of(ProcessSpawned) == ["high", "mid", "low"]
        after = daemon.pids()
        assert all(not before[name] & after[name] for name in before)
        assert after["down"] == set()


class TestRemove:
    @in_memory
    async def test_stops_and_forgets(self) -> None:
        daemon = await up(*THREE)
        ticket = daemon.arbiter.remove("mid")
        assert daemon.watchers_of(WatcherRemoved) == []
        await daemon.rest(ticket)
        assert daemon.watchers_of(WatcherRemoved) == ["mid"]
        with pytest.raises(UnknownWatcher):
            daemon.arbiter.watcher("mid")
        with pytest.raises(UnknownWatcher):
            daemon.arbiter.remove("mid")

    @in_memory
    async def test_may_leave_the_processes_running(self) -> None:
        daemon = await up(*THREE)
        pids = daemon.pids()["high"]
        await daemon.rest(daemon.arbiter.remove("high", nostop=True))
        assert daemon.arbiter.detached_pids() == pids
        await daemon.rest(daemon.arbiter.quit())
        assert daemon.processes.alive() == pids
        for pid in pids:
            daemon.processes.crash(pid)
        await daemon.settle()
        assert daemon.arbiter.detached_pids() == frozenset()
        assert await daemon.is_at_rest()

    @in_memory
    async def test_makes_room_for_a_new_one_of_the_name(self) -> None:
        daemon = await up(spec("web"))
        old = daemon.pids()["web"]
        await daemon.rest(daemon.arbiter.remove("web", nostop=True))
        daemon.arbiter.add_spec(spec("Web", numprocesses=2))
        for pid in old:
            daemon.processes.crash(pid)
        await daemon.rest(daemon.arbiter.start_all())
        assert len(daemon.pids()["web"]) == 2
        assert daemon.watchers_of(WatcherAdded) == ["web", "Web"]


@in_memory
async def test_no_name_twice() -> None:
    daemon = MemoryDaemon(spec("web"))
    with pytest.raises(AlreadyExists):
        daemon.arbiter.add_spec(spec("WEB"))


class TestQuit:
    @in_memory
    async def test_stops_everything_and_takes_no_more_wishes(self) -> None:
        daemon = await up(*THREE)
        started = daemon.arbiter.start_all()
        ticket = daemon.arbiter.quit()
        assert daemon.arbiter.quit() is ticket
        assert daemon.arbiter.is_quitting
        assert not daemon.arbiter.ended.is_set()
        for refusal in (daemon.arbiter.restart_all, daemon.arbiter.reload_config):
            with pytest.raises(ShuttingDown):
                refusal()
        with pytest.raises(ShuttingDown):
            daemon.arbiter.add_spec(spec("late"))
        assert "quitting" in await daemon.refused(daemon.arbiter.start_all())
        await daemon.rest(ticket)
        await daemon.settle()
        assert daemon.arbiter.ended.is_set()
        assert "superseded" in await daemon.refused(started)
        assert await daemon.is_at_rest()

    @in_memory
    async def test_in_the_middle_of_a_slow_start(self) -> None:
        daemon = MemoryDaemon(*THREE, warmup_delay=10.0)
        daemon.arbiter.start_all()
        await daemon.settle()
        await daemon.rest(daemon.arbiter.quit())
        assert daemon.watchers_of(ProcessSpawned) == ["high"]
        assert await daemon.is_at_rest()

    @in_memory
    async def test_waits_for_the_last_hooks(self) -> None:
        daemon = await up(spec("web"))
        release = asyncio.Event()
        daemon.arbiter.watcher("web").hooks.wait_done = release.wait  # type: ignore[assignment,method-assign]
        ticket = daemon.arbiter.quit()
        await daemon.settle()
        daemon.clock.advance(1.0)
        await daemon.settle()
        assert not daemon.processes.alive()
        assert not ticket.is_settled()
        release.set()
        await daemon.rest(ticket)

    @in_memory
    async def test_goes_past_a_broken_watcher(self, monkeypatch: pytest.MonkeyPatch) -> None:
        daemon = await up(*THREE)
        owners = {pid: name for name, pids in daemon.pids().items() for pid in pids}

        def broken(state: Any, batch: list[inputs.Input], now: float) -> Any:
            if state.spec.name == "mid":
                raise RuntimeError("out of order")
            return machine.step(state, batch, now)

        monkeypatch.setattr(watcher_module, "step", broken)
        assert "mid" in await daemon.refused(daemon.arbiter.quit())
        assert {owners[pid] for pid in daemon.processes.alive()} == {"mid"}
        await daemon.settle()
        assert daemon.arbiter.ended.is_set()


class TestConfiguration:
    @in_memory
    async def test_what_differs_is_applied(self) -> None:
        daemon = await up(*THREE)
        before = daemon.pids()
        daemon.file = Configuration(
            ArbiterSpec(warmup_delay=3.0),
            (spec("high", 9, numprocesses=2, cmd="other"), spec("low"), spec("new", 1)),
        )
        plan, ticket = daemon.arbiter.reload_config()
        assert daemon.arbiter.spec.warmup_delay == 3.0
        await daemon.rest(ticket)
        after = daemon.pids()
        assert {(step.action.value, step.watcher) for step in plan.steps} == {
            ("remove", "mid"),
            ("reload", "high"),
            ("add", "new"),
            ("keep", "low"),
        }
        assert set(after) == {"high", "low", "new"}
        assert after["low"] == before["low"]
        assert not after["high"] & before["high"]
        assert {step.action.value for step in daemon.arbiter.plan_config().steps} == {"keep"}

    @in_memory
    async def test_one_that_can_not_be_had_is_tried_again(self) -> None:
        daemon = await up(spec("web"), spec("db"))
        daemon.behaviours["bad"] = Behaviour(refuses="no such program")
        daemon.file = Configuration(ArbiterSpec(), (spec("web", cmd="bad"), spec("db", cmd="good")))
        _, ticket = daemon.arbiter.reload_config()
        why = await daemon.refused(ticket)
        assert why.startswith("web: no such program")
        assert [step.action.value for step in daemon.arbiter.plan_config().steps] == [
            "keep",
            "reload",
        ]
        del daemon.behaviours["bad"]
        _, ticket = daemon.arbiter.reload_config()
        await daemon.rest(ticket)
        assert daemon.arbiter.watcher("web").spec.cmd == "bad"

    @in_memory
    async def test_mistakes_change_nothing(self) -> None:
        daemon = await up(spec("web"))
        before, count = daemon.pids(), len(daemon.events)
        daemon.file = Configuration(ArbiterSpec(), (spec("web", sockets=("gone",)),))
        daemon.mistake = ConfigError("[watcher:x] has no cmd")
        for refusal in (
            daemon.arbiter.plan_config,
            daemon.arbiter.reload_config,
            daemon.arbiter.restart_all,
        ):
            with pytest.raises(ConfigError, match="has no cmd"):
                refusal()
        await daemon.settle()
        assert (daemon.pids(), len(daemon.events)) == (before, count)

    @in_memory
    async def test_a_restart_reads_it(self) -> None:
        daemon = await up(*THREE)
        await daemon.rest(daemon.arbiter.watcher("low").wish(Go.STOP))
        daemon.file = Configuration(ArbiterSpec(), (*THREE[:1], spec("high", 9, numprocesses=3)))
        before = daemon.pids()
        await daemon.rest(daemon.arbiter.restart_all())
        after = daemon.pids()
        assert {name: len(pids) for name, pids in after.items()} == {"low": 1, "high": 3}
        assert not after["high"] & before["high"]

    @in_memory
    async def test_a_restart_goes_past_one_that_can_not_start(self) -> None:
        daemon = await up(spec("web"))
        daemon.behaviours["bad"] = Behaviour(refuses="no such program")
        daemon.file = replace(daemon.file, watchers=(spec("bad", 9), spec("web")))
        assert "no such program" in await daemon.refused(daemon.arbiter.restart_all())
        assert len(daemon.pids()["web"]) == 1

    @in_memory
    async def test_what_was_set_by_hand_counts_at_once_in_the_plan(self) -> None:
        daemon = await up(spec("web"))
        web = daemon.arbiter.watcher("web")
        daemon.file = Configuration(ArbiterSpec(), (spec("web", numprocesses=3),))
        ticket = web.resize(3)
        assert [step.action.value for step in daemon.arbiter.plan_config().steps] == ["keep"]
        await daemon.rest(ticket)

    @in_memory
    async def test_one_that_was_stopped_by_hand_stays_so(self) -> None:
        daemon = await up(spec("web"))
        await daemon.rest(daemon.arbiter.watcher("web").wish(Go.STOP))
        daemon.file = Configuration(ArbiterSpec(), (spec("web", cmd="other"),))
        plan, ticket = daemon.arbiter.reload_config()
        await daemon.rest(ticket)
        assert [step.action.value for step in plan.steps] == ["set"]
        assert daemon.pids() == {"web": set()}
        assert daemon.watchers_of(WatcherStopped) == ["web"]


class TestAnEmptyFile:
    """A full disk, or half a save, leaves a file without watchers."""

    @pytest.mark.parametrize(
        "rest", [(), (spec("plugin:flapping"),)], ids=["nothing", "a plugin alone"]
    )
    @in_memory
    async def test_removes_nothing(self, rest: tuple[WatcherSpec, ...]) -> None:
        daemon = await up(spec("web"), spec("db"), spec("plugin:flapping"))
        before, count = daemon.pids(), len(daemon.events)
        daemon.file = Configuration(ArbiterSpec(warmup_delay=7.0), rest)
        for refusal in (
            daemon.arbiter.plan_config,
            daemon.arbiter.reload_config,
            daemon.arbiter.restart_all,
        ):
            with pytest.raises(ConfigError, match="no watcher any more, and 2 would be removed"):
                refusal()
        await daemon.settle()
        assert (daemon.pids(), len(daemon.events)) == (before, count)
        assert daemon.arbiter.spec.warmup_delay == 0.0
        assert daemon.hosted == []

    @in_memory
    async def test_may_be_meant(self) -> None:
        daemon = await up(spec("web"), spec("db"))
        daemon.file = Configuration()
        plan = daemon.arbiter.plan_config(allow_empty=True)
        assert {step.action.value for step in plan.steps} == {"remove"}
        assert daemon.hosted == []
        _, ticket = daemon.arbiter.reload_config(allow_empty=True)
        await daemon.rest(ticket)
        assert daemon.pids() == {}
        assert daemon.hosted == [()]

    @in_memory
    async def test_where_there_was_no_watcher_before_is_nothing_new(self) -> None:
        daemon = await up(spec("plugin:flapping"))
        daemon.arbiter.add_spec(spec("by hand"))
        daemon.file = Configuration()
        _, ticket = daemon.arbiter.reload_config()
        await daemon.rest(ticket)
        assert set(daemon.pids()) == {"by hand"}


class TestPriority:
    """The database outlives the workers, and is ready before them."""

    @in_memory
    async def test_the_next_begin_when_those_before_are_ready(self) -> None:
        daemon = MemoryDaemon(spec("web"), spec("db", 9, ready=alive(3.0)))
        ticket = daemon.arbiter.start_all()
        await daemon.settle()
        assert daemon.watchers_of(WatcherStarted) == ["db"]
        daemon.clock.advance(2.9)
        await daemon.settle()
        assert daemon.watchers_of(ProcessSpawned) == ["db"]
        daemon.clock.advance(0.1)
        await daemon.settle()
        assert daemon.watchers_of(WatcherStarted) == ["db", "web"]
        await daemon.rest(ticket)

    @in_memory
    async def test_one_that_ends_before_it_is_ready_delays_nobody(self) -> None:
        daemon = MemoryDaemon(spec("web"), spec("db", 9, ready=alive(3.0)))
        daemon.behaviours["db"] = Behaviour(exits_after=1.0, code=1)
        daemon.arbiter.start_all()
        await daemon.settle()
        daemon.clock.advance(1.0)
        await daemon.settle()
        assert "web" in daemon.watchers_of(WatcherStarted)

    @pytest.mark.parametrize("end", ["stop_all", "quit", "restart_all"])
    @in_memory
    async def test_the_first_to_come_is_the_last_to_go(self, end: str) -> None:
        daemon = MemoryDaemon(spec("web"), spec("cron"), spec("db", 9))
        daemon.behaviours["web"] = Behaviour(dies_in=3.0)
        await daemon.rest(daemon.arbiter.start_all())
        database, worker = daemon.pids()["db"], daemon.pids()["web"]
        ticket = getattr(daemon.arbiter, end)()
        await daemon.settle()
        daemon.clock.advance(2.9)
        await daemon.settle()
        assert daemon.pids()["db"] == database
        assert daemon.pids()["web"] == worker
        assert daemon.pids()["cron"] == set()
        await daemon.rest(ticket)
        assert database.isdisjoint(daemon.processes.alive())

    @in_memory
    async def test_what_ends_in_its_course_is_replaced_but_nothing_comes_up(self) -> None:
        daemon = MemoryDaemon(spec("web"), spec("db", 9), spec("idle", 9, autostart=False))
        daemon.behaviours["web"] = Behaviour(dies_in=3.0)
        await daemon.rest(daemon.arbiter.start_all())
        (database,) = daemon.pids()["db"]
        ticket = daemon.arbiter.quit()
        await daemon.settle()
        for name in ("idle", "db", "web"):
            refusal = daemon.arbiter.watcher(name).wish(Go.START)
            assert "quitting" in await daemon.refused(refusal)
        daemon.processes.crash(database)
        await daemon.settle()
        assert daemon.pids()["db"] not in (set(), {database})
        await daemon.rest(ticket)
        assert await daemon.is_at_rest()

    @in_memory
    async def test_a_newer_wish_for_one_watcher_counts_more(self) -> None:
        daemon = MemoryDaemon(spec("web"), spec("db", 9))
        daemon.behaviours["web"] = Behaviour(dies_in=3.0)
        await daemon.rest(daemon.arbiter.start_all())
        database = daemon.pids()["db"]
        ticket = daemon.arbiter.stop_all()
        await daemon.settle()
        await daemon.rest(daemon.arbiter.watcher("db").start())
        await daemon.rest(ticket)
        assert daemon.pids() == {"web": set(), "db": database}
        await daemon.rest(daemon.arbiter.quit())
        assert await daemon.is_at_rest()

    @in_memory
    async def test_the_end_has_a_limit(self) -> None:
        stubborn = Behaviour(ignores=frozenset({15}))
        daemon = await up(spec("web"), spec("db", 9), shutdown_timeout=10.0)
        daemon.processes.behaviour = stubborn
        await daemon.rest(daemon.arbiter.restart_all())
        begin = daemon.clock.now()
        ticket = daemon.arbiter.quit()
        assert daemon.arbiter.end_by == begin + 10.0
        await daemon.rest(ticket)
        assert daemon.clock.now() - begin == pytest.approx(8.0, abs=0.5)
        killed = [pid for pid, signum, _ in daemon.processes.signals if signum == 9]
        assert len(set(killed)) == 2
        assert await daemon.is_at_rest()

    @in_memory
    async def test_a_second_word_keeps_no_order(self) -> None:
        daemon = await up(spec("web"), spec("db", 9))
        daemon.processes.behaviour = Behaviour(ignores=frozenset({15}))
        await daemon.rest(daemon.arbiter.restart_all())
        ticket = daemon.arbiter.quit()
        await daemon.settle()
        daemon.arbiter.hasten()
        await daemon.settle()
        daemon.clock.advance(0.0)
        await daemon.settle()
        assert ticket.is_settled()
        assert await daemon.is_at_rest()
