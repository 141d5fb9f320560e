"""The life of a large herd under one peer: start, rest, losses, end.

One daemon lives through all of it in this order, with pauses long enough that no worker dies
younger than `SETTLE` seconds: keepers hold back what dies young, and rightly so.
"""

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers import Job, Peer
from tests.benchmarks.results import percentile
from tests.benchmarks.starts import Start, Starts, Worker, now_ns
from tests.benchmarks.yard import Daemon, cpu_seconds, pss_megabytes, sweep, tree

SETTLE = 2.0
NOTHING: dict[str, float] = {}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """How one peer is tried: sizes and patience."""

    worker: Worker
    processes: int
    watchers: int = 1
    idle: float = 0.0
    kills: int = 0
    limit: float = 120.0
    statistics: bool = False


class Herd:
    """One peer with its workers, from the first order to the last sweep."""

    def __init__(self, peer: Peer, trial: Trial, say: Say) -> None:
        self.peer = peer
        self.trial = trial
        self.say = say
        self._not_ours = frozenset(tree(os.getpid())[1:])
        self._folder = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        self.starts = Starts(folder / "starts")
        words = (*trial.worker.words, str(self.starts.path))
        self.job = Job(folder, words, trial.processes, trial.watchers, trial.statistics)

    def __enter__(self) -> "Herd":
        self.starts.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        sweep(spared=self._not_ours)
        self.starts.__exit__()
        self._folder.cleanup()

    def start(self) -> dict[str, float]:
        """Start the daemon; ends when the last of all workers runs."""
        self.say("starting")
        words = self.peer.command(self.job)
        begun = now_ns()
        self.daemon = Daemon(words, self.job.folder, self.peer.environment())
        starts = self._wait(self.job.total)
        return {"start": _seconds(begun, starts[-1].at), "first": _seconds(begun, starts[0].at)}

    def rest(self) -> dict[str, float]:
        """Memory, and the processor time used while nothing happens."""
        if not self.trial.idle:
            return NOTHING
        # Twice as long as elsewhere: what a peer still has to do after a start is no idling.
        time.sleep(2 * SETTLE)
        helpers = self.daemon.helpers(self.starts.alive)
        self.say(f"resting {self.trial.idle:g} s")
        before, begun = cpu_seconds(helpers), now_ns()
        time.sleep(self.trial.idle)
        used = cpu_seconds(helpers) - before
        return {
            "idle_cpu": 100 * used / _seconds(begun, now_ns()),
            "memory": pss_megabytes(helpers),
        }

    def lose_some(self) -> dict[str, float]:
        """Kill one, wait for its replacement, again and again, for as long as patience lasts."""
        if not self.trial.kills:
            return NOTHING
        time.sleep(SETTLE)
        self.say(f"killing {self.trial.kills} one by one")
        took: list[float] = []
        end = time.monotonic() + self.trial.limit / 4
        while len(took) < self.trial.kills and (time.monotonic() < end or len(took) < 3):
            # The pause is by chance, so that a peer that looks every so often is met at any
            # moment between two looks.
            time.sleep(random.uniform(0.03, 0.1 + (took[-1] / 1000 if took else 0)))
            victim = random.choice(tuple(self.starts.alive))
            self.starts.forget({victim})
            begun = now_ns()
            os.kill(victim, signal.SIGKILL)
            took.append(1000 * _seconds(begun, self._wait(1)[0].at))
        return {"replacement_p50": percentile(took, 50), "replacement_p95": percentile(took, 95)}

    def lose_all(self) -> dict[str, float]:
        """Kill all at once; ends when as many run again."""
        if not self.trial.kills:
            return NOTHING
        time.sleep(SETTLE)
        self.say("killing all")
        victims = set(self.starts.alive)
        self.starts.forget(victims)
        begun = now_ns()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        return {"all_back": _seconds(begun, self._wait(len(victims))[-1].at)}

    def stop(self) -> dict[str, float]:
        """Tell the daemon to end; two moments: no worker left, and no daemon left."""
        time.sleep(SETTLE)
        self.say("stopping")
        self.daemon.check()
        begun = now_ns()
        self.daemon.process.send_signal(self.peer.stop_signal)
        stopped = self.starts.wait_all_gone(self.trial.limit)
        self.daemon.process.wait(self.trial.limit)
        return {"stop": _seconds(begun, stopped), "gone": _seconds(begun, now_ns())}

    def _wait(self, count: int) -> list[Start]:
        return self.starts.wait(count, self.trial.limit, self.daemon.check)


def live(peer: Peer, trial: Trial, say: Say) -> dict[str, float]:
    """All of a herd's life; the measures by their keys."""
    with Herd(peer, trial, say) as herd:
        return herd.start() | herd.rest() | herd.lose_some() | herd.lose_all() | herd.stop()


def live_many(peer: Peer, trial: Trial, say: Say) -> dict[str, float]:
    """A much larger herd: only its start and its rest."""
    return _start_and_rest("many", peer, trial, say)


def live_kept(peer: Peer, trial: Trial, say: Say) -> dict[str, float]:
    """What kept output costs, by start and rest."""
    return _start_and_rest("kept", peer, trial, say)


def _start_and_rest(kind: str, peer: Peer, trial: Trial, say: Say) -> dict[str, float]:
    with Herd(peer, trial, say) as herd:
        values = herd.start() | herd.rest()
    return {f"{kind}_{key}": value for key, value in values.items() if key != "first"}


def _seconds(begun: int, ended: int) -> float:
    return (ended - begun) / 1e9
