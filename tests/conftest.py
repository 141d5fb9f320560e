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

# A shell without job control lets what it starts in the background ignore SIGINT. The programs
# that tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    """Let no test leave another umask behind."""
    before = umask_now()
    yield
    assert umask_now() == before


def umask_now() -> str:
    """Return the umask without a change to it, as other threads may make files."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").split("\n") if status.exists() else []
    return next((line for line in lines if line.startswith("Umask:")), "")
