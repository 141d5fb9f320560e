"""Clients that never stop calling, while all workers are replaced in every way there is."""

from __future__ import annotations

import pytest

from tests.rollout.turnover import HANDLERS, WAYS, Scene, watch

BOOT = 1.5


@pytest.mark.live
@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("way", WAYS)
def test_nobody_notices(way: str, handler: str) -> None:
    outcome = watch(way, 1, Scene(handler, BOOT, quiet=0.5))
    assert outcome.seen.failures == []
    assert outcome.seen.calls > 50
    # How fast answers are is for a quiet machine; nobody waits for a worker that is booting.
    assert outcome.seen.slowest < BOOT
