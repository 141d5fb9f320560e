"""The brain as a child of the keeper: started, started again, and told what the keeper is told.

A brain that dies is replaced at once. One that dies again within `STEADY` seconds, or before it is
ready, is replaced after a pause that grows each time, and after `MANY` such deaths in a row it is
told that workers are in nobody's care meanwhile. SIGKILL does not count once there is one that is
ready: it is somebody's wish, and no fault of the brain's. Signals that come meanwhile are for the
next one.

One that does not answer for too long is killed (`brain_watch.py`).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from cvec_circus_core import __version__
from cvec_circus_core.keeper.brain_watch import BrainWatch
from cvec_circus_core.keeper.channel import BrainChannel
from cvec_circus_core.keeper.keeper_service import KeeperService
from cvec_circus_core.keeper.standbys import Standbys
from cvec_circus_core.keeper.upgrade_trial import TrialWatch
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan, Stdio
from cvec_circus_core.system.clock import unix_time
from cvec_circus_core.system.keeper_client import keeper_wire as wire
from cvec_circus_core.system.keeper_client.successor import SHARES
from cvec_circus_core.system.processes.local import LocalProcesses
from cvec_circus_core.system.processes.state_file import DAEMON_TITLE
from cvec_circus_core.system.protocols import SpawnResult
from cvec_circus_core.system.state_store import TakeoverData

log = logging.getLogger(__name__)

PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds before a brain is started again that died quickly; they double each time."""
STEADY = 10.0
"""Seconds after which a brain that has been ready is well: deaths before do not count any more."""
MANY = 5
"""Quick deaths in a row that are told of."""

_FOR_THE_REPLY = 0.5
"""Seconds in which who asked for an upgrade can see that it is done."""
_REMEMBERED = 10
"""Ends of brains that are told."""
_BRAIN = TakeoverData(title=DAEMON_TITLE)
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

OnOver = Callable[[int], None]
"""Takes the exit code of a brain that ended for good."""


class Brain:
    """The present brain, or the next one."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        processes: LocalProcesses,
        argv: Sequence[str],
        on_over: OnOver,
    ) -> None:
        self.service: KeeperService | None = None
        self.starts = 0
        self.last_end: str = ""
        """How the last one that died has ended."""
        self._loop = loop
        self._processes = processes
        self.argv = tuple(argv)
        """The command of the present one, or the next."""
        self._on_over = on_over
        self._reason = ""
        """Why the present one was killed by us."""
        self._channel: BrainChannel | None = None
        self._pid: int | None = None
        self._is_ready = False
        self._was_ready = False
        """Whether any brain has been ready."""
        self._is_leaving = False
        self._ready_at = 0.0
        self.failures = 0
        """Quick deaths in a row."""
        self._unready_deaths = 0
        self.watch = BrainWatch(loop, self.ask, self._kill_silent)
        self._last_stop: int | None = None
        """The stop signal that this one was sent last: it may have died before it took it."""
        self._pending_signals: list[int] = []
        self._restart: TimerHandle | None = None
        self._since = unix_time()
        self._ends: list[tuple[float, str]] = []
        """When brains have died, and how."""
        self._answers = False
        """Whether the present one answers when it is asked."""
        self.exchange_with: str | None = None
        """The interpreter with the keeper's code that is to follow ours once a trial is done."""
        self.on_exchange: Callable[[str], None] = _stay
        self.trials = TrialWatch(loop, self.ask, self._kill, self._on_trial_change)
        self.standbys = Standbys(processes, self._ended)

    def facts(self) -> dict[str, object]:
        """Return what is told of the keeper and of the brains that it has had."""
        trial = self.trials.trial
        return {
            "pid": os.getpid(),
            "version": __version__,
            "python": sys.executable,
            "since": self._since,
            "starts": self.starts,
            "last_end": self.last_end,
            "ends": self._ends[-_REMEMBERED:],
            "upgrade": {} if trial is None else trial.facts(),
            SHARES: True,
        }

    def resume(self, facts: Mapping[str, Any], *, was_killed: bool) -> None:
        """Go on with the account of the keeper before us, which ``was_killed`` or exchanged."""
        self.starts = facts.get("starts", 0)
        self.last_end, self._ends = facts.get("last_end", ""), [*facts.get("ends", ())]
        if was_killed:
            self.last_end = "has made way for another keeper, for the one before was gone"
            self._ends.append((unix_time(), self.last_end))
        self._was_ready = True
        self.trials.resume(facts.get("upgrade", {}), self.argv)
        for pid, connection in facts.get("standbys", ()):
            self.standbys.add(pid, socket.socket(fileno=connection), self.trials.edition)

    def facts_for_keeper(self) -> dict[str, object]:
        """Return the account for the keeper after us, with the standbys that it can have."""
        return {**self.facts(), "standbys": self.standbys.hand_on(self.trials.edition)}

    def upgrade(self, python: str, watch: float, limit: float) -> None:
        """Have the next one run other code, and end this one for it."""
        self.trials.plan(python, self.argv, watch, limit)

    def can_answer(self) -> None:
        """Be told that the brain answers when it is asked."""
        self._answers = True

    def ask(self, number: int = 0) -> bool:
        """Have the brain answer that it goes on; return False where it can not, or is none yet.

        The number says who wants to know, and comes back with the answer.
        """
        can_answer = self._answers and self._is_ready and self._channel is not None
        if can_answer and self._channel is not None:
            self._channel.tell("ask", number)
        return can_answer

    def _kill(self) -> None:
        if self._pid is not None:
            self._processes.signal(self._pid, signal.SIGKILL)

    def _on_trial_change(self) -> None:
        self.standbys.keep_only(self.trials.edition)
        if not self.trials.is_done:
            self.exchange_with = None
        elif self.exchange_with is not None:
            self._reason = "was ended for the exchange of the keeper"
            self._loop.call_later(_FOR_THE_REPLY, self._kill)
        if self._channel is not None and self._answers:
            self._channel.tell("facts", 0, self.facts())

    def start(self) -> None:
        """Start one."""
        assert self.service is not None
        self._restart = None
        self._is_ready = self._is_leaving = False
        standby = self.standbys.take(self.trials.edition)
        if standby is None:
            connection = self._load()
        else:
            self._pid, connection = standby.pid, standby.connection
        if connection is None:
            self.failures += 1
            self._unready_deaths += 1
            self._retry()
            return
        self.starts += 1
        self.watch.patience = 0.0
        self._channel = BrainChannel(self._loop, connection, self.service.hear)
        self._answers = False
        self.service.serve(self._channel, self.facts())

    def _load(self) -> socket.socket | None:
        """Start one that has to load its code first; return the connection to it."""
        ours, theirs = wire.pair()
        try:
            plan = LaunchPlan(argv=self.argv, env=dict(os.environ))
            stdio = Stdio(stdin=theirs.fileno())
            self._processes.spawn(plan, stdio, self._on_spawned, self._ended, _BRAIN)
        finally:
            theirs.close()
        if self._pid is None:
            ours.close()
            return None
        return ours

    def add_standby(self, pid: int, connection: socket.socket) -> None:
        """Take in a process that can be the next one."""
        if self._is_leaving:
            connection.close()
        else:
            self.standbys.add(pid, connection, self.trials.edition)

    def signal(self, signum: int) -> None:
        """Hand on a signal, at once or as soon as there is a brain that can take it."""
        if self._pid is not None and self._is_ready:
            if signum in _STOPPING:
                self._last_stop = signum
            self._processes.signal(self._pid, signum)
        elif self._pid is None and not self._was_ready and signum != signal.SIGHUP:
            self.standbys.end(partial(self._on_over, 1))
        else:
            self._pending_signals.append(signum)

    def became_ready(self) -> None:
        """Note that it serves."""
        self._is_ready = self._was_ready = True
        self._ready_at = self._loop.time()
        if self._pid is not None:
            self.watch.begin(self._pid)
        self.trials.became_ready()
        pending, self._pending_signals = self._pending_signals, []
        for signum in pending:
            self.signal(signum)

    def leaves(self) -> None:
        """Note that it is about to end for good."""
        self._is_leaving = True
        self.watch.end()

    def _kill_silent(self, seconds: float) -> None:
        self._reason = f"did not answer for {seconds:.0f} s and was killed"
        log.error("the brain (pid %s) is silent for %.0f s: killing it", self._pid, seconds)
        self._kill()

    def _on_spawned(self, result: SpawnResult) -> None:
        self._pid = result.pid
        if result.pid is None:
            log.error("the brain can not be started: %s", result.problem)

    def _ended(self, pid: int, end: Exit) -> None:
        assert self.service is not None
        self.watch.end()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self.service.leave()
        self._pid = None
        if end.left_behind:
            self._processes.kill_leftovers(pid, signal.SIGKILL, 0.0, lambda _: None)
        has_failed = not self._was_ready and end.code is not None and end.code >= 0
        if self._is_leaving or has_failed:
            code = 1 if end.code is None or end.code < 0 else end.code
            self.standbys.end(partial(self._on_over, code))
            return
        if self._last_stop is not None:
            self._pending_signals.append(self._last_stop)
            self._last_stop = None
        reason, self._reason = self._reason or _told(end), ""
        self.last_end = self.trials.reason(reason)
        log.error("the brain (pid %d) %s; its work is taken over by another", pid, self.last_end)
        self._ends.append((unix_time(), self.last_end))
        if self.trials.is_under_way:
            # The next one is of other code: how this one ended is no reason to wait.
            self.failures = self._unready_deaths = 0
            self.argv = self.trials.next_argv(self.argv, self.last_end)
        else:
            self._count_death(is_wanted=end.code == -signal.SIGKILL)
        if self.exchange_with is not None and self.trials.is_done:
            python, self.exchange_with = self.exchange_with, None
            self.on_exchange(python)
        self._retry()

    def _count_death(self, *, is_wanted: bool) -> None:
        if self._is_ready and self._loop.time() - self._ready_at >= STEADY:
            self.failures = 0
        self._unready_deaths = 0 if self._is_ready else self._unready_deaths + 1
        if is_wanted:
            return
        self.failures += 1
        if self.failures >= MANY and self.failures % MANY == 0:
            log.critical(
                "the brain has died %d times in a row, the last one %s: processes go on, but "
                "nobody replaces them; it is tried again every %g s",
                *(self.failures, self.last_end, LONGEST_PAUSE),
            )

    def _retry(self) -> None:
        self._is_ready = False
        in_a_row = max(self.failures - 1, self._unready_deaths)
        if not in_a_row:
            self.start()
            return
        # Perhaps it is the code that it had loaded, and somebody has mended that.
        self.standbys.drop_all()
        pause = min(PAUSE * 2 ** min(in_a_row - 1, 10), LONGEST_PAUSE)
        self._restart = self._loop.call_later(pause, self.start)

    def close(self) -> None:
        """Start none any more."""
        self.watch.end()
        self.trials.close()
        if self._restart is not None:
            self._restart.cancel()


def _stay(python: str) -> None:
    """Be the keeper still."""


def _told(end: Exit) -> str:
    if end.code is None:
        return "ended"
    if end.code >= 0:
        return f"ended with exit code {end.code}"
    try:
        return f"was ended by {signal.Signals(-end.code).name}"
    except ValueError:
        return f"was ended by signal {-end.code}"
