"""The load tests in a short form; ``python -m tests.httpd.load`` and ``hour`` are the long ones.

The limits are for a machine that has other things to do: what must not be is that something grows
with what happens, or that a page waits for seconds.
"""

from __future__ import annotations

import statistics

import pytest

from tests.httpd.hour import growth, live_through, stage
from tests.httpd.load import crowd, measure, output_flood

MEGABYTE = 1_000_000


def test_many_pages_cost_little() -> None:
    with crowd(20, 60) as (daemon, console):
        outcome = measure(daemon, console, pages=5, seconds=4.0)
    print(*outcome.lines(), sep="\n")
    assert statistics.median(outcome.shown) < 1.0
    assert outcome.console_share < 0.5
    assert outcome.memory_after - outcome.memory_before < 10 * MEGABYTE


@pytest.mark.timeout(400)
def test_memory_does_not_grow_with_what_happens() -> None:
    """Nine minutes of the hour of ``python -m tests.httpd.hour``, of a smaller crowd."""
    with stage(10, 5) as (daemon, console):
        memories = list(live_through(daemon, console, 9, pages=5))
    print(*memories, sep="\n")
    of_console, of_daemon = growth(memories)
    assert of_console < 8 * MEGABYTE
    assert of_daemon < 4 * MEGABYTE


def test_output_that_is_not_read_does_not_grow_memory() -> None:
    rate, before, after = output_flood(8.0)
    assert rate > 0.5
    assert after - before < 20 * MEGABYTE
