"""How a distribution is built."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Distributions:
    """What was built: the source archive, and the wheel made from it."""

    sdist: Path
    wheel: Path


def build(project: Path, into: Path) -> Distributions:
    """Build a project the way a release is built: the wheel out of the source archive."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", into, project],
        capture_output=True,
        text=True,
        timeout=270,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return built(into)


def built(folder: Path) -> Distributions:
    """Return what was built into a folder."""
    return Distributions(next(folder.glob("*.tar.gz")), next(folder.glob("*.whl")))
