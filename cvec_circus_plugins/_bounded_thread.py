"""Work that may hang, done in a thread of its own, one piece at a time, with a limit in seconds.

A thread can not be ended, only left behind. The pool of asyncio is not used for that: its threads
are waited for when a plugin ends, and a full pool would hold up whatever else needs one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")


class BoundedThread:
    """One kind of work; where the last piece still hangs, the next one is not begun."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """Return what the work gives. Raises what it raises, and TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._idle.wait()
            self._idle.clear()
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Result] = loop.create_future()
            threading.Thread(
                target=self._work, args=(work, future, loop), name=self._name, daemon=True
            ).start()
            return await future

    def _work(
        self,
        work: Callable[[], Result],
        future: asyncio.Future[Result],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        settle: Callable[[], None]
        try:
            settle = partial(future.set_result, work())
        except Exception as error:
            settle = partial(future.set_exception, error)
        try:
            loop.call_soon_threadsafe(self._idle.set)
            loop.call_soon_threadsafe(_unless_done, future, settle)
        except RuntimeError:
            pass  # The plugin has ended meanwhile.


def _unless_done(future: asyncio.Future[Result], settle: Callable[[], None]) -> None:
    if not future.done():
        settle()
