"""The loop of an arbiter, as programs know it: asyncio's, with the words of tornado's.

Where a program brings tornado's own loop, that one is taken; tornado is needed for nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from typing import Any, cast


class Loop:
    """A loop that runs when the arbiter is started, or by `run_sync`."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop

    @property
    def asyncio_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of asyncio behind it, made when it is needed."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    def add_callback(self, callback: Callable[..., Any], *args: object, **options: object) -> None:
        """Call a function in the loop; from any thread."""
        self.asyncio_loop.call_soon_threadsafe(partial(callback, *args, **options))

    add_callback_from_signal = add_callback
    spawn_callback = add_callback

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: object
    ) -> asyncio.TimerHandle:
        """Call a function in the loop after some seconds."""
        return self.asyncio_loop.call_later(delay, callback, *args)

    def run_sync(self, work: Callable[[], Any], timeout: float | None = None) -> Any:
        """Run something to its end, and return what it gives."""

        async def run() -> object:
            result = work()
            return await result if isawaitable(result) else result

        if self.asyncio_loop.is_closed():
            self._loop = None
        return self.asyncio_loop.run_until_complete(asyncio.wait_for(run(), timeout))

    def start(self) -> None:
        """Run it until it is stopped."""
        self.asyncio_loop.run_forever()

    def stop(self) -> None:
        """Let it end; from any thread."""
        self.asyncio_loop.call_soon_threadsafe(self.asyncio_loop.stop)

    def close(self, all_fds: bool = False) -> None:
        """Close it."""
        self.asyncio_loop.close()


def of_program(loop: object) -> asyncio.AbstractEventLoop:
    """Return asyncio's loop behind one that a program has: ours, tornado's, or asyncio's own."""
    return cast("asyncio.AbstractEventLoop", getattr(loop, "asyncio_loop", loop))
