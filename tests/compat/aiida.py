"""aiida-core, as it comes from PyPI, on cvec-circus-compat and on the release that it requires.

    python -m tests.compat.aiida            # on ours
    python -m tests.compat.aiida --control  # on both, one after the other

Its daemon is an arbiter inside a program: started, looked at, resized, restarted and stopped by its
own command line, with a calculation that is submitted and runs to its end. Nothing but pip is
needed: the profile has SQLite and a broker of its own. It takes some minutes and 300 MB.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compat.conftest import COMPAT, ROOT

AIIDA = "aiida-core~=2.9.0"
PATIENCE = 180.0
SUBMIT = """
import sys, time
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

    def run(self, *words: str) -> str:
        """Return what one of its programs prints. Raises `CalledProcessError`."""
        path = f"{self.bin}:{os.environ['PATH']}"
        home = {"HOME": str(self.home), "AIIDA_PATH": str(self.home), "PATH": path}
        done = subprocess.run(
            [self.bin / words[0], *words[1:]],
            env={**os.environ, **home},
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

    def daemon_pid(self) -> int:
        """Return the pid of its daemon, which holds the arbiter."""
        match = re.search(r"Daemon is running as PID (\d+)", self.daemon("status"))
        return int(match[1]) if match else 0

    def workers(self) -> list[int]:
        """Return the pids of its workers."""
        rows = self.daemon("status").partition("started")[2].splitlines()
        return [int(row.split()[0]) for row in rows if re.match(r" *\d+ ", row)]


def until(fact: Callable[[], bool]) -> bool:
    """Look again and again until something is so, and tell whether it came to be."""
    end = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def steps(aiida: Aiida) -> Iterator[tuple[str, bool]]:
    """Do with it what its users do, and tell of each step whether it worked."""
    yield "profile", "Created new profile" in aiida.run("verdi", "presto", "--use-zeromq")
    # Its workers take a second of the processor to end, and a busy machine has not so much to give.
    aiida.run("verdi", "config", "set", "daemon.timeout", "60")
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
    log = next((aiida.home / ".aiida" / "daemon" / "log").glob("circus-*.log")).read_text()
    yield "log", "circus[" in log
    pid = aiida.daemon_pid()
    yield "stop", "OK" in aiida.daemon("stop")
    yield "gone", until(lambda: not os.path.exists(f"/proc/{pid}"))
    yield "pid file", not list((aiida.home / ".aiida" / "daemon").glob("*.pid"))


@contextmanager
def installed(name: str, packages: list[str]) -> Iterator[Path]:
    """Make an environment with aiida-core, and other packages in the place of its circus."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        venv.create(folder, with_pip=True)
        _pip(folder, "install", AIIDA)
        if packages:
            _pip(folder, "uninstall", "--yes", "circus")
            _pip(folder, "install", *packages)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pip(folder: Path, *words: str) -> None:
    subprocess.run([folder / "bin" / "pip", words[0], "--quiet", *words[1:]], check=True)


def check(name: str, packages: list[str]) -> list[str]:
    """Try it on one of the two, print each step, and return those that did not work."""
    failed = []
    with installed(name, packages) as folder:
        aiida = Aiida(folder)
        try:
            for step, worked in steps(aiida):
                print(f"{name}: {step}: {'ok' if worked else 'FAILED'}", flush=True)
                failed += [] if worked else [step]
        finally:
            subprocess.run(
                [aiida.bin / "verdi", "daemon", "stop"],
                env={**os.environ, "HOME": str(aiida.home), "AIIDA_PATH": str(aiida.home)},
                capture_output=True,
            )
            shutil.rmtree(aiida.home, ignore_errors=True)
    return failed


def main() -> int:
    """Try it; with ``--control`` on the older package, too."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--control", action="store_true", help="on the older package, too")
    arguments = parser.parse_args()
    failed = check("compat", [str(ROOT), str(COMPAT)])
    if arguments.control:
        only_ours = set(failed) - set(check("older", []))
        return 1 if only_ours else 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
