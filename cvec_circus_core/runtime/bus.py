"""The bus inside the daemon: events are numbered, timed and told to every listener.

One bad listener hurts nobody: its exception is logged with its name, and the others are told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from cvec_circus_core.model.events import Event, Told
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

Listener = Callable[[Told], None]


class Bus:
    """Tells events, in order, to anyone who listens."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: dict[str, Listener] = {}
        self._counts: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many events of watchers were told so far: the number of the last one."""
        return self._counts.get("watcher", 0)

    def listen(self, name: str, listener: Listener) -> None:
        """Tell every later event to a listener; the name stands in the log."""
        self._listeners[name] = listener

    def leave(self, name: str) -> None:
        """Tell a listener nothing more."""
        self._listeners.pop(name, None)

    def tell(self, event: Event) -> None:
        """Tell an event to all."""
        number = self._counts[event.family] = self._counts.get(event.family, 0) + 1
        told = Told(event, number, self._clock.wall())
        for name, listener in tuple(self._listeners.items()):
            try:
                listener(told)
            except Exception:
                log.exception("listener %s failed on %s; the others were told", name, told.topic)
