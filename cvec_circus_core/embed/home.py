"""Where a library object's watchers live: an engine in a loop, reached through a portal."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from cvec_circus_core.embed.portal import Portal, Result, portal_here, running_loop
from cvec_circus_core.engine import Engine, Parts
from cvec_circus_core.extend.ports import Supervisor, Ticket, WatcherPort
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.requests.audited import insider

T = TypeVar("T")


class Home:
    """An engine and the way into its loop. Made once the loop is known, closed when all is done."""

    def __init__(self, portal: Portal, engine: Engine) -> None:
        self.portal = portal
        self.engine = engine
        self.supervisor: Supervisor = engine.seen_by(insider("the program itself"))

    @classmethod
    def alone(cls) -> Home:
        """Make one without endpoints, for a watcher on its own."""
        portal = portal_here()
        return cls(portal, portal.ask(lambda: Engine(Configuration(), Parts(serves=False))))

    def do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Result:
        """Do something that takes time: awaitable inside the loop, blocking outside."""
        return self.portal.run(work)

    def ask(self, question: Callable[[], T]) -> T:
        """Ask something that takes no time."""
        return self.portal.ask(question)

    def wish(self, make: Callable[[], Ticket], result: Callable[[Done], T]) -> Result:
        """Make a wish, and give what comes of it: awaitable inside the loop, blocking outside.

        What is wrong with the wish itself is raised at once.
        """
        if not self.portal.is_inside:
            # In one go: the loop of an arbiter that quits may be gone by the time of a second one.
            return self.do(partial(_outcome, make, result))
        ticket = self.ask(make)
        return self.do(partial(_outcome, lambda: ticket, result))

    def watcher(self, name: str) -> WatcherPort:
        """Return a watcher; only to be used in the loop."""
        return self.supervisor.watcher(name)

    async def close(self) -> None:
        """Take the engine down."""
        await self.engine.close()

    @property
    def is_usable(self) -> bool:
        """Whether its loop can still be asked: it runs, or can be run here."""
        loop = self.portal.loop
        return loop.is_running() or not (loop.is_closed() or running_loop())


async def _outcome(make: Callable[[], Ticket], result: Callable[[Done], T]) -> T:
    return result(await make())
