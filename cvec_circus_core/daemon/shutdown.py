"""How a daemon ends: gracefully, at once if it must be, and always, with nobody left behind.

A first stop signal asks the watchers, who know about graces. A second one asks nobody: every tree
is killed directly, and the daemon ends some seconds later at most, whatever the machines of its
watchers say. Either way what is left then is stopped: processes that a broken watcher forgot, and
adopted descendants whose origin nobody knows. Only those that were left running on purpose
(``rm --nostop``) go on.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import Any

from cvec_circus_core.engine import Engine
from cvec_circus_core.model.signal_names import signal_name
from cvec_circus_core.requests.audited import insider
from cvec_circus_core.system.protocols import Scope, SignalResult

log = logging.getLogger(__name__)

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL for those that no watcher stops."""
AT_MOST = 3.0
"""Seconds that may pass between SIGKILL to everybody and the end."""
ONE_SIGNAL = 0.5
"""Seconds in which a signal that comes twice was sent once: wrappers such as ``timeout`` send it to
their child and to its group."""
_LOOK_AGAIN = 0.02


class Shutdown:
    """The end of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: tuple[int, float] | None = None
        """The first stop signal and when it came."""
        self._is_forced = asyncio.Event()
        self._killed: frozenset[int] = frozenset()

    def ask(self, signum: int) -> None:
        """Take a stop signal: the first one asks, a later one kills."""
        name, now = signal_name(signum), self._engine.clock.now()
        if self._asked is None:
            self._asked = (signum, now)
            if self._engine.supervisor.is_quitting:
                log.info("%s: everything is stopping already; once more kills what is left", name)
                return
            log.info("%s: stopping everything", name)
            self._engine.seen_by(insider(name)).quit()
        elif self._asked[0] == signum and now - self._asked[1] < ONE_SIGNAL:
            log.debug("%s came twice at once: that is one", name)
        else:
            log.warning("%s again: killing what is left", name)
            self._kill()

    async def wait(self) -> None:
        """Return when the engine may be taken down: everybody has gone."""
        await _first_of(self._engine.supervisor.ended.wait(), self._is_forced.wait())
        if not self._is_forced.is_set():
            await _first_of(self._stop_leftover(), self._is_forced.wait())
        if self._is_forced.is_set():
            await self._see_them_go()

    def _kill(self) -> None:
        self._engine.outputs.hurry()
        self._engine.processes.refuse_spawns()
        try:
            self._engine.supervisor.hasten()
        except Exception:
            log.exception("a watcher can not be hurried; going on with the others")
        self._killed |= self._left()
        self._signal(self._left(), signal.SIGKILL)
        self._is_forced.set()

    async def _stop_leftover(self) -> None:
        """Stop, with a grace, what the watchers have not."""
        self._engine.processes.refuse_spawns()
        remaining, grace = self._left(), self._grace()
        if remaining:
            log.error("stopping %d processes that their watchers did not stop", len(remaining))
            self._signal(remaining, signal.SIGTERM)
            await self._gone(remaining, grace)
            self._signal(remaining & self._left(), signal.SIGKILL)
            await self._gone(remaining, AT_MOST)
        await self._swept(remaining, signal.SIGTERM, grace)

    def _grace(self) -> float:
        """Return the seconds for what no watcher stops: a part of what shutdown_timeout leaves."""
        return min(GRACE, max(0.0, self._engine.supervisor.end_by - self._engine.clock.now()) / 2)

    async def _see_them_go(self) -> None:
        """Wait for what was killed, and for the watchers to tell of it, but not for long."""
        try:
            async with asyncio.timeout(AT_MOST):
                await self._engine.supervisor.ended.wait()
        except TimeoutError:
            log.error("a watcher does not see that its processes have gone; ending all the same")
        await self._gone(self._killed, AT_MOST)
        try:
            async with asyncio.timeout(AT_MOST):
                await self._swept(self._killed, signal.SIGKILL, 0.0)
        except TimeoutError:
            log.error("not everybody has gone; ending all the same")

    def _left(self) -> frozenset[int]:
        return self._engine.processes.alive() - self._engine.supervisor.detached_pids()

    def _signal(self, pids: Iterable[int], signum: int) -> None:
        for pid in pids:
            self._engine.processes.signal(pid, signum, Scope.TREE, _log_refusal)

    async def _gone(self, pids: frozenset[int], seconds: float) -> None:
        """Wait until processes have ended, for so long at most."""
        clock, processes = self._engine.clock, self._engine.processes
        ends_at = clock.now() + seconds
        # Who would tell us of these ends is the watcher that is broken.
        while pids & processes.alive() and clock.now() < ends_at:  # noqa: ASYNC110 (see above)
            await asyncio.sleep(_LOOK_AGAIN)

    async def _swept(self, pids: frozenset[int], signum: int, grace: float) -> None:
        """Sweep some trees and then the strays, and wait for it."""
        processes = self._engine.processes
        ends = {pid: self._new_end() for pid in pids}
        for pid, end in ends.items():
            processes.kill_leftovers(pid, signum, grace, partial(_settle, end))
        await asyncio.gather(*ends.values())
        last = self._new_end()
        processes.kill_orphans(signum, grace, partial(_settle, last))
        await last

    def _new_end(self) -> asyncio.Future[None]:
        return self._engine.loop.create_future()


def _log_refusal(result: SignalResult) -> None:
    if result.problem:
        log.warning("%s", result.problem)


def _settle(end: asyncio.Future[None], pid: int) -> None:
    if not end.done():
        end.set_result(None)


async def _first_of(*ends: Coroutine[Any, Any, object]) -> None:
    """Wait for one of several; the others are cancelled."""
    tasks = [asyncio.ensure_future(end) for end in ends]
    try:
        finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in finished:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
