"""The short form of ``python -m tests.keeper.kills``."""

from __future__ import annotations

import signal

import psutil
import pytest

from tests.keeper.kills import SHORTAGES, run, told_twice

_START = "2026-11-29 12:00:{} circus[7] [INFO] running w process [pid 5]\n"
_DEATH = "2026-11-29 12:00:{} circus[7] [INFO] w process [pid 5] ended by itself, exit code 3\n"


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ([_START, _DEATH], 0),
        ([_START, _DEATH, _DEATH], 1),
        ([_START, _DEATH, _START, _DEATH], 0),
        ([_DEATH, _DEATH, _DEATH], 2),
    ],
)
def test_a_death_that_is_told_twice_is_found(lines: list[str], count: int) -> None:
    text = "".join(line.format(f"{second:02}") for second, line in enumerate(lines))
    assert len(told_twice(text)) == count


@pytest.mark.live
def test_one_that_is_short_of_descriptors_or_memory_is_not_missed() -> None:
    def run_short(brain: psutil.Process) -> None:
        for shortage in SHORTAGES.values():
            shortage(brain)

    books = run(4, signal.SIGKILL, 5, run_short)
    assert books.problems == []
    assert books.failures == []
    assert (books.lost_lines, books.doubled_lines, books.disordered_lines) == (0, 0, 0)


@pytest.mark.live
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSEGV])
def test_a_brain_that_is_killed_again_and_again_is_not_noticed(signum: int) -> None:
    books = run(6, signum, seed=7)
    assert books.problems == []
    assert books.failures == []
    assert (books.lost_lines, books.doubled_lines, books.disordered_lines) == (0, 0, 0)
    assert books.kills > 1
