"""What hooks act on, in memory: a wish is a future, what is written is set, and both can fail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cvec_circus_core.model.errors import BadMessage, UnknownProcess
from cvec_circus_core.model.readiness import Readiness
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.runtime.hook_process import HookProcess
from cvec_circus_core.runtime.hook_views import HookArbiter, HookWatcher
from cvec_circus_core.runtime.hook_wishes import outcome_of
from tests.runtime.memory import MemoryDaemon, in_memory


def both(*specs: WatcherSpec) -> tuple[MemoryDaemon, HookWatcher, HookArbiter]:
    """Return a daemon, and its first watcher and all of them as a hook sees them."""
    daemon = MemoryDaemon(*specs)
    world, actors = daemon.arbiter.world, daemon.arbiter.actors
    first = next(iter(actors()))
    return daemon, HookWatcher(first, world, "web"), HookArbiter(actors, world, "web")


@in_memory
async def test_a_wish_is_a_future_that_can_be_awaited() -> None:
    daemon, web, _ = both(WatcherSpec(name="web", cmd="x", ready=Readiness(), settle=0))
    wish = web.start()
    assert not wish.done()
    await daemon.until(wish.done)
    assert (await wish, web.is_active(), web.is_stopped()) == (wish.result(), True, False)
    assert not daemon.arbiter.world.hook_wishes


@in_memory
async def test_a_process_knows_when_it_was_started() -> None:
    daemon, web, _ = both(WatcherSpec(name="web", cmd="x", ready=Readiness(), settle=0))
    wish = web.start()
    await daemon.until(wish.done)
    (process,) = web.processes.values()
    daemon.clock.advance(3)
    assert isinstance(process, HookProcess)
    assert (process.pid, process.wid, process.is_alive()) == (web.pids[0], 1, True)
    assert process.age() >= 3
    assert process.started == pytest.approx(daemon.clock.wall() - process.age())
    with pytest.raises(UnknownProcess):
        web.send_signal(-5, 10)


@in_memory
async def test_what_is_wrong_is_raised_at_once() -> None:
    daemon, web, everybody = both(WatcherSpec(name="web", cmd="x"))
    with pytest.raises(BadMessage):
        web.numprocesses = "many"
    with pytest.raises(AttributeError, match="in its file"):
        everybody.check_delay = 1
    with pytest.raises(AttributeError, match="a watcher has no nothing"):
        web.nothing  # noqa: B018
    with pytest.raises(RuntimeError, match="blocks the loop"):
        outcome_of(daemon.arbiter.world, lambda: asyncio.sleep(0))
    with pytest.raises(KeyError):
        everybody.get_watcher("none")


@in_memory
async def test_the_others_are_found_by_any_case() -> None:
    specs: list[Any] = [WatcherSpec(name=name, cmd="x") for name in ("web", "Db")]
    _, web, everybody = both(*specs)
    assert {each.name for each in everybody.watchers} == {"web", "Db"}
    assert everybody.get_watcher("DB").res_name == "db"
    assert (everybody.numwatchers(), web.arbiter.numprocesses(), bool(web)) == (2, 0, True)
