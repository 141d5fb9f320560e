"""The two things that a program for the older library can run on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.live.conftest import older
from tests.programs import Environment

__all__ = ["older"]

ROOT = Path(__file__).resolve().parent.parent.parent
COMPAT = ROOT / "cvec_circus_plugins" / "compat"
LIMIT = 30.0


@dataclass(frozen=True)
class Library:
    """A Python that finds a package circus."""

    name: str
    python: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, program: str, *words: str, cwd: Path, limit: float = LIMIT
    ) -> subprocess.CompletedProcess[str]:
        """Run the text of a program to its end."""
        return subprocess.run(
            [self.python, "-c", program, *words],
            cwd=cwd,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
        )

    def lines(self, program: str, *words: str, cwd: Path, limit: float = LIMIT) -> list[str]:
        """Return the lines that a program prints. Fails where it fails."""
        done = self.run(program, *words, cwd=cwd, limit=limit)
        assert done.returncode == 0, f"on {self.name}: {done.stdout}\n{done.stderr}"
        return done.stdout.splitlines()

    @contextmanager
    def daemon(self, folder: Path, sections: str, options: str = "") -> Iterator[Path]:
        """Run the daemon on a file with these sections; give its log."""
        ends = [f"ipc://{folder}/{name}" for name in ("c", "e")]
        head = "[circus]\nendpoint = {}\npubsub_endpoint = {}\ncheck_delay = 0.5\n".format(*ends)
        (folder / "circus.ini").write_text(head + options + sections)
        log = folder / "daemon.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [self.python.parent / "circusd", "circus.ini"],
                cwd=folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for the files of endpoints."""
    with tempfile.TemporaryDirectory(prefix="compat-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def compat() -> Library:
    """Our own Python, which finds the package of cvec-circus-compat."""
    return Library("compat", Path(sys.executable), {"PYTHONPATH": str(COMPAT)})


@pytest.fixture(params=["compat", "older"])
def library(request: pytest.FixtureRequest, compat: Library) -> Iterator[Library]:
    """Each of the two: what holds on the older release, too, is what its users count on."""
    if request.param == "compat":
        yield compat
        return
    environment: Environment = request.getfixturevalue("older")
    yield Library("the older release", environment.folder / "bin" / "python")
