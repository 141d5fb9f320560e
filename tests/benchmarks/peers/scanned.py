"""runit and s6: one folder a service with a `run` script, one small parent a process."""

import shutil
import signal
import subprocess
from pathlib import Path

from tests.benchmarks.peers.contract import Job, Missing, Peer, worker_line


class Runit(Peer):
    name = "runit"
    # HUP tells runsvdir to end every service; on TERM it would leave them running.
    stop_signal = signal.SIGHUP

    def find(self) -> str:
        return _debian("runit", "runsvdir", "runsv")

    def command(self, job: Job) -> list[str]:
        return ["runsvdir", str(_services(job))]


class S6(Peer):
    name = "s6"

    def find(self) -> str:
        return _debian("s6", "s6-svscan", "s6-supervise")

    def command(self, job: Job) -> list[str]:
        # Without -c it keeps to 500 services.
        return ["s6-svscan", "-c", str(job.total + 10), str(_services(job))]


def _services(job: Job) -> Path:
    folder = job.folder / "services"
    for number in range(job.total):
        service = folder / f"w{number:05}"
        service.mkdir(parents=True)
        run = service / "run"
        run.write_text(f"#!/bin/sh\nexec {worker_line(job)}\n")
        run.chmod(0o755)
    return folder


def _debian(package: str, *programs: str) -> str:
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"no {program} here: apt-get install {package}")
    words = ["dpkg-query", "--show", "--showformat=${Version}", package]
    if shutil.which(words[0]) is None:
        return "installed"
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout or "installed"
