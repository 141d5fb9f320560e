"""Directories that are watched by the kernel's means, through watchfiles.

What editors and tools leave behind (``.git``, ``__pycache__``, swap files) is left out. A directory
is known by its inode as well: one that was taken away and made anew counts as changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from watchfiles import awatch

log = logging.getLogger("circus.plugins.command_reloader")

STEP = 50
"""Milliseconds within which changes are gathered. Whether more are to come is for others to say."""

Tell = Callable[[Iterable[Path]], None]


class Directories:
    """Tells which files below the directories that are wanted have changed."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._seen: dict[Path, tuple[int, int]] = {}
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def want(self, paths: Iterable[Path]) -> None:
        """Watch these from now on, as far as they are there."""
        seen = {path: known for path in paths if (known := _identity(path)) is not None}
        if seen == self._seen:
            return
        renewed = [path for path, known in seen.items() if self._seen.get(path, known) != known]
        self._seen = seen
        self._over.set()
        self._over = asyncio.Event()
        if seen:
            task = asyncio.create_task(self._watch(tuple(seen), self._over), name="directories")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if renewed:
            self._tell(renewed)

    async def close(self) -> None:
        """Watch no more."""
        self._over.set()
        await asyncio.gather(*self._tasks)

    async def _watch(self, paths: tuple[Path, ...], over: asyncio.Event) -> None:
        changes = awatch(*paths, stop_event=over, step=STEP, debounce=2 * STEP)
        try:
            async for some in changes:
                self._tell(Path(path) for _, path in some)
        except Exception as error:
            # Any path may vanish at any time; what is there is watched anew at the next look.
            log.warning("directories can not be watched: %s", error)
            if self._over is over:
                self._seen = {}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
