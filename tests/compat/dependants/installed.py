"""Environments with a program from PyPI, on ours and on the release that it requires."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.compat.conftest import COMPAT, ROOT

PATIENCE = 180.0
"""Seconds that a fact may take on a busy machine."""
NOBODY_NEEDS_CIRCUS = "circus ; sys_platform == 'never'\n"
"""What docs/howto/compat.rst says to uv."""
SIDES = {"compat": (str(ROOT), str(COMPAT)), "older": ("circus==0.19.0",)}


@contextmanager
def installed(side: str, packages: Sequence[str]) -> Iterator[Path]:
    """Make an environment with packages over one of the two sides; uv does it in seconds."""
    folder = Path(tempfile.mkdtemp(prefix=f"{side}-"))
    try:
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", "uv"], check=True)
        words = [folder / "bin" / "uv", "pip", "install", "--quiet"]
        words += ["--python", folder / "bin" / "python", *packages, *SIDES[side]]
        if side == "compat":
            (folder / "overrides.txt").write_text(NOBODY_NEEDS_CIRCUS)
            words += ["--override", folder / "overrides.txt"]
        subprocess.run(words, check=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def surroundings(environment: Path, home: Path, **variables: str) -> dict[str, str]:
    """Return the variables for programs of an environment, with a home of their own."""
    path = f"{environment}/bin:{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "HOME": str(home), "PATH": path, **variables}


def end_those_of(home: Path) -> None:
    """Kill whatever still runs with a home of ours, so that nothing is left behind."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("HOME") == str(home):
                process.kill()


def until(fact: Callable[[], bool]) -> bool:
    """Look again and again until something is so, and tell whether it came to be."""
    end = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def report(side: str, steps: Iterator[tuple[str, bool]]) -> set[str]:
    """Print each step as it is done, and return those that did not work."""
    failed = set()
    for step, worked in steps:
        print(f"{side}: {step}: {'ok' if worked else 'FAILED'}", flush=True)
        if not worked:
            failed.add(step)
    return failed
