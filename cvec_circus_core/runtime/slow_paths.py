"""Spawns wait for the file systems that their paths are on, and nobody else does.

A process whose folder, program or file of variables is at a server that does not answer can not be
started, and a try would hang with it, the loop first. So, where a path is on such a file system
at all, a thread looks there before, one for each; and what did not answer is tried again as a fault
of the machine.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import partial

from cvec_circus_core.model.shortages import shortage_of
from cvec_circus_core.model.text import quoted
from cvec_circus_core.system.remote_mounts import RemoteMounts
from cvec_circus_core.system.whole_files import ReadingThread


class SlowPaths:
    """Lets work begin once the paths that it needs have answered."""

    def __init__(self, mounts: RemoteMounts | None = None) -> None:
        self._mounts = mounts or RemoteMounts()
        self._threads: dict[str, ReadingThread] = {}
        self._waits: set[asyncio.Task[None]] = set()

    def when_answering(
        self,
        paths: Callable[[], Iterable[str]],
        act: Callable[[], None],
        refuse: Callable[[str], None],
    ) -> None:
        """Act at once where no path can hang; else once all have answered, or refuse."""
        slow = self._slow(paths()) if self._mounts.any() else {}
        if not slow:
            act()
            return
        wait = asyncio.get_running_loop().create_task(
            self._wait(slow, act, refuse), name="slow paths"
        )
        self._waits.add(wait)
        wait.add_done_callback(self._waits.discard)

    def close(self) -> None:
        """Act and refuse no more."""
        for wait in self._waits:
            wait.cancel()
        self._mounts.close()

    def _slow(self, paths: Iterable[str]) -> dict[str, list[str]]:
        slow: dict[str, list[str]] = {}
        for path in paths:
            if (place := self._mounts.place_of(path)) is not None:
                slow.setdefault(place, []).append(path)
        return slow

    async def _wait(
        self, slow: dict[str, list[str]], act: Callable[[], None], refuse: Callable[[str], None]
    ) -> None:
        for place, paths in slow.items():
            thread = self._threads.setdefault(place, ReadingThread())
            try:
                await thread.run(partial(_look_at, paths))
            except TimeoutError as error:
                refuse(f"{quoted(paths[0])} does not answer: {error.strerror}")
                return
            except RuntimeError as error:
                refuse(shortage_of(error) or str(error))
                return
        act()


def _look_at(paths: Iterable[str]) -> None:
    for path in paths:
        os.path.exists(path)
