"""The short form of ``python -m tests.keeper.kills``."""

from __future__ import annotations

import signal

import pytest

from tests.keeper.kills import run

pytestmark = pytest.mark.live


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSEGV])
def test_a_brain_that_is_killed_again_and_again_is_not_noticed(signum: int) -> None:
    books = run(6, signum, seed=7)
    assert books.problems == []
    assert books.failures == []
    assert (books.lost_lines, books.doubled_lines, books.disordered_lines) == (0, 0, 0)
    assert books.kills > 1
