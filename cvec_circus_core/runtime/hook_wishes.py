"""Questions and wishes of hooks, taken into the loop from the threads in which hooks run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, TypeVar

from cvec_circus_core.model.outcome import Done
from cvec_circus_core.runtime.world import World

PATIENCE = 10.0
"""Seconds that a thread waits for the loop."""

Answer = TypeVar("Answer")


class HookWish(Future[Done]):
    """What comes of a wish. Nobody has to wait: a hook may hold up its own watcher by that."""

    def __await__(self) -> Generator[Any, None, Done]:
        return asyncio.wrap_future(self).__await__()


def in_loop(world: World, look: Callable[[], Answer]) -> Answer:
    """Return what a function finds in the event loop, whichever thread asks."""
    if threading.get_ident() == world.thread:
        return look()
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(look())
        except Exception as error:
            answer.set_exception(error)

    world.loop.call_soon_threadsafe(run)
    return answer.result(PATIENCE)


def wished(world: World, act: Callable[[], Awaitable[Done]]) -> HookWish:
    """Make a wish, and return what will come of it. Raises at once what is wrong with it."""
    wish = HookWish()
    ticket = in_loop(world, act)

    async def settle() -> None:
        try:
            wish.set_result(await ticket)
        except Exception as error:
            wish.set_exception(error)

    def begin() -> None:
        task = world.loop.create_task(settle(), name="wish of a hook")
        world.hook_wishes.add(task)
        task.add_done_callback(world.hook_wishes.discard)

    in_loop(world, begin)
    return wish


def outcome_of(world: World, work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Return what a coroutine gives. Raises `RuntimeError` in the loop, which it would block."""
    if threading.get_ident() == world.thread:
        raise RuntimeError("a hook that is a coroutine must not wait for this: it blocks the loop")
    return asyncio.run_coroutine_threadsafe(work(), world.loop).result(PATIENCE)
