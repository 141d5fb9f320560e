"""One daemon, random requests, and troubles of every kind; then the account.

What must be so at the end, whatever happened: every request was answered once; no request of web
clients failed; of the lines that workers wrote, all are in the files, once, or the log says that
some were lost; one reap for every spawn; nothing is left; memory is what it was.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.live.daemon import Daemon, free_port, until
from tests.live.test_chaos import CLIENTS, KINDS, Client, peace
from tests.rollout.clients import Clients
from tests.soak.troubles import Troubles

HERE = Path(__file__).parent
WORKER = HERE.parent / "rollout" / "worker.py"
WATCHERS = 50
FLAT = 16 << 20
"""Bytes that the daemon may have grown by since it was warm."""
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
_LINE = re.compile(rb"^(\d+) (\d+)$", re.MULTILINE)
_SPAWNED = re.compile(r"running (\S+) process \[pid (\d+)\]")


@dataclass
class Report:
    """What has been, in numbers."""

    seconds: float
    troubles: Counter[str] = field(default_factory=Counter)
    replies: Counter[str] = field(default_factory=Counter)
    web_calls: int = 0
    lines: int = 0
    warm: int = 0
    grown: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return it for a person."""
        return (
            f"{self.seconds:.0f} s; troubles {dict(self.troubles)}; replies {dict(self.replies)}; "
            f"{self.web_calls} web requests; {self.lines} lines; {self.warm >> 20} MB, "
            f"grown by {self.grown / (1 << 20):.1f} MB; wrong: {self.wrong or 'nothing'}"
        )


def soak(seconds: float, seed: int) -> Report:
    """Let a daemon have everything at once for so long."""
    report = Report(seconds)
    with _folder() as folder:
        port = free_port()
        daemon = Daemon(_configuration(folder, port))
        try:
            daemon.start(**clock_environment(folder))
            until(lambda: daemon.status("web")["ready"] == 3)
            _trouble(daemon, folder, port, seed, report)
            # The disk is what it was, and every line has time to arrive.
            _await_peace(daemon)
            report.grown = daemon.rss() - report.warm
            daemon.account()
            _count_lines(daemon, folder, report)
        finally:
            daemon.clean_up()
            shutil.rmtree(daemon.folder, ignore_errors=True)
    if report.grown > FLAT:
        report.wrong.append(f"memory grew by {report.grown} bytes")
    return report


def _trouble(daemon: Daemon, folder: Path, port: int, seed: int, report: Report) -> None:
    over = threading.Event()
    clients = [Client(daemon.endpoint, seed + number, over) for number in range(CLIENTS)]
    troubles = Troubles(daemon, folder, seed)
    with Clients(port) as web:
        for client in clients:
            client.start()
        try:
            begun_at = time.monotonic()
            while (past := time.monotonic() - begun_at) < report.seconds:
                troubles.bring()
                if not report.warm and past > report.seconds / 4:
                    report.warm = daemon.rss()
                daemon.ok("reload", name="web")
                time.sleep(0.05)  # the rhythm of the troubles, not a wait for anything
        finally:
            over.set()
            for client in clients:
                client.join(60)
            troubles.end()
        web.until_all_called()
    report.troubles = troubles.counts
    report.replies = sum((client.told for client in clients), Counter())
    report.web_calls = web.total.calls
    report.wrong += [trouble for client in clients for trouble in client.trouble]
    report.wrong += [f"web request: {failure}" for failure in web.total.failures]


def _await_peace(daemon: Daemon) -> None:
    for name in daemon.ok("list")["watchers"]:
        # What replaces its processes each second is never at rest on a busy machine.
        if daemon.call("get", name=name, keys=["max_age"]).get("options", {}).get("max_age"):
            daemon.ok("set", name=name, options={"max_age": 0})
    try:
        peace(daemon)
    except AssertionError as problem:
        details = daemon.ok("status", long=True)["details"]
        listed = {pid: name for name in details for pid in daemon.pids(name)}
        children = {child.pid for child in psutil.Process(daemon.process.pid).children()}
        unsettled = {
            name: detail
            for name, detail in details.items()
            if detail["reason"] is None
            and (detail["state"], detail["running"])
            not in (("active", detail["wanted"]), ("stopped", detail["wanted"]))
        }
        strangers = {pid: daemon.alive().get(pid) for pid in children ^ set(listed)}
        about = [
            line
            for line in daemon.text().splitlines()[-100_000:]
            if any(f" {name} " in line or f".{name}." in line for name in unsettled)
        ]
        last_words = "\n".join(about[-40:])
        raise AssertionError(f"no peace: {unsettled}, {strangers}\n{last_words}") from problem


def _configuration(folder: Path, port: int) -> str:
    program = folder / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n", encoding="ascii")
    program.chmod(0o755)
    (folder / "lines").mkdir()
    writer = f"{sys.executable} -S {HERE / 'writer.py'}"
    sections = [
        # The clock is the daemon's alone.
        "[env]\nLD_PRELOAD =\n",
        f"[socket:web]\nhost = 127.0.0.1\nport = {port}\n",
        f"[watcher:web]\ncmd = {sys.executable} -S {WORKER} $(circus.sockets.web) 0.1 serve\n"
        "use_sockets = True\nnumprocesses = 3\nready = notify\ngraceful_timeout = 10\n",
        f"[watcher:lines]\ncmd = {writer}\nnumprocesses = 3\nstdout_stream.class = FileStream\n"
        f"stdout_stream.filename = {folder}/lines/out.log\nstdout_stream.max_bytes = 200000\n"
        "stdout_stream.backup_count = 100000\n",
        f"[watcher:small]\ncmd = {writer} 0.01\nstdout_stream.class = FileStream\n"
        f"stdout_stream.filename = {folder}/small/out.log\n",
        f"[watcher:runnable]\ncmd = {program}\nnumprocesses = 3\n",
    ]
    sections += [f"[watcher:w{number}]\n{KINDS[number % len(KINDS)]}" for number in range(WATCHERS)]
    return "".join(sections)


def _count_lines(daemon: Daemon, folder: Path, report: Report) -> None:
    text = daemon.text()
    for name, may_lose in (("lines", False), ("small", True)):
        pids = {pid.encode() for watcher, pid in _SPAWNED.findall(text) if watcher == name}
        numbers: dict[bytes, list[int]] = defaultdict(list)
        for file in (folder / name).glob("out.log*"):
            for pid, number in _LINE.findall(file.read_bytes()):
                # Where a full disk has cut a line, its beginning and the next line look like one.
                if pid in pids or not may_lose:
                    numbers[pid].append(int(number))
        for pid, seen in numbers.items():
            report.lines += len(seen)
            if len(set(seen)) < len(seen):
                report.wrong.append(f"{name}: lines of {pid.decode()} stand there twice")
            is_whole = max(seen) == len(set(seen)) - 1
            if not is_whole and not (may_lose and "lost" in text):
                report.wrong.append(f"{name}: lines of {pid.decode()} are lost and nobody told")


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="circus-soak-"))
    small = folder / "small"
    small.mkdir()
    is_mounted = os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    )
    try:
        yield folder
    finally:
        if is_mounted:
            subprocess.call(["umount", "-l", str(small)])
        shutil.rmtree(folder, ignore_errors=True)


def clock_environment(folder: Path) -> dict[str, str]:
    """Return the environment in which a daemon's wall clock can be set, where that is to be had."""
    libraries = list(Path("/").glob(FAKETIME.lstrip("/")))
    if not libraries:
        return {}
    clock = folder / "clock"
    clock.write_text("+0\n", encoding="ascii")
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
