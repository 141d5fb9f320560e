"""The limit: a loop of forty lines around posix_spawn, pidfd and epoll."""

import platform
import sys
from pathlib import Path

from tests.benchmarks.peers.contract import Job, Peer


class Bare(Peer):
    name = "bare"

    def find(self) -> str:
        return f"Python {platform.python_version()}"

    def command(self, job: Job) -> list[str]:
        loop = Path(__file__).with_name("bare_loop.py")
        return [sys.executable, "-I", "-S", str(loop), str(job.total), *job.worker]
