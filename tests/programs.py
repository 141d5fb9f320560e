"""The installed programs, run as their users run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    def run(self, program: str, *words: str, limit: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one of its programs to its end."""
        return subprocess.run(
            [self.folder / "bin" / program, *words],
            capture_output=True,
            text=True,
            timeout=limit,
            stdin=subprocess.DEVNULL,
        )

    @contextmanager
    def running(
        self, program: str, *words: str, log: Path, cwd: Path | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run one of its programs beside the test; kill it where it did not end by itself."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                [self.folder / "bin" / program, *words],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)


class Control:
    """circusctl, aimed at one daemon."""

    def __init__(self, environment: Environment, endpoint: str) -> None:
        self.environment = environment
        self.endpoint = endpoint

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Return the exit code and what was said on both streams."""
        done = self.environment.run("circusctl", "--endpoint", self.endpoint, *words)
        return done.returncode, done.stdout, done.stderr

    def wait_for(self, said: str, *words: str) -> None:
        """Ask again and again until the answer holds a text."""
        wait_until(lambda: said in self(*words)[1])

    def pids(self, watcher: str) -> list[int]:
        """Return the pids of a watcher."""
        code, said, complaint = self("list", watcher)
        assert code == 0, complaint
        return [int(word) for word in said.replace(",", " ").split()]


def wait_until(fact: Callable[[], bool], limit: float = 30) -> None:
    """Look again and again until something is so. Fails after some seconds."""
    end = time.monotonic() + limit
    while not fact():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)


def need(program: str, package: str = "") -> str:
    """Return where a program is; skip the test where it is not, but fail where CI is set."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        how = f"{program} is not here: apt-get install {package or program}"
        if os.environ.get("CI"):
            pytest.fail(f"{how} (.ci/run was to do it)")
        pytest.skip(how)
    return found
