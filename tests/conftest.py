"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

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
def _umask() -> Iterator[None]:
    """Give the next test the umask that this one found: an embedded arbiter may set it."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
