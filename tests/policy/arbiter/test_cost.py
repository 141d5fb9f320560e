"""Cost follows change: many requests at once do not look at each other."""

from __future__ import annotations

import sys

from cvec_circus_core.policy.arbiter.inputs import RemoveWatcher
from tests.policy.arbiter.table import Watchers, answer, spec, ticket

CALLS_EACH = 120
"""Calls of functions that one removal may take, from its request to its end."""


def calls_of(count: int) -> int:
    """Return how many calls so many removals take that are all under way at once."""
    all_ = Watchers(*(spec(f"w{number}") for number in range(count)))
    calls = 0

    def note(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        for number in range(count):
            all_.hears(RemoveWatcher(ticket(number), f"w{number}"))
        for number in range(count):
            all_.hears(answer(number + 1))
    finally:
        sys.setprofile(None)
    assert all_.is_at_rest()
    return calls


def test_a_thousand_removals_cost_a_thousand_times_one() -> None:
    for count in (10, 1000):
        assert calls_of(count) < CALLS_EACH * count
