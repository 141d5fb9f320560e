"""What goes wrong on a machine while a daemon runs, each for a moment, and put right again."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import zmq

from tests.live.daemon import Daemon

UNTOUCHED = "worker.py"
"""Serves requests that must not fail: whoever kills it fails them himself."""
MOMENT = 1.0
"""Seconds that a trouble lasts."""


class Troubles:
    """Brings one trouble after the other, and counts them."""

    def __init__(self, daemon: Daemon, folder: Path, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._daemon = daemon
        self._folder = folder
        self._dice = random.Random(seed)
        self._configuration = daemon.file.read_text(encoding="utf-8")
        self._stuck: list[zmq.Socket[bytes]] = []
        self._kinds: list[Callable[[], None]] = [
            self.kill_some,
            self.kill_some,
            self.step_the_clock,
            self.fill_the_disk,
            self.exhaust_descriptors,
            self.make_a_program_unrunnable,
            self.break_the_configuration,
            self.stop_reading_events,
            self.freeze_some,
        ]

    def bring(self) -> None:
        """Bring one trouble, at random, and put it right."""
        trouble = self._dice.choice(self._kinds)
        self.counts[trouble.__name__] += 1
        trouble()

    def end(self) -> None:
        """Leave nothing behind."""
        for subscriber in self._stuck:
            subscriber.close(0)

    def kill_some(self) -> None:
        """Kill children of the daemon, and theirs."""
        victims = self._victims(recursive=self._dice.random() < 0.5)
        for victim in self._dice.sample(victims, min(len(victims), self._dice.choice([1, 1, 30]))):
            _signal(victim.pid, signal.SIGKILL)

    def freeze_some(self) -> None:
        """Stop some processes for a moment."""
        victims = self._victims(recursive=False)
        frozen = self._dice.sample(victims, min(len(victims), 3))
        for victim in frozen:
            _signal(victim.pid, signal.SIGSTOP)
        time.sleep(MOMENT)
        for victim in frozen:
            _signal(victim.pid, signal.SIGCONT)

    def step_the_clock(self) -> None:
        """Set the daemon's wall clock back or forth, by up to a day."""
        hours = self._dice.choice([-24, -1, -0.01, 0, 0.01, 1, 24])
        (self._folder / "clock").write_text(f"{hours * 3600:+g}\n", encoding="ascii")

    def fill_the_disk(self) -> None:
        """Leave no room where one stream writes."""
        ballast = self._folder / "small" / "ballast"
        try:
            with ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * 4096)
                    file.flush()
        except OSError:
            pass
        time.sleep(MOMENT)
        ballast.unlink(missing_ok=True)

    def exhaust_descriptors(self) -> None:
        """Leave the daemon a handful of descriptors."""
        pid = self._daemon.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 4, before[1]))
        time.sleep(MOMENT)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def make_a_program_unrunnable(self) -> None:
        """Take away a program's permission to run, as half a deployment does."""
        program = self._folder / "program"
        program.chmod(0o644)
        self.kill_some()
        time.sleep(MOMENT)
        program.chmod(0o755)

    def break_the_configuration(self) -> None:
        """Have a file read that is broken, empty, or cut off."""
        file = self._daemon.file
        broken = self._dice.choice(
            ["[watcher:x]\nnumprocesses = x\n", "no section\n", self._configuration[:-200]]
        )
        file.write_text(broken, encoding="utf-8")
        reply = self._daemon.call("reloadconfig")
        file.write_text(self._configuration, encoding="utf-8")
        if broken != self._configuration[:-200]:
            assert reply["status"] == "error", (broken, reply)
        self._daemon.call("reloadconfig")

    def stop_reading_events(self) -> None:
        """Subscribe to everything, and never read it."""
        if len(self._stuck) < 3:
            subscriber = zmq.Context.instance().socket(zmq.SUB)
            subscriber.setsockopt(zmq.RCVHWM, 10)
            subscriber.setsockopt(zmq.RCVBUF, 4096)
            subscriber.subscribe("")
            subscriber.connect(self._daemon.events)
            self._stuck.append(subscriber)

    def _victims(self, *, recursive: bool) -> list[psutil.Process]:
        keeper = psutil.Process(self._daemon.process.pid)
        return [one for one in keeper.children(recursive=recursive) if not _is_untouched(one)]


def _is_untouched(process: psutil.Process) -> bool:
    try:
        return any(UNTOUCHED in word for word in process.cmdline())
    except psutil.Error:
        return False


def _signal(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        pass
