"""The memory of console and daemon over the equivalent of an hour.

``python -m tests.httpd.hour`` lets 20 pages, programs and workers do in some minutes what they do
in an hour: of each of 60 minutes it sends all samples of 2 000 processes in 200 watchers, hundreds
of events, pages that are opened, read again and closed, actions, sign-ins, requests with a token,
and output that is followed. ``--minutes``, ``--watchers``, ``--each``, ``--pages`` say otherwise.
It prints the memory of both after every few minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import psutil

from cvec_circus_core.model.access import Role
from cvec_circus_plugins.httpd.tokens import Tokens
from tests.httpd.consoles import ConsoleProcess, Person
from tests.httpd.load import PROGRAM, OpenPage, both
from tests.live.daemon import ROOT, Daemon, until

SAMPLES, EVENTS, VISITS, ACTS, SIGN_INS, REQUESTS = 60, 330, 2, 6, 2, 8
"""What happens in a minute; each visit is to all pages."""
MEGABYTE = 1_000_000
PAGES = (
    *("/", "/events", "/audit", "/sockets", "/plugins", "/configuration", "/daemons", "/api"),
    *("/watchers/{key}/processes/w1", "/watchers/{key}/output/chatty"),
    *("/watchers/{key}/options/w1", "/watchers/{key}/events/w1"),
)
CHATTY = "import time\nwhile True:\n    print('x' * 99, flush=True)\n    time.sleep(0.01)\n"


class CountingPage(OpenPage):
    """A page that knows the number of the last sample that it was sent."""

    sample = 0

    def has(self, sample: int) -> bool:
        """Tell whether it was sent this sample."""
        return self.sample >= sample

    def on_text(self, text: str) -> None:
        """Look at a message."""
        super().on_text(text)
        if '"usage"' in text[:40] and '"w0"' in text:
            self.sample = json.loads(text)["usage"]["w0"]["cpu_sum"]


@dataclass(frozen=True)
class Memory:
    """How much both have after a minute."""

    minute: int
    console: int
    daemon: int

    def __str__(self) -> str:
        return (
            f"minute {self.minute}: console {self.console / MEGABYTE:.1f} MB, "
            f"daemon {self.daemon / MEGABYTE:.1f} MB"
        )


@contextmanager
def stage(watchers: int, each: int) -> Iterator[tuple[Daemon, ConsoleProcess]]:
    """Run a daemon with so many watchers, whose statistics are made up, and a console."""
    daemon = Daemon("", program=PROGRAM)
    (daemon.folder / "chatty.py").write_text(CHATTY)
    (daemon.folder / "allowed").write_text("0")
    replay = (
        f"--statspoint ipc://{daemon.folder}/doors/stats --watchers {watchers} --each {each} "
        f"--allowed {daemon.folder}/allowed"
    )
    daemon.write(
        f"[watcher:circusd-stats]\ncmd = {sys.executable} -m tests.httpd.replay\nargs = {replay}\n"
        f"working_dir = {ROOT}\ncopy_env = True\nready = spawned\nstop_signal = KILL\n"
        f"[watcher:chatty]\ncmd = {sys.executable} {daemon.folder}/chatty.py\nready = spawned\n"
        + "".join(
            f"[watcher:w{number}]\ncmd = sleep 10000\nready = spawned\nstop_signal = KILL\n"
            for number in range(watchers)
        )
    )
    with both(daemon, lambda: daemon.status(f"w{watchers - 1}")["running"] == 1) as running:
        yield running


def live_through(
    daemon: Daemon, console: ConsoleProcess, minutes: int, pages: int
) -> Iterator[Memory]:
    """Let so many minutes pass; yield the memory after each."""
    person = console.signed_in()
    until(lambda: '"w0"' in person.browser.get("/").text, 60)
    token = Tokens(console.folder / "kept").add("program", Role.OPERATOR)
    program = console.client(authorization=f"Bearer {token}")
    (key,) = program.get("/api/daemons").json()["daemons"]
    output = {"topics": ["output"], "daemon": key, "watcher": "chatty"}
    processes = {"topics": ["events", "processes"], "daemon": key, "watcher": "w1"}
    open_pages: list[OpenPage] = [
        OpenPage(person, wish) for wish in (output, processes, {"topics": ["events"]})
    ]
    counting = CountingPage(person)
    process = psutil.Process(console.process.pid)
    try:
        for minute in range(1, minutes + 1):
            (daemon.folder / "allowed").write_text(str(minute * SAMPLES))
            fresh_pages = [OpenPage(person) for _ in range(pages - len(open_pages) - 1)]
            _pass_minute(daemon, console, person, program, key)
            until(partial(counting.has, minute * SAMPLES), 300)
            for page in fresh_pages:
                page.close()
            yield Memory(minute, process.memory_info().rss, daemon.rss())
    finally:
        for page in (*open_pages, counting):
            page.close()


def _pass_minute(
    daemon: Daemon, console: ConsoleProcess, person: Person, program: httpx.Client, key: str
) -> None:
    for number in range(EVENTS):
        daemon.ok("announce", name=f"w{number % 10}", event="note", body={"text": "x" * 200})
    for path in PAGES * VISITS:
        assert person.browser.get(path.format(key=key)).status_code == 200
    for _ in range(ACTS // 2):
        person.ok("incr", name="w0")
        person.ok("decr", name="w0", waiting=True)
    for _ in range(SIGN_INS):
        somebody = console.signed_in()
        somebody.browser.post("/sign-out", data={"csrf": somebody.word})
        somebody.browser.close()
    for _ in range(REQUESTS):
        program.post("/api/commands/status", json={"long": True})
    with program.stream("GET", "/api/output/chatty?lines=100") as stream:
        lines = stream.iter_lines()
        while next(lines) != ": following":
            pass


def growth(memories: list[Memory]) -> tuple[int, int]:
    """Return by how much console and daemon have grown from the second third to the last.

    In the first one, all that is kept up to a bound becomes full. Medians, because what waits for
    a processor for a moment takes room, too.
    """
    third = max(1, len(memories) // 3)
    middle, end = memories[third : 2 * third], memories[2 * third :]
    return (
        _median(memory.console for memory in end) - _median(memory.console for memory in middle),
        _median(memory.daemon for memory in end) - _median(memory.daemon for memory in middle),
    )


def _median(sizes: Iterable[int]) -> int:
    return int(statistics.median(sizes))


def main() -> None:
    """Live through it, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--pages", type=int, default=20)
    args = parser.parse_args()
    threading.stack_size(256 * 1024)
    memories = []
    with stage(args.watchers, args.each) as (daemon, console):
        for memory in live_through(daemon, console, args.minutes, args.pages):
            memories.append(memory)
            if memory.minute % 5 == 0 or memory.minute == 1:
                print(memory, flush=True)
    of_console, of_daemon = growth(memories)
    print(
        f"from the second third to the last: console {of_console / MEGABYTE:+.1f} MB, "
        f"daemon {of_daemon / MEGABYTE:+.1f} MB"
    )


if __name__ == "__main__":
    main()
