"""A real daemon for a test: started, asked, listened to, and called to account at its end.

The account has three lines, checked after every test: the daemon ended with exit code 0 (or the one
that the test expects), each process that it started was told ended exactly once, and nothing of
what it started is left. The
first two are read in its log, which unlike a subscription misses nothing; the last in the process
table, where everything that descends from a daemon carries a mark in its environment.

With LIVE_KEEPER=1 in the environment, every daemon is one under a keeper.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from cvec_circus_core.model.curve_keys import CurveKeys
from cvec_circus_core.system.keeper_client.standby_fork import NAME as STANDBY
from tests.live.wire import Caller, Ear
from tests.programs import wait_until

BIN = Path(sys.prefix) / "bin"
ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 30.0
"""Seconds that a single fact may take on a machine that has other things to do."""
LOG_GATHERS, LOG_LIMIT = 0.03, 1.0
"""Seconds that records of the loop wait for others at most, and that a test waits for one."""

_MARK = "LIVE_TEST_MARK"
_SPAWNED = re.compile(r"running .* process \[pid (\d+)\]$")
_REAPED = re.compile(
    r"process \[pid (\d+)\] ended by itself|\.reap \{'process_pid': (\d+)", re.MULTILINE
)


class Daemon:
    """One circusd, in a folder of its own."""

    def __init__(
        self,
        body: str,
        *flags: str,
        circus: str = "",
        tcp: bool = False,
        host: str = "127.0.0.1",
        logs_to_file: bool = False,
        program: Sequence[str] = (str(BIN / "circusd"), "--log-level", "debug"),
        tracebacks: int = 0,
        keys: CurveKeys | None = None,
    ) -> None:
        self.mark = uuid.uuid4().hex
        # Unix sockets have short names: the folders that pytest makes may be too deep.
        self.folder = Path(tempfile.mkdtemp(prefix="circus-live-"))
        self.log = self.folder / ("log" if logs_to_file else "out")
        self.file = self.folder / "circus.ini"
        # A folder of their own, because a test may open the other one to every user.
        doors = self.folder / "doors"
        doors.mkdir()
        doors.chmod(0o755)
        self.endpoint = f"tcp://{host}:{free_port()}" if tcp else f"ipc://{doors}/control"
        self.events = f"tcp://{host}:{free_port()}" if tcp else f"ipc://{doors}/events"
        self.circus = circus
        self.program = program
        self.tracebacks = tracebacks
        self.keys = keys
        self.flags = [*flags, "--log-output", str(self.log)] if logs_to_file else list(flags)
        self.exit_code = 0
        self.adrift: set[int] = set()
        """Pids that were left running on purpose."""
        self.write(body)
        self._caller: Caller | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, body: str) -> None:
        """Write the configuration file."""
        keeper = "keeper = True\n" if os.environ.get("LIVE_KEEPER") else ""
        head = f"[circus]\n{keeper}endpoint = {self.endpoint}\npubsub_endpoint = {self.events}\n"
        self.file.write_text(f"{head}{self.circus}\n{body}", encoding="utf-8")

    def launch(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start it, and do not wait for anything."""
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [*self.program, *self.flags, str(self.file)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, _MARK: self.mark, **environment},
                # As a service has it. Where sessions get their turns as groups, a daemon in trouble
                # would take those of all tests.
                start_new_session=True,
            )
        return self._process

    def start(self, **environment: str) -> Daemon:
        """Start it, and wait until it answers."""
        process = self.launch(**environment)
        until(lambda: self.said("Starting master") or process.poll() is not None)
        assert process.poll() is None, self.text()
        self.ok("list")
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The daemon's own process."""
        assert self._process is not None
        return self._process

    @property
    def caller(self) -> Caller:
        """A connection to it."""
        if self._caller is None:
            self._caller = Caller(self.endpoint, keys=self.keys)
        return self._caller

    def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Return the reply to a request."""
        return self.caller.call(command, **properties)

    def ok(self, command: str, **properties: Any) -> dict[str, Any]:
        """Return the reply to a request that is not refused."""
        reply = self.call(command, **properties)
        assert reply["status"] != "error", reply
        return reply

    def refused(self, command: str, **properties: Any) -> tuple[int, str]:
        """Return errno and reason of a request that is refused."""
        reply = self.call(command, **properties)
        assert reply["status"] == "error", reply
        assert reply["tb"] is None
        return reply["errno"], reply["reason"]

    def control(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run circusctl against it."""
        return subprocess.run(
            [BIN / "circusctl", "--endpoint", self.endpoint, *words],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            stdin=subprocess.DEVNULL,
        )

    def pids(self, watcher: str) -> list[int]:
        """Return the pids of a watcher, by wid."""
        found: list[int] = self.ok("list", name=watcher)["pids"]
        return found

    def status(self, watcher: str) -> dict[str, Any]:
        """Return how a watcher fares."""
        return self.ok("status", name=watcher)

    def until_active(self, watcher: str, count: int | None = None) -> list[int]:
        """Wait until a watcher is up, with so many processes; return their pids."""

        def is_up() -> bool:
            said = self.status(watcher)
            full = said["running"] == (said["wanted"] if count is None else count)
            return bool(said["status"] == "active" and full)

        until(is_up)
        return self.pids(watcher)

    def listen(self, *topics: str) -> Ear:
        """Return an ear that hears every later event."""
        ear = Ear(self.events, topics, self._knock)
        until(lambda: ear.catch_up(0.1))
        return ear

    def _knock(self, name: str) -> bool:
        if self.process.poll() is not None:
            return False
        self.ok("add", name=name, cmd="true")
        self.ok("rm", name=name, waiting=True)
        return True

    def text(self) -> str:
        """Return the log so far, once it has grown no more for longer than records gather."""
        log = self.log if self.log.exists() else self.folder / "out"
        if not log.exists():
            return ""  # another daemon is about to start this one
        end, size = time.monotonic() + LOG_LIMIT, -1
        while not self._has_ended() and size != log.stat().st_size:
            if time.monotonic() > end:
                break
            size = log.stat().st_size
            time.sleep(LOG_GATHERS)
        return log.read_text(encoding="utf-8", errors="replace")

    def said(self, what: str) -> bool:
        """Tell whether something stands in the log, or comes there within a moment."""
        end = time.monotonic() + LOG_LIMIT
        while what not in (text := self.text()) and time.monotonic() < end:
            if self._has_ended():
                text = self.text()
                break
        return what in text

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def stop(self, signum: int = signal.SIGTERM, limit: float = LIMIT) -> int:
        """Tell it to end and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.process.wait(limit)

    @property
    def main_pid(self) -> int:
        """The process that answers: the daemon's own or, under a keeper, the brain."""
        return next(iter(self.own_pids()[1:]), self.process.pid)

    def own_pids(self) -> list[int]:
        """Return the daemon's own processes: circusd, and under a keeper its brain and standby."""
        pids = {True: [], False: []}  # type: dict[bool, list[int]]
        for child in psutil.Process(self.process.pid).children():
            try:
                if "--kept" in child.cmdline():
                    pids[child.name() == STANDBY].append(child.pid)
            except psutil.NoSuchProcess:
                continue
        return [self.process.pid, *pids[False], *pids[True]]

    def kill(self) -> None:
        """Kill all that the daemon itself is, so that nothing of it sees the end of another."""
        pids = self.own_pids()
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, signum)
        self.process.wait()
        until(lambda: not any(map(is_alive, pids)))

    def rss(self) -> int:
        """Return the bytes of memory that the daemon has, without its keeper."""
        return int(psutil.Process(self.main_pid).memory_info().rss)

    def zombies(self) -> list[int]:
        """Return the daemon's dead children that nobody has collected."""
        children = psutil.Process(self.process.pid).children()
        return [one.pid for one in children if _status(one) == psutil.STATUS_ZOMBIE]

    def alive(self) -> dict[int, str]:
        """Return all that descends from it and lives, wherever it is now: pid and command."""
        return {
            one.pid: " ".join(one.info["cmdline"] or ())
            for one in psutil.process_iter(["cmdline", "environ"])
            if (one.info["environ"] or {}).get(_MARK) == self.mark
        }

    def account(self) -> None:
        """Check what has to be so when a daemon is gone."""
        assert self.stop() == self.exit_code, self.text()[-3000:]
        text = self.text()
        assert text.count("Traceback") == self.tracebacks, text[text.find("Traceback") :][:3000]
        told = [int(one or other) for one, other in _REAPED.findall(text)]
        begun = [int(pid) for line in text.splitlines() for pid in _SPAWNED.findall(line)]
        assert Counter(told) == Counter(pid for pid in begun if pid not in self.adrift)
        assert not {pid: cmd for pid, cmd in self.alive().items() if pid not in self.adrift}

    def clean_up(self) -> None:
        """Leave nothing behind, however the test went."""
        if self._caller is not None:
            self._caller.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        # One that sees another end may start a third.
        while pids := {pid for pid in self.alive() if is_alive(pid)}:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return "gone"


_PORTS: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens at, and another one each time."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        if port not in _PORTS:
            _PORTS.add(port)
            return port


def until(fact: Callable[[], bool], limit: float = LIMIT) -> None:
    """Look again and again until something is so."""
    wait_until(fact, limit)


def is_alive(pid: int) -> bool:
    """Tell whether a process is there, and no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
