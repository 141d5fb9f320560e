"""What Unix signals mean to the daemon: they act by the port that commands use, and are audited."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from functools import partial

from cvec_circus_core.daemon.logs import reopen
from cvec_circus_core.daemon.shutdown import Shutdown
from cvec_circus_core.engine import Engine
from cvec_circus_core.requests.audited import insider
from cvec_circus_core.system.processes.orphans import OrphanReaper
from cvec_circus_core.system.processes.process_table import child_pids
from cvec_circus_core.system.signals import DaemonSignals

log = logging.getLogger(__name__)

_STOPPING = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU, signal.SIGTRAP),
    *(signal.SIGABRT, signal.SIGSYS),
    *(number for name in ("SIGPWR", "SIGSTKFLT") if (number := getattr(signal, name, None))),
    *(range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()),
)
"""All that would end a program which does not handle them, and that nobody sends for less."""
_MEAN_NOTHING = (signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO)
"""Signals that nobody should send, and that would end a program which does not handle them."""


def hear_signals(engine: Engine, ending: Shutdown, *, reaps: bool) -> Callable[[], None]:
    """Let Unix signals act by the port that commands use; return what ends that.

    ``reaps`` says that orphans are given to us.
    """
    inherited = child_pids(os.getpid())
    orphans = OrphanReaper(engine.loop, engine.processes.__contains__, inherited)
    signals = DaemonSignals(engine.loop)
    signals.install(
        {
            **{number: partial(ending.ask, number) for number in _STOPPING},
            signal.SIGHUP: partial(_reload, engine),
            signal.SIGUSR1: partial(_reopen, engine),
            **({signal.SIGCHLD: orphans.child_died} if reaps else {}),
            **{number: partial(_wonder, number) for number in _MEAN_NOTHING},
        }
    )

    def end() -> None:
        orphans.close()
        signals.restore()

    return end


def _wonder(number: signal.Signals) -> None:
    log.info("%s means nothing here; circusctl has all commands", number.name)


def _reload(engine: Engine) -> None:
    log.info("SIGHUP: reloading everything")
    reopen()
    engine.mend_endpoints()
    surface = engine.seen_by(insider("SIGHUP"))
    surface.reopen_all()
    surface.reload_all()


def _reopen(engine: Engine) -> None:
    log.info("SIGUSR1: opening the log and the files of all streams anew")
    reopen()
    engine.mend_endpoints()
    engine.seen_by(insider("SIGUSR1")).reopen_all()
