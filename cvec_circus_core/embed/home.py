"""Where a library object's watchers live: an engine in a loop, reached through a portal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from cvec_circus_core.embed.portal import Portal, portal_here
from cvec_circus_core.engine import Engine, Parts
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.runtime.watcher import WatcherActor

T = TypeVar("T")


class Home:
    """An engine and the way into its loop. Made once the loop is known, closed when all is done."""

    def __init__(self, portal: Portal, engine: Engine) -> None:
        self.portal = portal
        self.engine = engine

    @classmethod
    def alone(cls) -> Home:
        """Make one without endpoints, for a watcher on its own."""
        portal = portal_here()
        return cls(portal, portal.ask(lambda: Engine(Configuration(), Parts(serves=False))))

    def do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Any:
        """Do something that takes time: awaitable inside the loop, blocking outside."""
        return self.portal.run(work)

    def ask(self, question: Callable[[], T]) -> T:
        """Ask something that takes no time."""
        return self.portal.ask(question)

    def actor(self, name: str) -> WatcherActor:
        """Return a watcher's actor; only to be used in the loop."""
        return self.engine.arbiter.watcher(name)

    async def close(self) -> None:
        """Take the engine down."""
        await self.engine.close()

    @property
    def is_usable(self) -> bool:
        """Whether its loop still runs."""
        loop: asyncio.AbstractEventLoop = self.portal.loop
        return loop.is_running() and not loop.is_closed()
