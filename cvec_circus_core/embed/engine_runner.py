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
from cvec_circus_core.embed.portal import Portal
from cvec_circus_core.engine import Engine
from cvec_circus_core.model.errors import GaveUp
from cvec_circus_core.requests.audited import insider
from cvec_circus_core.system.signals import DaemonSignals

log = logging.getLogger(__name__)

MakeEngine = Callable[[], Engine]
Settled = Callable[[Home], Awaitable[None]]

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


class Running:
    """One run of an engine, from its start until everything is stopped."""

    def __init__(self, make: MakeEngine, settle: Settled) -> None:
        self._make = make
        self._settle = settle
        self._ready: Future[Home] = Future()
        self._over = threading.Event()

    @property
    def home(self) -> Home | None:
        """Where the watchers live, once it has begun."""
        is_ready = self._ready.done() and self._ready.exception() is None
        return self._ready.result() if is_ready else None

    @property
    def is_over(self) -> bool:
        """Whether everything is stopped, or nothing ever began."""
        return self._over.is_set()

    def run(self) -> None:
        """Run it in this thread until it is stopped. Raises what kept it from starting."""
        asyncio.run(self._main(hears_signals=True))

    def run_in_thread(self) -> None:
        """Run it in a thread of its own; returns once it has started, or raises why not."""
        run = self._main(hears_signals=False)
        threading.Thread(target=self._thread, args=(run,), name="circus-arbiter").start()
        self._ready.result()

    async def run_here(self) -> asyncio.Task[None]:
        """Run it in the loop that runs; returns once it has started, with the task of the run."""
        task = asyncio.get_running_loop().create_task(self._main(hears_signals=False))
        await asyncio.wrap_future(self._ready)
        return task

    def wait_over(self) -> None:
        """Block until everything is stopped; not to be called in its loop."""
        self._over.wait()

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
        home = Home(Portal(engine.loop), engine)
        signals = DaemonSignals(engine.loop)
        try:
            engine.serve()
            if hears_signals:
                signals.install({number: partial(_stop, engine, number) for number in _STOPPING})
            await self._settle(home)
            engine.started()
            self._ready.set_result(home)
            await engine.supervisor.ended.wait()
            if engine.failure is not None:
                raise GaveUp(engine.failure)
        finally:
            await _leave_nobody(engine)
            signals.restore()
            await engine.close()


def _stop(engine: Engine, signum: signal.Signals) -> None:
    if engine.supervisor.is_quitting:
        engine.supervisor.hasten()
    else:
        engine.seen_by(insider(signum.name)).quit()


async def _leave_nobody(engine: Engine) -> None:
    """Stop what runs, also where the run ends by an error."""
    await asyncio.shield(asyncio.ensure_future(_quit(engine)))


async def _quit(engine: Engine) -> None:
    await engine.supervisor.quit()
