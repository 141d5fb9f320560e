"""What the console costs: many watchers, many processes, many open pages, and much output.

``python -m tests.httpd.load`` takes 200 watchers with 2 000 processes and 20 pages; ``--watchers``,
``--processes``, ``--pages`` and ``--seconds`` say otherwise. It prints how soon an action shows on
all pages, what share of a core the console takes, how long a request to the daemon takes with and
without pages, and the memory of the console at the beginning and at the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.httpd.consoles import ConsoleProcess, Person
from tests.live.daemon import BIN, Daemon, until

PROGRAM = (str(BIN / "circusd"), "--log-level", "info")


LOUD = """
import sys, time
lines = ("x" * 99 + chr(10)) * 10_000
due = time.monotonic()
while True:
    sys.stdout.write(lines)
    sys.stdout.flush()
    due += 0.09
    time.sleep(max(0.0, due - time.monotonic()))
"""


class OpenPage:
    """A page that is open in some browser: it reads what comes, and knows the running counts."""

    def __init__(self, person: Person, wish: Mapping[str, object] | None = None) -> None:
        self.running: dict[str, int] = {}
        self.messages = 0
        self.size = 0
        self._changed = threading.Condition()
        self._context = connect(
            person.console.base.replace("http", "ws") + "/live",
            additional_headers={"cookie": person.cookie},
            origin=Origin(person.console.base),
            compression=None,
            max_size=None,
        )
        self._socket = self._context.__enter__()
        self._socket.send(json.dumps(wish or {"topics": ["events"]}))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_running(self, watcher: str, count: int, seconds: float) -> bool:
        """Wait until the page shows so many processes of a watcher."""
        with self._changed:
            return self._changed.wait_for(lambda: self.running.get(watcher) == count, seconds)

    def close(self) -> None:
        """Close the page."""
        self._context.__exit__(None, None, None)
        self._reader.join(10)

    def _read(self) -> None:
        try:
            for text in self._socket:
                self.messages += 1
                self.size += len(text)
                self.on_text(str(text))
        except ConnectionClosed:
            pass

    def on_text(self, text: str) -> None:
        """Look at a message."""
        # A browser has a processor of its own: what says nothing of counts is not read.
        if '"watchers":' not in text[:200]:
            return
        message = json.loads(text)
        with self._changed:
            for name, state in message.get("watchers", {}).items():
                self.running[name] = state["running"]
            self._changed.notify_all()


@dataclass(frozen=True)
class Outcome:
    """What was measured."""

    shown: list[float]
    """Seconds from the click until the last page shows it."""
    console_share: float
    """Of one core, while the pages are open and nothing happens but statistics."""
    idle_share: float
    """The same while no page is open."""
    latency_without: float
    latency_with: float
    memory_before: int
    memory_after: int
    bytes_a_second: float
    """To each page."""

    def lines(self) -> Iterator[str]:
        """Yield them as sentences."""
        shown = sorted(1000 * seconds for seconds in self.shown)
        yield (
            f"an action shows on all pages after {statistics.median(shown):.0f} ms (median), "
            f"{shown[-1]:.0f} ms (worst of {len(shown)})"
        )
        yield (
            f"the console takes {100 * self.console_share:.1f} % of a core with all pages open, "
            f"{100 * self.idle_share:.2f} % with none"
        )
        yield (
            f"a request to the daemon takes {1000 * self.latency_without:.2f} ms without pages, "
            f"{1000 * self.latency_with:.2f} ms with them (median)"
        )
        yield (
            f"memory of the console: {self.memory_before / 1e6:.1f} MB before, "
            f"{self.memory_after / 1e6:.1f} MB after; {self.bytes_a_second / 1000:.1f} kB/s a page"
        )


@contextmanager
def both(daemon: Daemon, is_up: Callable[[], bool]) -> Iterator[tuple[Daemon, ConsoleProcess]]:
    """Run a daemon and, once it is up, a console in front of it."""
    console = ConsoleProcess(daemon.endpoint)
    try:
        daemon.start()
        until(is_up, 300)
        console.start()
        yield daemon, console
    finally:
        console.stop()
        daemon.stop(limit=120)
        daemon.clean_up()
        shutil.rmtree(console.folder, ignore_errors=True)
        shutil.rmtree(daemon.folder, ignore_errors=True)


@contextmanager
def crowd(watchers: int, processes: int) -> Iterator[tuple[Daemon, ConsoleProcess]]:
    """Run so many watchers and processes, and a console in front of them."""
    each = processes // watchers
    body = "".join(
        f"[watcher:w{number}]\ncmd = sleep 10000\nnumprocesses = {each}\nready = spawned\n"
        "stop_signal = KILL\n"
        for number in range(watchers)
    )
    daemon = Daemon(body, program=PROGRAM)
    daemon.circus = f"stats_endpoint = ipc://{daemon.folder}/doors/stats\n"
    daemon.write(body)
    names = [f"w{number}" for number in range(watchers)]
    with both(daemon, lambda: _running(daemon, names) == each * watchers) as running:
        yield running


def measure(daemon: Daemon, console: ConsoleProcess, pages: int, seconds: float) -> Outcome:
    """Open the pages, act, and look what that costs."""
    person = console.signed_in()
    until(lambda: '"w0"' in person.browser.get("/").text, 60)
    process = psutil.Process(console.process.pid)
    idle_share = _share(process, seconds / 4)
    latency_without = _latency(daemon)
    open_pages = [OpenPage(person) for _ in range(pages)]
    until(lambda: all(page.running for page in open_pages), 60)
    # The first samples and the first curves come into memory once.
    shown = [_act(person, open_pages) for _ in range(3)]
    time.sleep(seconds / 4)
    memory_before = process.memory_info().rss
    sizes = sum(page.size for page in open_pages)
    console_share = _share(process, seconds)
    rate = (sum(page.size for page in open_pages) - sizes) / seconds / pages
    latency_with = _latency(daemon)
    shown = [_act(person, open_pages) for _ in range(30)]
    memory_after = process.memory_info().rss
    for page in open_pages:
        page.close()
    return Outcome(
        *(shown, console_share, idle_share, latency_without, latency_with),
        *(memory_before, memory_after, rate),
    )


def _act(person: Person, pages: list[OpenPage]) -> float:
    before = pages[0].running["w0"]
    command, after = ("incr", before + 1) if before % 2 == 0 else ("decr", before - 1)
    began = time.monotonic()
    person.ok(command, name="w0")
    for page in pages:
        assert page.wait_running("w0", after, 30), f"{command} is not shown"
    return time.monotonic() - began


def _running(daemon: Daemon, names: list[str]) -> int:
    details = daemon.ok("status", long=True)["details"]
    return sum(details[name]["running"] for name in names)


def _share(process: psutil.Process, seconds: float) -> float:
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)


def _latency(daemon: Daemon) -> float:
    times = []
    for _ in range(300):
        began = time.perf_counter()
        daemon.ok("numprocesses", name="w0")
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def output_flood(seconds: float) -> tuple[float, int, int]:
    """Follow 10 MB/s of output on one page; return MB/s, and the console's memory before and after.

    The page does not read for half of the time.
    """
    daemon = Daemon("", program=PROGRAM)
    script = daemon.folder / "loud.py"
    script.write_text(LOUD)
    daemon.write(f"[watcher:loud]\nready = spawned\ncmd = {sys.executable} {script}\n")
    console = ConsoleProcess(daemon.endpoint)
    try:
        daemon.start().until_active("loud", 1)
        console.start()
        person = console.signed_in()
        process = psutil.Process(console.process.pid)
        with connect(
            console.base.replace("http", "ws") + "/live",
            additional_headers={"cookie": person.cookie},
            origin=Origin(console.base),
            compression=None,
            max_size=None,
        ) as page:
            snapshot = json.loads(page.recv(timeout=20))
            wish = {"topics": ["output"], "daemon": snapshot["daemon"], "watcher": "loud"}
            page.send(json.dumps(wish))
            _read_for(page, 3.0)
            before = process.memory_info().rss
            began = time.monotonic()
            size = _read_for(page, seconds / 2)
            took = time.monotonic() - began
            time.sleep(seconds / 2)
            after = process.memory_info().rss
        person.ok("status")
        return size / took / 1e6, before, after
    finally:
        console.stop()
        daemon.stop()
        daemon.clean_up()
        shutil.rmtree(console.folder, ignore_errors=True)
        shutil.rmtree(daemon.folder, ignore_errors=True)


def _read_for(page: object, seconds: float) -> int:
    """Read for so long; return the bytes of output that came or were told to be lost."""
    end, size = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        message = json.loads(page.recv(timeout=20))  # type: ignore[attr-defined]
        if message["type"] == "output":
            size += len(message["data"])
        elif message["type"] == "lost":
            size += message.get("output", 0)
    return size


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2000)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    args = parser.parse_args()
    print(f"{args.watchers} watchers, {args.processes} processes, {args.pages} pages")
    with crowd(args.watchers, args.processes) as (daemon, console):
        for line in measure(daemon, console, args.pages, args.seconds).lines():
            print(line, flush=True)
    rate, before, after = output_flood(args.seconds)
    print(
        f"output at {rate:.1f} MB/s to one page: {before / 1e6:.1f} MB before, "
        f"{after / 1e6:.1f} MB after"
    )


if __name__ == "__main__":
    main()
