"""What every clock does, the machine's and the fake."""

from __future__ import annotations

from typing import Any


def test_a_wait_ends_once_and_not_early(world: Any) -> None:
    started = world.clock.now()
    ended: list[float] = []
    world.clock.wait(0.05, lambda: ended.append(world.clock.now()))
    world.until(lambda: bool(ended))
    assert len(ended) == 1
    assert ended[0] - started >= 0.049


def test_waits_end_in_their_order(world: Any) -> None:
    def waits() -> tuple[float, list[str]]:
        ended: list[str] = []
        begun_at = world.clock.now()
        world.clock.wait(0.06, lambda: ended.append("second"))
        world.clock.wait(0.02, lambda: ended.append("first"))
        between = world.clock.now() - begun_at
        world.until(lambda: len(ended) == 2)
        return between, ended

    # Where this process was held up between the two, the longer one may well have ended first.
    between, ended = next(pair for pair in iter(waits, None) if pair[0] < 0.04)
    assert ended == ["first", "second"], between


def test_a_cancelled_wait_never_ends(world: Any) -> None:
    ended: list[str] = []
    cancel = world.clock.wait(0.01, lambda: ended.append("cancelled"))
    world.clock.wait(0.03, lambda: ended.append("other"))
    cancel()
    cancel()
    world.until(lambda: bool(ended))
    assert ended == ["other"]


def test_a_wait_of_less_than_nothing_ends_later_but_at_once(world: Any) -> None:
    ended: list[str] = []
    world.clock.wait(-1.0, lambda: ended.append("now"))
    assert ended == []
    world.until(lambda: bool(ended))


def test_a_wait_may_begin_another(world: Any) -> None:
    ended: list[str] = []
    world.clock.wait(0.01, lambda: world.clock.wait(0.01, lambda: ended.append("inner")))
    world.until(lambda: bool(ended))


def test_both_times_move_together(world: Any) -> None:
    def apart() -> float:
        now, wall = world.clock.now(), world.clock.wall()
        done: list[str] = []
        world.clock.wait(0.05, lambda: done.append("so"))
        world.until(lambda: bool(done))
        return float(abs((world.clock.wall() - wall) - (world.clock.now() - now)))

    # The two are read one after the other, and this process may be held up in between.
    assert min(apart() for _ in range(5)) < 0.05
