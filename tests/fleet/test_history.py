"""The short form of the history checker, and that it sees what it is to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.history import check
from tests.fleet.observer import Observer
from tests.live.daemon import LIMIT, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

ONCE = Path(__file__).with_name("once.py")


def test_no_slot_has_two_holders_whatever_happens(etcd_program: str, tmp_path: Path) -> None:
    # How soon they recover is for a machine that has nothing else to do.
    cases = ("cut_what_it_sends", "roll_a_configuration", "kill_a_host")
    outcomes = check(tmp_path, cases, slack=2 * LIMIT)
    assert outcomes
    assert [outcome.complaints for outcome in outcomes] == [[] for _ in outcomes]


@pytest.mark.parametrize(("second_fence", "violations"), [(7, 0), (8, 0), (6, 1)])
def test_a_fence_that_falls_is_seen(tmp_path: Path, second_fence: int, violations: int) -> None:
    observer = Observer(tmp_path / "observer")
    try:
        first = holder(observer, tmp_path, 7)
        first.kill()
        first.wait(LIMIT)
        until(lambda: not observer.holders())
        second = holder(observer, tmp_path, second_fence)
        second.kill()
        second.wait(LIMIT)
        assert len(observer.violations) == violations
    finally:
        observer.close()


def test_a_second_holder_is_seen(tmp_path: Path) -> None:
    observer = Observer(tmp_path / "observer")
    holders = []
    try:
        holders.append(holder(observer, tmp_path, 7))
        holders.append(holder(observer, tmp_path, 8))
        assert len(observer.violations) == 1
        assert "is_alone=False" in observer.violations[0]
    finally:
        for process in holders:
            process.kill()
            process.wait(LIMIT)
        observer.close()


def holder(observer: Observer, folder: Path, fence: int) -> subprocess.Popen[bytes]:
    """Start a process of a slot, and wait until it is seen."""
    count = len(observer.lives)
    process = subprocess.Popen(
        [sys.executable, "-S", str(ONCE), "slot", str(observer.address), str(folder / "lock")],
        env={"FLEET_HOST": "a", "CIRCUS_FENCE": str(fence)},
    )
    until(lambda: len(observer.lives) > count)
    return process
