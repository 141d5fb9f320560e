"""The short form of the soak, in each run of the tests."""

from __future__ import annotations

import random

import pytest

from tests.soak.soak import soak

pytestmark = pytest.mark.live


@pytest.mark.timeout(240)
def test_half_a_minute_of_troubles() -> None:
    seed = random.randrange(1 << 30)
    print(f"python -m tests.soak --seconds 30 --seed {seed}")
    report = soak(30.0, seed)
    print(report)
    assert report.wrong == []
    assert report.web_calls > 100
    assert report.lines > 1000
