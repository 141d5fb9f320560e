"""BentoML 1.2: workers of a service are watchers of its own arbiter, behind a socket of circus."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.compat.dependants.installed import PATIENCE, installed, report, surroundings, until

PACKAGES = ("bentoml==1.2.20", "setuptools<70", "pydantic<2.9")
SERVICE = """
import os
import bentoml

@bentoml.service(workers=2)
class Adder:
    @bentoml.api
    def add(self, x: int, y: int) -> int:
        return x + y

    @bentoml.api
    def pid(self) -> int:
        return os.getpid()
"""


class Service:
    """A service of two workers, served by ``bentoml serve``."""

    def __init__(self, environment: Path, home: Path) -> None:
        (home / "service.py").write_text(SERVICE)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.log = home / "log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    *(environment / "bin" / "bentoml", "serve", "service:Adder"),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                ],
                cwd=home,
                env=surroundings(
                    environment,
                    home,
                    BENTOML_HOME=str(home / "bentoml"),
                    BENTOML_DO_NOT_TRACK="True",
                ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def ask(self, method: str, **values: int) -> int | None:
        """Return what a method answers, or None where it does not."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{method}",
            json.dumps(values).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return int(reply.read())
        except OSError:
            return None

    def workers(self) -> set[int]:
        """Return the pids of the processes that answer."""
        return {pid for _ in range(20) if (pid := self.ask("pid")) is not None}


def steps(service: Service) -> Iterator[tuple[str, bool]]:
    """Do with it what its users do, and tell of each step whether it worked."""
    yield "answers", until(lambda: service.ask("add", x=20, y=22) == 42)
    yield "two workers", until(lambda: len(service.workers()) == 2)
    killed = min(service.workers())
    os.kill(killed, signal.SIGKILL)
    yield "answers meanwhile", until(lambda: service.ask("add", x=1, y=2) == 3)
    replaced = until(lambda: len(service.workers()) == 2 and killed not in service.workers())
    yield "replaced", replaced
    family = psutil.Process(service.process.pid).children(recursive=True)
    service.process.send_signal(signal.SIGTERM)
    yield "ends", until(lambda: service.process.poll() is not None)
    yield "nobody left", until(lambda: not any(process.is_running() for process in family))
    yield "port free", service.ask("add", x=1, y=1) is None


@contextmanager
def served(environment: Path) -> Iterator[Service]:
    """Serve in a home of its own."""
    home = Path(tempfile.mkdtemp(prefix="bentoml-"))
    service = Service(environment, home)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait(PATIENCE)
        shutil.rmtree(home, ignore_errors=True)


def check(side: str) -> set[str]:
    """Try it on one of the two sides, and return the steps that did not work."""
    with installed(side, PACKAGES) as folder, served(folder) as service:
        failed = report(side, steps(service))
        if failed:
            print(service.log.read_text(encoding="utf-8")[-3000:])
        return failed
