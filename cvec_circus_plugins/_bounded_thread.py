"""Work that may hang, done in a thread of its own, one piece at a time, with a limit in seconds.

A thread can not be ended, only left behind. The pool of asyncio is not used for that: its threads
are waited for when a plugin ends, and a full pool would hold up whatever else needs one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class Errand:
    """One kind of work; where the last piece still hangs, the next one is not begun."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._free = asyncio.Event()
        self._free.set()

    async def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """Return what the work gives. Raises what it raises, and TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._free.wait()
            self._free.clear()
            loop = asyncio.get_running_loop()
            done: asyncio.Future[Result] = loop.create_future()
            threading.Thread(
                target=self._work, args=(work, done, loop), name=self._name, daemon=True
            ).start()
            return await done

    def _work(
        self,
        work: Callable[[], Any],
        done: asyncio.Future[Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        try:
            result, error = work(), None
        except Exception as raised:
            result, error = None, raised
        try:
            loop.call_soon_threadsafe(self._free.set)
            loop.call_soon_threadsafe(_settle, done, result, error)
        except RuntimeError:
            pass  # The plugin has ended meanwhile.


def _settle(done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
