"""The short form of a simulated month (``python -m tests.fleet.simulation`` is the long one)."""

from __future__ import annotations

from tests.fleet.simulation import simulate


def test_a_month_of_a_small_fleet() -> None:
    figures = simulate(host_count=30, service_count=40, processes=600, days=30, seed=3)
    assert figures.events > 30
    # A lost host costs the places of its own processes, and at its return what makes it even.
    assert figures.moved <= 3 * figures.lost
