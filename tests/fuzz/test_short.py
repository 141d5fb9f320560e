"""The short form of ``python -m tests.fuzz``: every target for some seconds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.running import HAS_ATHERIS, guided
from tests.fuzz.targets import TARGETS, seeds
from tests.fuzz.wire import attack

GUIDED_SECONDS = 4
WIRE_SECONDS = 6


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_known_and_what_is_like_it(target: str) -> None:
    chance = random.Random(target)
    known = seeds(target)
    for seed in known:
        TARGETS[target](seed)
    for _ in range(200):
        changed = bytearray(chance.choice(known)[:2000])
        for _ in range(chance.randrange(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        TARGETS[target](bytes(changed))


@pytest.mark.skipif(not HAS_ATHERIS, reason="atheris is not installed (it has no wheel here)")
@pytest.mark.parametrize("target", TARGETS)
def test_some_seconds_of_fuzzing_find_nothing(target: str, tmp_path: Path) -> None:
    told: list[str] = []
    assert guided(target, GUIDED_SECONDS, tmp_path, told.append), "\n".join(told)
    print("\n".join(told))


@pytest.mark.live
def test_some_seconds_of_rude_peers_hurt_nobody() -> None:
    told: list[str] = []
    assert attack(WIRE_SECONDS, None, told.append), "\n".join(told)
    print("\n".join(told))
