"""What a peer is: how it is told its work, started and asked to end."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Job:
    """Keep `processes` copies of `worker` in each of `watchers` groups; `folder` is free to use."""

    folder: Path
    worker: tuple[str, ...]
    processes: int
    watchers: int = 1
    statistics: bool = False

    @property
    def total(self) -> int:
        return self.processes * self.watchers


@dataclass(frozen=True, slots=True)
class Place:
    """Where programs are found: the cache of the benchmark, and the folder of ours."""

    cache: Path
    ours: Path


class Missing(Exception):
    """This peer is not there; the message says how to get it."""


class Peer:
    """One keeper of processes."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, place: Place) -> None:
        self.place = place

    def find(self) -> str:
        """Make sure that the programs are there and tell the version; raises Missing."""
        raise NotImplementedError

    def command(self, job: Job) -> list[str]:
        """Write the configuration for `job` and give the words that start the daemon."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Variables the daemon needs beside the usual ones."""
        return {}


def worker_line(job: Job) -> str:
    """The worker's command as one line; its paths hold nothing that needs quotes."""
    return " ".join(job.worker)
