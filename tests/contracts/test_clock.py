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
    ended: list[str] = []
    world.clock.wait(0.06, lambda: ended.append("second"))
    world.clock.wait(0.02, lambda: ended.append("first"))
    world.until(lambda: len(ended) == 2)
    assert ended == ["first", "second"]


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
    now, wall = world.clock.now(), world.clock.wall()
    done: list[str] = []
    world.clock.wait(0.05, lambda: done.append("so"))
    world.until(lambda: bool(done))
    assert abs((world.clock.wall() - wall) - (world.clock.now() - now)) < 0.05
