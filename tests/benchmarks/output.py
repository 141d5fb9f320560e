"""How fast output gets through: ``python -m tests.benchmarks.output --help``.

Workers write lines of 100 bytes as fast as they can, in pieces of 8 KB as programs with a buffer
do, into the log file that their keeper was told to write: one worker all of them, or each of a
hundred its share at the same time. Measured is the time from the word to begin, which is given when
all are ready, until the files have all of them, and the processor time of the daemon meanwhile. The
limit is a shell that leads the output to files and does nothing else. (The older circus is not
asked for a time before every line: it puts one before every piece, so nobody knows how long its
file should be.)
"""

import argparse
import shlex
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks.command import parser as common_parser
from tests.benchmarks.peers.circus import Circus, Ours, _free_ports
from tests.benchmarks.peers.contract import Missing, Place
from tests.benchmarks.peers.released import programs_of
from tests.benchmarks.yard import Daemon, PeerFailed, become_subreaper, cpu_seconds, sweep

MEGABYTE = 1_000_000
LINE = 100
LOOK_EVERY = 0.003

WRITER = """\
import os, sys, time
folder, count = sys.argv[1], int(sys.argv[2])
piece = (b"x" * 99 + b"\\n") * 80
open(f"{folder}/ready-{os.getpid()}", "x").close()
while not os.path.exists(f"{folder}/go"):
    time.sleep(0.001)
write = os.write
for _ in range(count // 80):
    write(1, piece)
time.sleep(1000)
"""


@dataclass(frozen=True, slots=True)
class Task:
    """Have this command's output in this file; the folder is free to use."""

    folder: Path
    words: tuple[str, ...]
    file: Path
    workers: int

    @property
    def line(self) -> str:
        """The command as one line."""
        return shlex.join(self.words)


@dataclass(frozen=True, slots=True)
class Sample:
    """What came out: megabytes per second, and the daemon's processor seconds."""

    rate: float
    cpu: float


def shell(task: Task, place: Place) -> list[str]:
    """The limit."""
    files = (f"{task.file}.{number}" for number in range(task.workers))
    return ["/bin/sh", "-c", "".join(f"{task.line} > {file} & " for file in files) + "wait"]


def supervisor(task: Task, place: Place, largest: int = 0) -> list[str]:
    """supervisor, as released; each of its processes has a file of its own."""
    config = task.folder / "supervisord.conf"
    config.write_text(
        f"[supervisord]\nlogfile = {task.folder}/log\npidfile = {task.folder}/pid\n"
        f"[program:w]\ncommand = {task.line}\nstderr_logfile = NONE\n"
        f"numprocs = {task.workers}\nprocess_name = %(process_num)s\n"
        f"stdout_logfile = {task.file}.%(process_num)s\n"
        f"stdout_logfile_maxbytes = {largest}\nstdout_logfile_backups = 1000\n"
    )
    program = programs_of("supervisor", place.cache) / "supervisord"
    return [str(program), "--nodaemon", "--configuration", str(config)]


def circus(
    task: Task, place: Place, options: str = "", kind: type[Circus] = Circus, daemon: str = ""
) -> list[str]:
    """The older circus, or ours."""
    control, events = _free_ports(2)
    config = task.folder / "circus.ini"
    config.write_text(
        f"[circus]\nendpoint = tcp://127.0.0.1:{control}\n"
        f"pubsub_endpoint = tcp://127.0.0.1:{events}\nlogoutput = {task.folder}/log\n"
        f"{daemon}[watcher:w]\ncmd = {task.line}\nnumprocesses = {task.workers}\n"
        f"stdout_stream.filename = {task.file}\n{options}"
    )
    return [str(kind(place).programs() / "circusd"), str(config)]


def ours(options: str = "") -> Callable[[Task, Place], list[str]]:
    """Ours, with more options."""
    return lambda task, place: circus(task, place, options, Ours)


LARGEST = 10 * MEGABYTE
ROTATED = f"stdout_stream.max_bytes = {LARGEST}\nstdout_stream.backup_count = 1000\n"

DIRECT = "stdout_stream.class = DirectFileStream\n"
TIMED = "stdout_stream.prefix = {time}_\nstdout_stream.time_format = %H:%M:%S\n"


@dataclass(frozen=True, slots=True)
class Keeper:
    """One who takes output: how it is started, for how many workers, and what it adds to a line."""

    command: Callable[[Task, Place], list[str]]
    workers: int = 1
    extra: int = 0
    beside: tuple[str, str, str] = ("shell", "supervisor", "circus")
    """With whom it is compared."""


MANY = 100
_ROTATING = ("shell", "supervisor, files of 10 MB", "circus, files of 10 MB")
_MANY = (f"shell, {MANY} workers", f"supervisor, {MANY} workers", f"circus, {MANY} workers")

KEEPERS: dict[str, Keeper] = {
    "shell": Keeper(shell),
    "supervisor": Keeper(supervisor),
    "circus": Keeper(circus),
    "ours": Keeper(ours()),
    "ours with a keeper": Keeper(partial(circus, daemon="keeper = True\n", kind=Ours)),
    "ours, the file itself": Keeper(ours(DIRECT)),
    "supervisor, files of 10 MB": Keeper(partial(supervisor, largest=LARGEST), beside=_ROTATING),
    "circus, files of 10 MB": Keeper(partial(circus, options=ROTATED), beside=_ROTATING),
    "ours, files of 10 MB": Keeper(ours(ROTATED), beside=_ROTATING),
    "ours, time before every line": Keeper(ours(TIMED), extra=len("12:34:56_")),
    f"shell, {MANY} workers": Keeper(shell, MANY, beside=_MANY),
    f"supervisor, {MANY} workers": Keeper(supervisor, MANY, beside=_MANY),
    f"circus, {MANY} workers": Keeper(circus, MANY, beside=_MANY),
    f"ours, {MANY} workers": Keeper(ours(), MANY, beside=_MANY),
}


def measure(name: str, place: Place, megabytes: int, limit: float) -> Sample:
    """Let one keeper take that much output. Raises PeerFailed, Missing."""
    with tempfile.TemporaryDirectory(prefix="bench-output-") as home:
        folder = Path(home)
        (folder / "writer.py").write_text(WRITER)
        keeper = KEEPERS[name]
        share = megabytes * MEGABYTE // keeper.workers // LINE // 80 * 80
        lines = share * keeper.workers
        words = (sys.executable, "-I", "-S", str(folder / "writer.py"), str(folder), str(share))
        task = Task(folder, words, folder / "out.log", keeper.workers)
        daemon = Daemon(keeper.command(task, place), folder, {})
        try:
            end = time.monotonic() + limit
            while sum(1 for _ in folder.glob("ready-*")) < keeper.workers:
                _look(daemon, end)
            pids = daemon.helpers(_writers(folder))
            before = cpu_seconds(pids)
            begun = time.monotonic()
            (folder / "go").touch()
            while _written(folder) != lines * (LINE + keeper.extra):
                _look(daemon, end)
            took = time.monotonic() - begun
            return Sample(
                lines * LINE / MEGABYTE / took,
                cpu_seconds(pids) - before,
            )
        finally:
            sweep()


def _writers(folder: Path) -> set[int]:
    return {int(ready.name.partition("-")[2]) for ready in folder.glob("ready-*")}


def _look(daemon: Daemon, end: float) -> None:
    daemon.check()
    if time.monotonic() > end:
        raise PeerFailed("the output did not come in time")
    time.sleep(LOOK_EVERY)


def _written(folder: Path) -> int:
    try:
        return sum(one.stat().st_size for one in folder.glob("out.log*"))
    except FileNotFoundError:
        return 0  # it was given another name just now


def main() -> int:
    """Measure all keepers in turns and print a table."""
    parse = argparse.ArgumentParser(prog="python -m tests.benchmarks.output", description=__doc__)
    known = common_parser().parse_args([])
    parse.add_argument("--megabytes", type=int, default=100, help="how much is written (100)")
    parse.add_argument("--rounds", type=int, default=3, help="how often everybody takes a turn (3)")
    parse.add_argument("--limit", type=float, default=120.0, help="patience, in seconds (120)")
    parse.add_argument("--keepers", nargs="+", choices=KEEPERS, default=list(KEEPERS))
    beside = Path(sys.executable).parent
    parse.add_argument("--ours", type=Path, default=beside, help="folder of our programs")
    parse.add_argument("--cache", type=Path, default=known.cache, help="where peers are kept")
    options = parse.parse_args()
    place = Place(options.cache, options.ours)
    become_subreaper()
    samples: dict[str, list[Sample]] = defaultdict(list)
    for number in range(options.rounds):
        for name in options.keepers:
            try:
                sample = measure(name, place, options.megabytes, options.limit)
            except (PeerFailed, Missing) as problem:
                print(f"round {number + 1} {name}: {problem}", file=sys.stderr)
                continue
            samples[name].append(sample)
            told = f"{sample.rate:.0f} MB/s, processor {sample.cpu:.2f} s"
            print(f"round {number + 1} {name}: {told}", file=sys.stderr, flush=True)
    print(table(samples))
    return 0


def table(samples: dict[str, list[Sample]]) -> str:
    """The medians, beside those of the shell, supervisor and the older circus."""
    medians = {
        name: statistics.median(one.rate for one in found) for name, found in samples.items()
    }
    head = ("MB/s", "of shell", "x superv.", "x circus", "daemon s")
    lines = [f"{'':30}" + "".join(f"{one:>10}" for one in head)]
    for name, rate in medians.items():
        cpu = statistics.median(sample.cpu for sample in samples[name])
        shares = [
            f"{rate / medians[other]:.2f}" if other in medians else ""
            for other in KEEPERS[name].beside
        ]
        told = "".join(f"{share:>10}" for share in shares)
        lines.append(f"{name:30}{rate:10.0f}{told}{cpu:10.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
