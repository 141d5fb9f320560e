"""The event loop of a plugin: asyncio's, with the words by which older plugins know theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial


class PluginEventLoop(asyncio.SelectorEventLoop):
    """A loop that is there before it runs: what is put into it then is done later."""

    def add_callback(
        self, callback: Callable[..., object], *args: object, **options: object
    ) -> None:
        """Call a function in the loop; from any thread."""
        self.call_soon_threadsafe(partial(callback, *args, **options))

    add_callback_from_signal = add_callback
    spawn_callback = add_callback

    def add_timeout(
        self,
        deadline: float | timedelta,
        callback: Callable[..., object],
        *args: object,
        **options: object,
    ) -> asyncio.TimerHandle:
        """Call a function after some time, or at a moment of Unix time or of ``loop.time()``."""
        if isinstance(deadline, timedelta):
            delay = deadline.total_seconds()
        else:
            delay = min((deadline - now for now in (_unix_time(), self.time())), key=abs)
        return self.call_later(max(0.0, delay), partial(callback, *args, **options))

    def remove_timeout(self, timeout: asyncio.TimerHandle) -> None:
        """Take back what `add_timeout` or `call_later` has given."""
        timeout.cancel()


def _unix_time() -> float:
    return datetime.now().timestamp()
