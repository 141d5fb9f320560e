"""How a distribution is built and used from a fresh environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Distributions:
    """What was built: the source archive, and the wheel made from it."""

    sdist: Path
    wheel: Path


@dataclass(frozen=True)
class Environment:
    """A fresh virtual environment."""

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
    def running(self, program: str, *words: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run one of its programs beside the test; kill it where it did not end by itself."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                [self.folder / "bin" / program, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=10)


def build(project: Path, into: Path) -> Distributions:
    """Build a project the way a release is built: the wheel out of the source archive."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", into, project],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Distributions(next(into.glob("*.tar.gz")), next(into.glob("*.whl")))
