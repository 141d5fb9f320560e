"""Many lines from many workers, through every stream: ``python -m tests.streams.exactly_once``.

Twenty workers write 200 000 lines each, in pieces that end in the middle of a line, and exit at
once; the daemon is told to end the moment they are gone. Afterwards every line must be there once,
none torn, and each worker's in order: over all files of a rotation, packed or moved away. Ends with
1 where it is not so.
"""

from __future__ import annotations

import argparse
import gzip
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.live.daemon import LIMIT, ROOT, Daemon, until
from tests.streams.whole import Around, NotWhole, check, lines_of

PIECE = 4093
"""Bytes that a worker writes at once: a prime number, so that lines are cut everywhere."""

PATIENCE = 10 * LIMIT
OUT, SOCKET = "out.log", "syslog"

_TIME = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
_JSON = rb'\{"time": "[^"]+", "watcher": "w", "wid": \d+, "pid": \d+, "stream": "stdout", "line": "'


def contents(folder: Path) -> bytes:
    """Return all files of a stream, the oldest first."""
    found = []
    for file in folder.glob(f"{OUT}*"):
        numbers = [int(one) for one in re.findall(r"\d+", file.name[len(OUT) :])]
        found.append((numbers, file))
    # Dates begin with a year and go up, numbers of backups go down; the live file has neither.
    found.sort(key=lambda one: _age(one[0]))
    return b"".join(_unpacked(file) for _, file in found)


def _age(numbers: list[int]) -> tuple[int, ...]:
    if not numbers:
        return (1 << 62,)
    return tuple(numbers) if numbers[0] > 1 << 30 else (-numbers[0],)


def _unpacked(file: Path) -> bytes:
    data = file.read_bytes()
    return gzip.decompress(data) if file.suffix == ".gz" else data


def nothing(folder: Path) -> AbstractContextManager[None]:
    """Do nothing beside."""
    return nullcontext()


@contextmanager
def moved_away(folder: Path) -> Iterator[None]:
    """Move the file away again and again, as others do who rotate it."""
    over = threading.Event()
    file = folder / OUT

    def move() -> None:
        number = 1 << 40
        while not over.wait(0.05):
            if file.exists():
                number += 1
                file.rename(f"{file}.{number}")

    mover = threading.Thread(target=move)
    mover.start()
    try:
        yield
    finally:
        over.set()
        mover.join()


@contextmanager
def logged(folder: Path) -> Iterator[None]:
    """Be the system's log: one message a line."""
    over = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as here:
        here.bind(str(folder / SOCKET))
        here.settimeout(0.2)

        def take(file: Path) -> None:
            with file.open("wb", 1 << 20) as out:
                while True:
                    try:
                        out.write(here.recv(2048))
                    except TimeoutError:
                        if over.is_set():
                            return

        taking = threading.Thread(target=take, args=(folder / OUT,))
        taking.start()
        try:
            yield
        finally:
            over.set()
            taking.join()


@dataclass(frozen=True)
class Kind:
    """One way for output to go."""

    options: str
    around: Around
    beside: Callable[[Path], AbstractContextManager[None]] = nothing
    replacing: tuple[bytes, bytes] = (b"", b"")
    at: str = OUT

    def text(self, data: bytes) -> bytes:
        """Return what was found as lines."""
        return data.replace(*self.replacing) if self.replacing[0] else data


_PLAIN = Around()
_STAMPED = Around(_TIME + rb" \[\d+\] \| ")
_OBJECTS = Around(_JSON, b'"}')
_SIZE = "class = {kind}\nfilename = {file}\nmax_bytes = 1000000\nbackup_count = 9999\n"
_MUCH = _SIZE.replace("1000000", "8000000")
_SECONDS = "class = TimedRotatingFileStream\nfilename = {file}\nrotate_when = s\n"

KINDS = {
    "SyslogStream": Kind(
        "class = SyslogStream\naddress = {socket}\n",
        Around(rb"<14>w\[\d+\]: "),
        logged,
        replacing=(b"\0", b"\n"),
    ),
    "FileStream": Kind("filename = {file}\n", _PLAIN),
    "FileStream, time": Kind("filename = {file}\ntime_format = %Y-%m-%d %H:%M:%S\n", _STAMPED),
    "FileStream, size": Kind(_SIZE.replace("{kind}", "FileStream"), _PLAIN),
    "FileStream, size, gzip": Kind(_MUCH.replace("{kind}", "FileStream") + "gzip = yes\n", _PLAIN),
    "DirectFileStream": Kind("class = DirectFileStream\nfilename = {file}.{wid}\n", _PLAIN),
    "WatchedFileStream": Kind("class = WatchedFileStream\nfilename = {file}\n", _PLAIN),
    "WatchedFileStream, moved": Kind(
        "class = WatchedFileStream\nfilename = {file}\n", _PLAIN, moved_away
    ),
    "TimedRotatingFileStream": Kind(_SECONDS.replace("= s", "= midnight"), _PLAIN),
    "TimedRotatingFileStream, seconds": Kind(_SECONDS, _PLAIN),
    "TimedRotatingFileStream, gzip": Kind(_SECONDS + "gzip = yes\n", _PLAIN),
    "StdoutStream": Kind("class = StdoutStream\n", _PLAIN, at="out"),
    "FancyStdoutStream": Kind(
        "class = FancyStdoutStream\n",
        Around(rb"\x1b\[\d+;40m" + _TIME + rb" \[\d+\] \| ", b"\x1b[0m"),
        at="out",
    ),
    "QueueStream": Kind("", _PLAIN),
    "JsonStream": Kind("class = JsonStream\nfilename = {file}\n", _OBJECTS),
    "JsonStream, size": Kind(_MUCH.replace("{kind}", "JsonStream"), _OBJECTS),
}


@dataclass(frozen=True)
class Field:
    """What all runs share: the workers' lines, in files that they copy."""

    folder: Path
    workers: int

    def fill(self, lines: int) -> None:
        """Write what each worker is to say."""
        for worker in range(1, self.workers + 1):
            self._file(worker).write_bytes(lines_of(worker, lines))

    def wanted(self) -> dict[bytes, bytes]:
        """Return what each worker says."""
        return {b"%02d" % one: self._file(one).read_bytes() for one in range(1, self.workers + 1)}

    def _file(self, worker: int) -> Path:
        return self.folder / str(worker)

    @property
    def command(self) -> str:
        """The command of a worker."""
        return f"dd if={self.folder}/$(circus.wid) bs={PIECE} status=none"

    def run(self, name: str) -> None:
        """Let all workers write once. Raises `NotWhole`."""
        kind, folder = KINDS[name], Path(tempfile.mkdtemp(prefix="once-"))
        try:
            with kind.beside(folder):
                if name == "QueueStream":
                    self._embedded(folder)
                else:
                    self._kept(kind, folder)
            check(kind.text(contents(folder)), self.wanted(), kind.around)
        finally:
            shutil.rmtree(folder)

    def _embedded(self, folder: Path) -> None:
        owner = ("-m", "tests.streams.queue_owner")
        words = [*owner, str(folder / OUT), self.command, str(self.workers)]
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True, timeout=PATIENCE)

    def _kept(self, kind: Kind, folder: Path) -> None:
        text = kind.options.replace("{file}", str(folder / OUT))
        text = text.replace("{socket}", str(folder / SOCKET))
        stream = "".join(f"stdout_stream.{line}\n" for line in text.splitlines())
        # All begin together: one that ended sooner would give its number to one that is to come.
        go = folder / "go"
        wait = f"until [ -e {go} ];do sleep 0.02;done"
        daemon = Daemon(
            f"[watcher:w]\ncmd = sh -c '{wait}; exec {self.command}'\n"
            f"numprocesses = {self.workers}\nrespawn = no\n{stream}",
            logs_to_file=True,
        )
        try:
            daemon.start()
            daemon.until_active("w", self.workers)
            go.touch()
            until(lambda: daemon.status("w")["status"] == "stopped", PATIENCE)
            daemon.stop(limit=PATIENCE)
            daemon.account()
            if kind.at != OUT:
                (daemon.folder / kind.at).rename(folder / OUT)
        finally:
            daemon.clean_up()
            shutil.rmtree(daemon.folder, ignore_errors=True)


@dataclass(frozen=True)
class Result:
    """What came of all runs of one kind."""

    name: str
    runs: int
    faults: tuple[str, ...]
    seconds: float
    cpu: float

    def rows(self) -> str:
        """Return its part of the table."""
        whole = self.runs - len(self.faults)
        each = f"{self.seconds / self.runs:8.1f}{self.cpu / self.runs:8.1f}"
        row = f"{self.name:34}{self.runs:6}{whole:7}{each}"
        return "\n".join([row, *(f"    {fault}" for fault in self.faults)])


def run_all(name: str, runs: int, field: Field) -> Result:
    """Run one kind so many times, in a process that does nothing else."""
    begun, used, faults = time.monotonic(), _cpu(), []
    for number in range(1, runs + 1):
        try:
            field.run(name)
        except NotWhole as fault:
            faults.append(f"run {number}: {fault}")
    return Result(name, runs, tuple(faults), time.monotonic() - begun, _cpu() - used)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> int:
    """Run every kind as often as asked, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.streams.exactly_once",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=30, help="how often each kind is run (30)")
    parser.add_argument("--workers", type=int, default=20, help="at most 99 (20)")
    parser.add_argument("--lines", type=int, default=200_000, help="of each worker (200000)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--jobs", type=int, default=2, help="kinds at the same time (2)")
    options = parser.parse_args()
    good = True
    print(f"{'':34}{'runs':>6}{'whole':>7}{'s each':>8}{'cpu s':>8}", flush=True)
    with tempfile.TemporaryDirectory(prefix="once-") as folder:
        field = Field(Path(folder), options.workers)
        field.fill(options.lines)
        with ProcessPoolExecutor(options.jobs) as pool:
            run = partial(run_all, runs=options.runs, field=field)
            for result in pool.map(run, options.kinds):
                print(result.rows(), flush=True)
                good = good and not result.faults
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
