"""A stream that is killed again and again: ``python -m tests.keeper.journal FileStream``.

The test holds the reading ends of some pipes and the journal, as the keeper does. It starts a
process that reads the pipes into a stream and kills it after a moment, while writers write numbered
lines. At the end each line has to be in the files once, in its order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from cvec_circus_core.extend.sink import Sinks
from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.streams.outputs import Outputs
from cvec_circus_core.runtime.streams.pipe_reader import OutputSource, PipeReader, put_left
from cvec_circus_core.runtime.streams.sink_writer import SinkWriter
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.clock import AsyncioClock
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.system.fakes import FakeProcesses
from cvec_circus_core.system.output_journal import PIPE, OutputJournal

WRITERS = 3
_SINKS = Sinks()
LABEL = "stdout_stream of talkers"

_NUMBER = re.compile(rb"(\d)-(\d+) ")


def _read_until_killed(
    journal_fd: int, pipes: list[int], settings: dict[str, Any], ready: int
) -> None:
    """Read the pipes into the stream, as the daemon does, until all have come to their end."""

    async def read() -> None:
        loop = asyncio.get_running_loop()
        clock = AsyncioClock(loop)
        journal = OutputJournal.inherited(journal_fd)
        world = World(
            loop,
            clock,
            FakeProcesses(),
            FairQueue(clock, loop, lambda: 1),
            ManagedSockets(FakeSocketOwner()),
            print,
            outputs=Outputs(journal=journal),
        )
        writer = SinkWriter(LABEL, settings, _SINKS, clock, loop, journal)
        writer.open()
        over = asyncio.Event()

        def on_end(reader: PipeReader) -> None:
            readers.discard(reader)
            if not readers:
                writer.close(over.set)

        readers: set[PipeReader] = set()
        for number, pipe in enumerate(pipes):
            source = OutputSource("talkers", number, number, "stdout")
            duplicate = os.dup(pipe)
            readers.add(PipeReader(duplicate, source, writer, world, lambda data: None, on_end))
        for key in journal.left_of(PIPE, b"talkers\0"):
            wid = int(key.split(b"\0")[1])
            put_left(OutputSource("talkers", wid, wid, "stdout"), writer, world)
        os.write(ready, b".")
        await over.wait()

    asyncio.run(read())


def _write_lines(pipe: int, name: int, is_over: threading.Event, counts: dict[int, int]) -> None:
    chance, number = random.Random(name), 0
    while not is_over.is_set():
        lines = []
        for _ in range(chance.choice((1, 1, 3, 400))):
            number += 1
            lines.append(b"%d-%d %s\n" % (name, number, b"x" * chance.choice((0, 5, 300))))
        os.write(pipe, b"".join(lines))
        if chance.random() < 0.2:
            time.sleep(0.001)
    os.close(pipe)
    counts[name] = number


def kill_a_stream(settings: dict[str, Any], kills: int, seed: int = 1) -> tuple[int, list[str]]:
    """Kill the reading process so often; return how many lines there were, and what is wrong."""
    chance, journal = random.Random(seed), OutputJournal.new()
    reading, writing = zip(*(os.pipe() for _ in range(WRITERS)), strict=True)
    for pipe in reading:
        os.set_blocking(pipe, False)
    is_over, counts = threading.Event(), dict[int, int]()
    writers = [
        threading.Thread(target=_write_lines, args=(pipe, name, is_over, counts))
        for name, pipe in enumerate(writing)
    ]
    _SINKS.make(settings)  # What it takes to find the class is not taken in every process.
    is_ready, ready = os.pipe()

    def fork() -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            for pipe in writing:
                os.close(pipe)
            _read_until_killed(journal.descriptor, list(reading), settings, ready)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)

    for _ in range(kills):
        pid = fork()
        if writers[0].ident is None:
            for writer in writers:
                writer.start()
        if chance.random() < 0.8:
            os.read(is_ready, 1)
        time.sleep(chance.uniform(0.0, 0.02))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    last = fork()
    is_over.set()
    for writer in writers:
        writer.join()
    os.waitpid(last, 0)
    os.close(ready)
    os.close(is_ready)
    for number in (*reading, journal.descriptor):
        os.close(number)
    return _check(Path(settings["filename"]), counts)


def _check(path: Path, counts: dict[int, int]) -> tuple[int, list[str]]:
    text = b"".join(
        file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*"), key=_age)
    )
    seen: dict[int, list[int]] = {name: [] for name in counts}
    problems = []
    for line in text.splitlines():
        match = _NUMBER.search(line)
        if match is None:
            problems.append(f"broken line {line[:80]!r}")
            continue
        seen[int(match[1])].append(int(match[2]))
    for name, numbers in seen.items():
        count = Counter(numbers)
        lost = counts[name] - len(count)
        doubled = sum(count.values()) - len(count)
        disorder = sum(a >= b for a, b in pairwise(numbers))
        if lost or doubled or disorder:
            problems.append(f"writer {name}: {lost} lost, {doubled} doubled, {disorder} disordered")
    return sum(counts.values()), problems


def _age(file: Path) -> tuple[int, str]:
    suffix = file.name.rpartition(".")[2]
    if suffix.isdigit() and len(suffix) < 8:
        return -int(suffix), ""
    return (0, file.name) if suffix == "log" else (-1, file.name)


STREAMS: dict[str, dict[str, Any]] = {
    "plain": {"class": "FileStream"},
    "rotated": {"class": "FileStream", "max_bytes": 200_000, "backup_count": 100_000},
    "stamped": {"class": "FileStream", "time_format": "%H:%M:%S"},
    "timed": {"class": "TimedRotatingFileStream", "rotate_when": "S"},
    "watched": {"class": "WatchedFileStream"},
    "json": {"class": "JsonStream", "max_bytes": 300_000, "backup_count": 100_000},
}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="a stream is killed again and again")
    parser.add_argument("kind", choices=STREAMS)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = {**STREAMS[words.kind], "filename": f"{folder}/out.log"}
        lines, problems = kill_a_stream(settings, words.kills, words.seed)
    print(json.dumps({"lines": lines, "kills": words.kills, "problems": problems}))
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BadMessage as error:
        sys.exit(str(error))
