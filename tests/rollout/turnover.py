"""What clients notice while all workers are replaced: ``python -m tests.rollout.turnover --help``.

Three workers that take two seconds to boot serve a managed socket; four clients, in a process of
their own, call without a pause. Each way of replacing the workers is gone so many times. Counted
are the requests that failed, and how much longer the slowest took than the slowest one of a while
in which nothing happened. Ends with 1 where a request was lost, or took more than 0.1 s longer.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live.daemon import Daemon, free_port, until
from tests.rollout.calling import Seen
from tests.rollout.clients import Clients

WORKER = Path(__file__).with_name("worker.py")
HANDLERS = {"term": "serve", "none": "plain"}
ALLOWED = 0.1
"""Seconds that a request may take longer than the slowest one of a quiet while."""


@dataclass(frozen=True)
class Scene:
    """How the workers are, and how long a quiet while is."""

    handler: str = "term"
    boot: float = 2.0
    answering: float = 0.005
    quiet: float = 5.0
    workers: int = 3

    def configuration(self, port: int, *options: str, release: int = 0) -> str:
        """Return the sections of the socket and its watcher."""
        words = f"$(circus.sockets.web) {self.boot} {HANDLERS[self.handler]} {self.answering}"
        return (
            f"[socket:web]\nhost = 127.0.0.1\nport = {port}\n"
            f"[watcher:web]\ncmd = {sys.executable} -S {WORKER} {words}\nuse_sockets = True\n"
            f"numprocesses = {self.workers}\nready = notify\ngraceful_timeout = 10\n"
            f"env = RELEASE={release},PYTHONPATH={Path(__file__).parent}\n"
            + "".join(f"{option}\n" for option in options)
        )


@dataclass(frozen=True)
class Stage:
    """A daemon whose workers serve."""

    daemon: Daemon
    scene: Scene
    port: int

    def turned_over(self, turn: Callable[[], object]) -> None:
        """Do something, and wait until all workers are others than before, and ready."""
        before = set(self.daemon.pids("web"))
        turn()
        until(lambda: not before & set(self.daemon.pids("web")))
        until(lambda: self.daemon.status("web")["ready"] == self.scene.workers)

    def edit(self, release: int) -> None:
        """Change the file, and have it read."""
        self.daemon.write(self.scene.configuration(self.port, release=release))
        self.daemon.ok("reloadconfig", waiting=True)


Way = Callable[[Stage, int], object]
OLD = "max_age"
WAYS: dict[str, Way] = {
    "reload": lambda stage, _: stage.daemon.ok("reload", name="web", waiting=True),
    "reload --sequential": lambda stage, _: stage.daemon.ok(
        "reload", name="web", sequential=True, waiting=True
    ),
    "restart --rolling": lambda stage, _: stage.daemon.ok(
        "restart", name="web", rolling=True, waiting=True
    ),
    "set": lambda stage, number: stage.daemon.ok(
        "set", name="web", options={"env": {"RELEASE": f"s{number}"}}, waiting=True
    ),
    "reloadconfig": lambda stage, number: stage.edit(number),
    "SIGHUP": lambda stage, _: stage.daemon.process.send_signal(signal.SIGHUP),
    OLD: lambda stage, _: None,
}


@dataclass(frozen=True)
class Outcome:
    """What the clients saw of one way."""

    way: str
    times: int
    took: float
    quiet: float
    seen: Seen

    @property
    def is_good(self) -> bool:
        """Whether nobody has noticed."""
        return not self.seen.failures and self.seen.slowest <= self.quiet + ALLOWED

    def row(self) -> str:
        """Return a line of the table."""
        seen, more = self.seen, self.seen.slowest - self.quiet
        return (
            f"{self.way:22}{self.times:6}{self.took / self.times:8.1f}{seen.calls:9}"
            f"{len(seen.failures):8}{self.quiet * 1000:10.1f}{seen.slowest * 1000:10.1f}"
            f"{more * 1000:10.1f}  {'yes' if self.is_good else 'NO'}"
        )


HEAD = (
    f"{'way':22}{'times':>6}{'s each':>8}{'calls':>9}{'failed':>8}"
    f"{'quiet ms':>10}{'slowest':>10}{'more ms':>10}  good"
)


@contextmanager
def staged(scene: Scene, *options: str) -> Iterator[Stage]:
    """Have a daemon whose workers are all ready."""
    port = free_port()
    daemon = Daemon(scene.configuration(port, *options))
    try:
        daemon.start()
        until(lambda: daemon.status("web")["ready"] == scene.workers)
        yield Stage(daemon, scene, port)
        daemon.account()
    finally:
        daemon.clean_up()
        shutil.rmtree(daemon.folder, ignore_errors=True)


def watch(way: str, times: int, scene: Scene) -> Outcome:
    """Replace all workers so many times in one way, and return what clients saw of it."""
    # Nobody may grow too old while the quiet while is measured.
    age = max(scene.boot + 2.0, 3.0)
    with staged(scene) as stage, Clients(stage.port) as clients:
        time.sleep(scene.quiet)
        quiet = clients.take().slowest
        if way == OLD:
            options = {"max_age": age, "max_age_variance": 1}
            stage.daemon.ok("set", name="web", options=options, waiting=True)
        begun = time.monotonic()
        clients.total = Seen()
        for number in range(1, times + 1):
            stage.turned_over(lambda number=number: WAYS[way](stage, number))  # type: ignore[misc]
        took = time.monotonic() - begun
        clients.take()
    return Outcome(way, times, took, quiet, clients.total)


def watch_all(
    ways: Sequence[str], times: int, scene: Scene, *, at_once: bool = False
) -> Iterator[Outcome]:
    """Go all ways, one after another or at once."""
    with ThreadPoolExecutor(len(ways) if at_once else 1) as pool:
        yield from pool.map(lambda way: watch(way, times, scene), ways)


def main() -> int:
    """Go all ways and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.rollout.turnover",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--times", type=int, default=20, help="how often each way is gone (20)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument(
        "--handler", choices=HANDLERS, default="term", help="what workers have for SIGTERM (term)"
    )
    parser.add_argument("--boot", type=float, default=Scene.boot, help="seconds to boot (2)")
    parser.add_argument(
        "--answering", type=float, default=Scene.answering, help="seconds to answer (0.005)"
    )
    parser.add_argument("--quiet", type=float, default=Scene.quiet, help="a quiet while, in s (5)")
    parser.add_argument("--parallel", action="store_true", help="all ways at once")
    options = parser.parse_args()
    scene = Scene(options.handler, options.boot, options.answering, options.quiet)
    print(HEAD, flush=True)
    good = True
    for outcome in watch_all(options.ways, options.times, scene, at_once=options.parallel):
        print(outcome.row(), flush=True)
        for failure in sorted(set(outcome.seen.failures)):
            print(f"    {outcome.seen.failures.count(failure)} x {failure}", flush=True)
        good = good and outcome.is_good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
