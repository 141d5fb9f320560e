"""Turns: short, fair, deaths first but not for ever."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cvec_circus_core.runtime.fair_queue import (
    CROWD,
    EXIT_GRACE,
    EXIT_POLL,
    PATIENCE,
    TURN,
    FairQueue,
)
from cvec_circus_core.system.fakes import FakeClock


class Loop:
    """An event loop that makes a pass when it is told to."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def passes(self) -> None:
        """Call what was to be called soon."""
        soon, self.soon = self.soon, []
        for one in soon:
            one()


class Scene:
    """Turns, and what was done in them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop = Loop()
        self.runnable = 1
        self.turns = FairQueue(self.clock, self.loop, lambda: self.runnable)  # type: ignore[arg-type]
        self.done: list[str] = []

    def job(self, name: str, takes: float = 0.0, then: Callable[[], Any] | None = None) -> Any:
        """Return a job that takes its time."""
        return partial(self._do, name, takes, then)

    def _do(self, name: str, takes: float, then: Callable[[], Any] | None) -> None:
        self.done.append(name)
        self.clock.advance(takes)
        if then is not None:
            then()


def test_jobs_are_done_in_order_and_others_have_their_say_after_each_turn() -> None:
    scene = Scene()
    for name in "abcd":
        scene.turns.add(scene.job(name, TURN / 2))
    assert scene.done == []
    scene.loop.passes()
    assert scene.done == ["a", "b"]
    scene.loop.passes()
    assert scene.done == ["a", "b", "c", "d"]
    assert scene.loop.soon == []


def test_one_that_fails_does_not_stop_the_others() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    scene = Scene()
    scene.turns.add(fail)
    scene.turns.add(scene.job("b"))
    scene.loop.passes()
    assert scene.done == ["b"]


def test_deaths_go_first() -> None:
    scene = Scene()
    scene.turns.add(scene.job("spawn"))
    scene.turns.add_exit(scene.job("death", then=lambda: scene.turns.add(scene.job("another"))))
    scene.turns.add_exit(scene.job("death"))
    scene.loop.passes()
    assert scene.done == ["death", "death", "spawn", "another"]


def test_others_wait_for_deaths_only_so_long() -> None:
    scene = Scene()

    def die() -> None:
        scene.turns.add_exit(scene.job("death", TURN, die))

    for name in "ab":
        scene.turns.add(scene.job(name))
    die()
    passes = 0
    while "b" not in scene.done:
        scene.loop.passes()
        passes += 1
        assert passes < 2 * PATIENCE / TURN
    waited = scene.done.index("a")
    assert PATIENCE <= waited * TURN <= PATIENCE + 2 * TURN
    assert scene.done[waited + 1 :] == ["death", "b"]


def test_births_take_turns_with_other_jobs() -> None:
    scene = Scene()
    scene.runnable = 1000  # Nobody has died: that the machine is busy is no reason to wait.
    for name in "abc":
        scene.turns.add_spawn(scene.job(f"birth {name}"))
        scene.turns.add(scene.job(name))
    scene.loop.passes()
    assert scene.done == ["a", "birth a", "b", "birth b", "c", "birth c"]


def born(scene: Scene, count: int = 1000) -> list[float]:
    """Let a crowd die, then one after another be born; return when, from the deaths on."""
    births: list[float] = []
    for _ in range(count):
        scene.turns.add_exit(
            scene.job(
                "death",
                then=lambda: scene.turns.add_spawn(lambda: births.append(scene.clock.now())),
            )
        )
    while len(births) < count:
        scene.loop.passes()
        scene.clock.advance(0.001)  # Ends waits, too.
    return births


def test_after_a_crowd_has_died_births_wait_for_the_processors() -> None:
    scene = Scene()
    scene.runnable = 1000
    births = born(scene)
    assert EXIT_GRACE <= births[0] <= births[-1] <= EXIT_GRACE + 0.02


def test_a_free_processor_ends_the_wait() -> None:
    scene = Scene()
    assert born(scene)[-1] < 0.01


def test_a_few_that_die_are_replaced_at_once() -> None:
    scene = Scene()
    scene.runnable = 1000
    assert born(scene, CROWD - 1)[-1] <= EXIT_POLL + 0.003


def test_who_dies_again_and_again_is_not_mourned_again_and_again() -> None:
    scene = Scene()
    scene.runnable = 1000
    waits = 0.0
    for _ in range(20):
        begun = scene.clock.now()
        born(scene, CROWD)
        waits += scene.clock.now() - begun
    assert waits < 20 * EXIT_GRACE / 2 + EXIT_GRACE
