"""aiida-core: its daemon is an arbiter inside a program, driven by its own command line.

A profile with SQLite and its own broker, the daemon started, looked at, resized and restarted, a
calculation submitted and finished, a worker killed, the log followed, the daemon stopped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.compat.dependants.installed import (
    PATIENCE,
    end_those_of,
    installed,
    report,
    surroundings,
    until,
)

PACKAGES = ("aiida-core~=2.9.0",)
SUBMIT = """
import time
from aiida import engine, load_profile, orm
load_profile()
computer = orm.load_computer("localhost")
code = orm.InstalledCode(
    label="add", computer=computer, filepath_executable="/bin/bash",
    default_calc_job_plugin="core.arithmetic.add",
).store()
builder = code.get_builder()
builder.x, builder.y = orm.Int(20), orm.Int(22)
node = engine.submit(builder)
end = time.monotonic() + 120
while not node.is_terminated and time.monotonic() < end:
    time.sleep(0.5)
print("finished" if node.is_finished_ok else node.process_state, node.outputs.sum.value)
"""


class Aiida:
    """An installation of it, with a home of its own."""

    def __init__(self, environment: Path) -> None:
        self.bin = environment / "bin"
        self.home = Path(tempfile.mkdtemp(prefix="aiida-"))
        self.environ = surroundings(environment, self.home, AIIDA_PATH=str(self.home))

    def run(self, *words: str) -> str:
        """Return what one of its programs prints. Raises `SystemExit`."""
        done = subprocess.run(
            [self.bin / words[0], *words[1:]],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def daemon(self, *words: str) -> str:
        """Return what ``verdi daemon`` prints."""
        return self.run("verdi", "daemon", *words)

    def shows_log(self) -> bool:
        """Tell whether ``verdi daemon logshow``, which follows the log for ever, shows a worker."""
        shown = self.home / "shown"
        with shown.open("wb") as out:
            process = subprocess.Popen(
                [self.bin / "verdi", "daemon", "logshow"],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            return until(lambda: "daemon worker" in shown.read_text(encoding="utf-8"))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def daemon_pid(self) -> int:
        """Return the pid of its daemon, which holds the arbiter."""
        match = re.search(r"Daemon is running as PID (\d+)", self.daemon("status"))
        return int(match[1]) if match else 0

    def workers(self) -> list[int]:
        """Return the pids of its workers."""
        rows = self.daemon("status").partition("started")[2].splitlines()
        return [int(row.split()[0]) for row in rows if re.match(r" *\d+ ", row)]

    def circus_log(self) -> str:
        """Return what its daemon has logged."""
        folder = self.home / ".aiida" / "daemon" / "log"
        return next(folder.glob("circus-*.log")).read_text(encoding="utf-8")


def steps(aiida: Aiida) -> Iterator[tuple[str, bool]]:
    """Do with it what its users do, and tell of each step whether it worked."""
    yield "profile", "Created new profile" in aiida.run("verdi", "presto", "--use-zeromq")
    # Its workers take a second of the processor to end, and a busy machine has not so much to give.
    aiida.run("verdi", "config", "set", "daemon.timeout", "60")
    aiida.run("verdi", "config", "set", "logging.aiida_loglevel", "INFO")
    yield "start", "OK" in aiida.daemon("start")
    pid = aiida.daemon_pid()
    yield "status", pid > 0 and len(aiida.workers()) == 1
    aiida.daemon("incr", "2")
    yield "incr", until(lambda: len(aiida.workers()) == 3)
    aiida.daemon("decr", "1")
    yield "decr", until(lambda: len(aiida.workers()) == 2)
    yield "calculation", "finished 42" in aiida.run("python", "-c", SUBMIT)
    killed, kept = aiida.workers()
    os.kill(killed, signal.SIGKILL)
    yield "replaced", until(lambda: len(aiida.workers()) == 2 and killed not in aiida.workers())
    yield "kept", kept in aiida.workers()
    yield "restart", "OK" in aiida.daemon("restart")
    yield "restarted", until(lambda: len(aiida.workers()) > 0 and kept not in aiida.workers())
    yield "log", "circus[" in aiida.circus_log()
    yield "logshow", aiida.shows_log()
    pid = aiida.daemon_pid()
    yield "stop", "OK" in aiida.daemon("stop")
    yield "gone", until(lambda: not os.path.exists(f"/proc/{pid}"))
    yield "pid file", not list((aiida.home / ".aiida" / "daemon").glob("*.pid"))


def check(side: str) -> set[str]:
    """Try it on one of the two sides, and return the steps that did not work."""
    with installed(side, PACKAGES) as folder:
        aiida = Aiida(folder)
        try:
            return report(side, steps(aiida))
        finally:
            subprocess.run(
                [aiida.bin / "verdi", "daemon", "stop"], env=aiida.environ, capture_output=True
            )
            end_those_of(aiida.home)
            shutil.rmtree(aiida.home, ignore_errors=True)
