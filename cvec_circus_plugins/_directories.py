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

OnChanges = Callable[[Iterable[Path]], None]


class DirectoryWatcher:
    """Tells which files below the directories that are wanted have changed."""

    def __init__(self, on_changes: OnChanges) -> None:
        self._on_changes = on_changes
        self._identities: dict[Path, tuple[int, int]] = {}
        self._stop_event = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, paths: Iterable[Path]) -> None:
        """Watch these from now on, as far as they are there."""
        identities = {path: identity for path in paths if (identity := _identity(path)) is not None}
        if identities == self._identities:
            return
        replaced = [
            path
            for path, identity in identities.items()
            if self._identities.get(path, identity) != identity
        ]
        self._identities = identities
        self._stop_event.set()
        self._stop_event = asyncio.Event()
        if identities:
            task = asyncio.create_task(
                self._watch(tuple(identities), self._stop_event), name="directories"
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if replaced:
            self._on_changes(replaced)

    async def close(self) -> None:
        """Watch no more."""
        self._stop_event.set()
        await asyncio.gather(*self._tasks)

    async def _watch(self, paths: tuple[Path, ...], stop_event: asyncio.Event) -> None:
        changes = awatch(*paths, stop_event=stop_event, step=STEP, debounce=2 * STEP)
        try:
            async for batch in changes:
                self._on_changes(Path(path) for _, path in batch)
        except Exception as error:
            # Any path may vanish at any time; what is there is watched anew at the next look.
            log.warning("directories can not be watched: %s", error)
            if self._stop_event is stop_event:
                self._identities = {}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
