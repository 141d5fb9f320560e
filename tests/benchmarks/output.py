"""How fast output gets through: ``python -m tests.benchmarks.output --help``.

One worker writes lines of 100 bytes as fast as it can, in pieces of 8 KB as programs with a buffer
do, into the log file that its keeper was told to write. Measured is the time from the worker's
first byte until the file has all of them, and the processor time of the daemon meanwhile. The limit
is a shell that leads the worker's output to a file and does nothing else.
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
begun, count = sys.argv[1], int(sys.argv[2])
piece = (b"x" * 99 + b"\\n") * 80
with open(begun, "w") as file:
    file.write(str(time.monotonic_ns()))
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
    return ["/bin/sh", "-c", f"{task.line} > {task.file} & wait"]


def supervisor(task: Task, place: Place) -> list[str]:
    """supervisor, as released."""
    config = task.folder / "supervisord.conf"
    config.write_text(
        f"[supervisord]\nlogfile = {task.folder}/log\npidfile = {task.folder}/pid\n"
        f"[program:w]\ncommand = {task.line}\nstderr_logfile = NONE\n"
        f"stdout_logfile = {task.file}\nstdout_logfile_maxbytes = 0\n"
    )
    program = programs_of("supervisor", place.cache) / "supervisord"
    return [str(program), "--nodaemon", "--configuration", str(config)]


def circus(task: Task, place: Place, options: str = "", kind: type[Circus] = Circus) -> list[str]:
    """The older circus, or ours."""
    control, events = _free_ports(2)
    config = task.folder / "circus.ini"
    config.write_text(
        f"[circus]\nendpoint = tcp://127.0.0.1:{control}\n"
        f"pubsub_endpoint = tcp://127.0.0.1:{events}\nlogoutput = {task.folder}/log\n"
        f"[watcher:w]\ncmd = {task.line}\nstdout_stream.class = FileStream\n"
        f"stdout_stream.filename = {task.file}\n{options}"
    )
    return [str(kind(place).programs() / "circusd"), str(config)]


def ours(options: str = "") -> Callable[[Task, Place], list[str]]:
    """Ours, with more options."""
    return lambda task, place: circus(task, place, options, Ours)


ROTATED = "stdout_stream.max_bytes = 10000000\nstdout_stream.backup_count = 1000\n"

TIMED = "stdout_stream.prefix = {time}_\nstdout_stream.time_format = %H:%M:%S\n"

KEEPERS: dict[str, Callable[[Task, Place], list[str]]] = {
    "shell": shell,
    "supervisor": supervisor,
    "circus": circus,
    "ours": ours(),
    "ours, files of 10 MB": ours(ROTATED),
    "ours, time before every line": ours(TIMED),
}
EXTRA = {"ours, time before every line": len("12:34:56_")}
"""Bytes of each line that its keeper adds."""


def measure(name: str, place: Place, megabytes: int, limit: float) -> Sample:
    """Let one keeper take that much output. Raises PeerFailed, Missing."""
    with tempfile.TemporaryDirectory(prefix="bench-output-") as home:
        folder = Path(home)
        (folder / "writer.py").write_text(WRITER)
        begun, file = folder / "begun", folder / "out.log"
        lines = megabytes * MEGABYTE // LINE // 80 * 80
        words = (sys.executable, "-I", "-S", str(folder / "writer.py"), str(begun), str(lines))
        daemon = Daemon(KEEPERS[name](Task(folder, words, file), place), folder, {})
        try:
            end = time.monotonic() + limit
            while not begun.exists():
                _look(daemon, end)
            before = cpu_seconds([daemon.process.pid])
            while _written(folder) != lines * (LINE + EXTRA.get(name, 0)):
                _look(daemon, end)
            took = time.monotonic_ns() - int(begun.read_text())
            return Sample(
                lines * LINE / MEGABYTE / (took / 1e9),
                cpu_seconds([daemon.process.pid]) - before,
            )
        finally:
            sweep()


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
    parse.add_argument("--ours", type=Path, default=known.ours, help="folder of our programs")
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
    """The medians, beside the shell and the older circus."""
    medians = {
        name: statistics.median(one.rate for one in found) for name, found in samples.items()
    }
    lines = [f"{'':30}{'MB/s':>8}{'of shell':>10}{'x circus':>10}{'daemon s':>10}"]
    for name, rate in medians.items():
        cpu = statistics.median(one.cpu for one in samples[name])
        shares = [
            f"{rate / medians[other]:.2f}" if other in medians else ""
            for other in ("shell", "circus")
        ]
        lines.append(f"{name:30}{rate:8.0f}{shares[0]:>10}{shares[1]:>10}{cpu:10.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
