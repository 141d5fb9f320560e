"""Coverage-guided fuzzing of one target, and what came of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.targets import seeds, words

HAS_ATHERIS = find_spec("atheris") is not None
ROOT = Path(__file__).resolve().parent.parent.parent
_MEMORY = 1024
"""Megabytes that a target may take."""
_SLOWEST = 20
"""Seconds that one input may take, on a machine that has other things to do."""
_LONGEST = 4096
_PROGRESS = re.compile(r"cov: (\d+)")
_RUNS = re.compile(r"number_of_executed_units: (\d+)")
_PEAK = re.compile(r"peak_rss_mb: *(\d+)")

Say = Callable[[str], None]


def guided(target: str, seconds: float, folder: Path, say: Say) -> bool:
    """Fuzz one target; what it finds is kept in the folder. Return whether nothing was found."""
    corpus, found = folder / "corpus", folder / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    dictionary = folder / "words"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words()))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.guided", target, str(corpus)),
            *(f"-max_total_time={max(1, round(seconds))}", f"-artifact_prefix={found}/"),
            *(f"-rss_limit_mb={_MEMORY}", f"-timeout={_SLOWEST}", f"-max_len={_LONGEST}"),
            *(f"-dict={dictionary}", "-print_final_stats=1", "-verbosity=1"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 300,
    )
    told = done.stdout + done.stderr
    coverage = _PROGRESS.findall(told) or ["0"]
    say(
        f"{target}: {_first(_RUNS, told)} inputs in {seconds:.0f} s, coverage {coverage[0]} -> "
        f"{coverage[-1]}, at most {_first(_PEAK, told)} MB"
    )
    if done.returncode:
        say(f"{target}: kept in {found}\n{told[-4000:]}")
    return done.returncode == 0


def _first(pattern: re.Pattern[str], told: str) -> str:
    match = pattern.search(told)
    return match[1] if match else "?"


def _escaped(word: str) -> str:
    return "".join(
        char if char.isalnum() and char.isascii() else "".join(f"\\x{b:02x}" for b in char.encode())
        for char in word
    )
