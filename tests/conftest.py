"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says something about the machine's other work, nothing about us.
settings.register_profile("all", deadline=None, print_blob=True)
settings.load_profile("all")

MEMORY_OF_A_TEST = 1 << 30
"""Bytes by which one test may raise the peak of the process that runs them all."""

# A shell without job control lets what it starts in the background ignore SIGINT. The programs
# that tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_stays_behind() -> Iterator[None]:
    """Let no test leave another umask behind, nor fill the memory of the process of all tests."""
    umask, peak = umask_now(), _peak_memory()
    yield
    assert umask_now() == umask
    assert _peak_memory() - peak < MEMORY_OF_A_TEST


def umask_now() -> str:
    """Return the umask without a change to it, as other threads may make files."""
    return _status_of_this_process("Umask:")


def _peak_memory() -> int:
    return int(_status_of_this_process("VmHWM:").removesuffix("kB") or 0) * 1024


def _status_of_this_process(field: str) -> str:
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").split("\n") if status.exists() else []
    return next((line.removeprefix(field) for line in lines if line.startswith(field)), "")
