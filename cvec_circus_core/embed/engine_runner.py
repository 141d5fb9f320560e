"""Running an engine for a library user: in this thread, in one of ours, or in a loop that runs.

RESTING   nothing runs
here      a loop runs already: starting gives something to await, and the loop is its owner's
blocking  no loop runs: `run` returns when all is stopped; SIGINT, SIGTERM and SIGQUIT stop it
          where this is the main thread
thread    in a thread of its own, whose signals are nobody's business
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial

from cvec_circus_core.embed.home import Home
from cvec_circus_core.embed.portal import Portal, Result, nothing_to_do
from cvec_circus_core.engine import Engine
from cvec_circus_core.model.errors import GaveUp
from cvec_circus_core.requests.audited import insider
from cvec_circus_core.system.signals import DaemonSignals

log = logging.getLogger(__name__)

MakeEngine = Callable[[], Engine]
MakeLoop = Callable[[], asyncio.AbstractEventLoop]
Settled = Callable[[Home], Awaitable[None]]

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
_GLANCE = 0.2
"""Seconds after which one who waits looks whether the loop still runs."""


class Running:
    """One run of an engine, from its start until everything is stopped.

    ``on_signal`` is called in the loop at the first of the signals that stop it.
    """

    def __init__(
        self, make: MakeEngine, settle: Settled, on_signal: Callable[[], object] | None = None
    ) -> None:
        self._make = make
        self._settle = settle
        self._on_signal = on_signal
        self._ready: Future[None] = Future()
        self._over = threading.Event()
        self._is_called_off = False
        self._task: asyncio.Task[None] | None = None
        self.home: Home | None = None
        """Where the watchers live, from the moment at which the endpoints are bound."""

    @property
    def is_ready(self) -> bool:
        """Whether it has started."""
        return self._ready.done() and self._ready.exception() is None

    @property
    def is_over(self) -> bool:
        """Whether everything is stopped, or nothing ever began, or its loop was closed."""
        return self._over.is_set() or (self.home is not None and self.home.portal.is_closed)

    def run(self, make_loop: MakeLoop | None = None) -> None:
        """Run it in this thread until it is stopped. Raises what kept it from starting."""
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(self._main(hears_signals=True))

    def run_in_thread(self) -> None:
        """Run it in a thread of its own; returns once it has started, or raises why not."""
        run = self._main(hears_signals=False)
        threading.Thread(target=self._thread, args=(run,), name="circus-arbiter").start()
        self._ready.result()

    def run_here(self) -> asyncio.Task[asyncio.Task[None]]:
        """Run it in the loop that runs, from now on.

        Awaiting the result ends once it has started, with the task of the run.
        """
        loop = asyncio.get_running_loop()
        task = self._task = loop.create_task(self._main(hears_signals=False))

        async def started() -> asyncio.Task[None]:
            await asyncio.shield(asyncio.wrap_future(self._ready))
            return task

        return loop.create_task(started())

    def stop(self) -> Result:
        """Stop every process, and end: awaitable inside its loop, blocking outside.

        Where it is starting, nothing more is started.
        """
        self._is_called_off = True
        home = self.home
        if home is None:
            # The loop may be the caller's own, which must not be waited for.
            return self._over.wait() if self._task is None else nothing_to_do()
        stopped = home.portal.run(partial(_quit, home))
        if not home.portal.is_inside:
            self._wait_over(home)
        return stopped

    def _wait_over(self, home: Home) -> None:
        task = self._task
        while not self._over.wait(_GLANCE):
            if home.portal.is_closed:
                return
            if task is not None and not home.portal.loop.is_running():
                home.portal.loop.run_until_complete(asyncio.wait([task]))

    def _thread(self, run: Awaitable[None]) -> None:
        async def main() -> None:
            await run

        try:
            asyncio.run(main())
        except GaveUp as error:
            log.critical("%s; with on_failure = exit, that ends the arbiter", error)
        except Exception:
            if not self._ready.done() or self._ready.exception() is None:
                log.exception("the arbiter in the background failed")

    async def _main(self, *, hears_signals: bool) -> None:
        try:
            await self._live(hears_signals=hears_signals)
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise
        finally:
            self._over.set()

    async def _live(self, *, hears_signals: bool) -> None:
        engine = self._make()
        signals = DaemonSignals(engine.loop)
        try:
            engine.serve()
            if hears_signals:
                act = self._hear
                signals.install({number: partial(act, engine, number) for number in _STOPPING})
            home = self.home = Home(Portal(engine.loop), engine)
            if not self._is_called_off:
                await self._settle(home)
                engine.started()
            self._ready.set_result(None)
            if not self._is_called_off:
                await engine.supervisor.ended.wait()
            if engine.failure is not None:
                raise GaveUp(engine.failure)
        finally:
            await _leave_nobody(engine)
            signals.restore()
            await engine.close()

    def _hear(self, engine: Engine, signum: signal.Signals) -> None:
        if engine.supervisor.is_quitting:
            engine.supervisor.hasten()
        elif self._on_signal is not None:
            self._on_signal()
        else:
            engine.seen_by(insider(signum.name)).quit()


async def _quit(home: Home) -> None:
    await home.supervisor.quit()


async def _leave_nobody(engine: Engine) -> None:
    """Stop what runs, also where the run ends by an error."""
    await asyncio.shield(asyncio.ensure_future(_quit_engine(engine)))


async def _quit_engine(engine: Engine) -> None:
    await engine.supervisor.quit()
