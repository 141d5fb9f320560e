"""The load test in a short form; ``python -m tests.httpd.load`` is the long one.

The limits are for a machine that has other things to do: what must not be is that something grows
with what happens, or that a page waits for seconds.
"""

from __future__ import annotations

import statistics

from tests.httpd.load import crowd, measure, output_flood

MEGABYTE = 1_000_000


def test_many_pages_cost_little() -> None:
    with crowd(20, 60) as (daemon, console):
        outcome = measure(daemon, console, pages=5, seconds=4.0)
    print(*outcome.lines(), sep="\n")
    assert statistics.median(outcome.shown) < 1.0
    assert outcome.console_share < 0.5
    assert outcome.memory_after - outcome.memory_before < 10 * MEGABYTE


def test_output_that_is_not_read_does_not_grow_memory() -> None:
    rate, before, after = output_flood(8.0)
    assert rate > 0.5
    assert after - before < 20 * MEGABYTE
