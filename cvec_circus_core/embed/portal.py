"""Where ordinary code meets the event loop.

A portal belongs to one loop. Inside that loop a call gives a task to await, which goes on even if
nobody does; from any other thread the call blocks until it is done. A loop that was stopped and not
closed is run for as long as the call takes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from cvec_circus_core.model.errors import CircusError

T = TypeVar("T")

_GLANCE = 0.2
"""Seconds after which a caller who waits looks whether the loop still runs."""

Result = Any
"""What a call gives: something to await in a running loop, and elsewhere the value itself. No type
tells which of the two a caller gets, because that is known when it is called."""


class Portal:
    """Runs coroutines in one loop, for any caller."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_inside(self) -> bool:
        """Whether the caller runs in the loop."""
        return running_loop() is self.loop

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be done in the loop any more."""
        return self.loop.is_closed()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Result:
        """Run it: return a task inside the loop, and the result from outside.

        Raises `CircusError` where the loop is closed before it is done.
        """
        if self.is_inside:
            task = self.loop.create_task(work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(_take_note)
            return task
        return self._outside(work())

    def ask(self, question: Callable[[], T]) -> T:
        """Ask something that takes no time, and return the answer."""
        if self.is_inside:
            return question()

        async def answer() -> T:
            return question()

        return self._outside(answer())

    def _outside(self, work: Coroutine[Any, Any, T]) -> T:
        if not self.loop.is_running():
            return self.loop.run_until_complete(work)
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        while True:
            try:
                return future.result(_GLANCE)
            except TimeoutError:
                if future.done():
                    raise
            if self.is_closed:
                raise CircusError("the event loop of the arbiter was closed")
            if not self.loop.is_running():
                return self.loop.run_until_complete(asyncio.wrap_future(future, loop=self.loop))


def _take_note(task: asyncio.Task[Any]) -> None:
    # Nobody has to await a wish: what became of one that nobody awaited is no news for the log.
    if not task.cancelled():
        task.exception()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def portal_here() -> Portal:
    """Return a portal to the loop that runs here, or to one in a thread of ours."""
    loop = running_loop()
    return Portal(loop) if loop is not None else Portal(_background_loop())


def nothing_to_do(value: object = None) -> Result:
    """Return what a call that has nothing to wait for gives: awaitable only inside a loop."""
    loop = running_loop()
    if loop is None:
        return value
    future: asyncio.Future[object] = loop.create_future()
    future.set_result(value)
    return future


def run_in_thread(main: Callable[[], Awaitable[None]], name: str) -> threading.Thread:
    """Run a coroutine in a thread and a loop of its own. The thread ends with it."""

    async def run() -> None:
        await main()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name=name, daemon=True)
    thread.start()
    return thread


_lock = threading.Lock()
_shared: list[asyncio.AbstractEventLoop] = []


def _background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop that all blocking users share; its thread lives as long as the process."""
    with _lock:
        if not _shared or _shared[0].is_closed():
            loop = asyncio.new_event_loop()
            _shared[:] = [loop]
            threading.Thread(target=loop.run_forever, name="circus-loop", daemon=True).start()
        return _shared[0]
