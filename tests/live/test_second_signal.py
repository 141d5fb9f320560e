"""A stop signal works though a watcher's machine does not: the daemon always ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cvec_circus_core.daemon.shutdown import AT_MOST, Shutdown
from cvec_circus_core.engine import Engine, Parts
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.policy.watcher import inputs
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.runtime import watcher_inbox as watcher_room
from cvec_circus_core.system.processes.local_owner import choose_processes, local_owner

TERM = signal.SIGTERM


class Broken(Exception):
    """The bug."""


@pytest.fixture
def break_step(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the machine of watchers with a name fail at some inputs, from now on."""
    real = watcher_room.step

    def break_step(name: str, *kinds: type) -> None:
        def step(state: Any, batch: Any, now: float) -> Any:
            if state.spec.name == name and any(isinstance(said, kinds) for said in batch):
                raise Broken
            return real(state, batch, now)

        monkeypatch.setattr(watcher_room, "step", step)

    return break_step


def specs(folder: Path) -> tuple[WatcherSpec, ...]:
    stubborn = f"trap '' TERM; (setsid sleep 1000 &); echo > {folder}/up; exec sleep 1000"
    return (
        WatcherSpec(name="broken", cmd=stubborn, shell=True, graceful_timeout=60),
        WatcherSpec(name="sound", cmd="sleep 1000", numprocesses=3),
    )


def living() -> list[psutil.Process]:
    """Return who descends from this process and lives."""
    below = psutil.Process().children(recursive=True)
    return [one for one in below if one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    before = {one.pid for one in living()}
    yield
    for one in living():
        if one.pid not in before:
            one.kill()


async def started(folder: Path) -> Engine:
    engine = Engine(
        Configuration(watchers=specs(folder)),
        Parts(serves=False, owner=local_owner(choose_processes)),
    )
    for watcher in engine.supervisor.actors():
        await watcher.wish(Go.START)
    while not (folder / "up").exists():  # noqa: ASYNC110 (a file tells nothing)
        await asyncio.sleep(0.01)
    return engine


@pytest.mark.parametrize(
    "kinds",
    [(inputs.Exited,), (inputs.Hasten,), (inputs.Wish, inputs.Hasten, inputs.Exited), (object,)],
    ids=["exited", "hasten", "all wishes", "everything"],
)
def test_the_second_one_ends_it_though_a_machine_is_broken(
    tmp_path: Path, break_step: Any, kinds: tuple[type, ...]
) -> None:
    async def main() -> float:
        engine = await started(tmp_path)
        break_step("broken", *kinds)
        ending = Shutdown(engine)
        end = asyncio.create_task(ending.wait())
        ending.ask(TERM)
        await asyncio.sleep(0.2)
        if inputs.Wish not in kinds and object not in kinds:
            assert not end.done()
        begun = engine.clock.now()
        ending.ask(signal.SIGINT)
        await end
        assert engine.processes.alive() == frozenset()
        await engine.close()
        return engine.clock.now() - begun

    took = asyncio.run(main())
    assert took < AT_MOST + 2


def test_one_that_can_not_even_be_told_is_stopped_all_the_same(
    tmp_path: Path, break_step: Any
) -> None:
    async def main() -> None:
        engine = await started(tmp_path)
        break_step("broken", inputs.Wish)
        ending = Shutdown(engine)
        ending.ask(TERM)
        await ending.wait()
        assert engine.processes.alive() == frozenset()
        await engine.close()

    asyncio.run(main())
