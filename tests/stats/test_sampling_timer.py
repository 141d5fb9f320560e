"""Samples are taken at a fixed interval while somebody listens, and never else."""

from __future__ import annotations

import pytest

from cvec_circus_core.system.fakes import FakeClock
from cvec_circus_plugins.stats.sampling_timer import SamplingTimer


class TimedSamples:
    """A timer whose samples take as long as the test says."""

    def __init__(self, interval: float = 1.0) -> None:
        self.clock = FakeClock()
        self.took: list[float] = []
        self.cost = 0.0
        self.at_once = True
        self.timer = SamplingTimer(self.clock, interval, self._sample)

    def _sample(self) -> None:
        self.took.append(self.clock.now())
        if self.at_once:
            self.timer.finish(self.cost)


def test_nothing_happens_while_nobody_listens() -> None:
    timing = TimedSamples()
    timing.clock.advance(1000)
    assert (timing.took, timing.clock.pending()) == ([], 0)


def test_the_first_sample_comes_at_once_and_the_others_in_time() -> None:
    timing = TimedSamples()
    timing.clock.advance(0.3)
    timing.timer.set_wanted(True)
    timing.timer.set_wanted(True)
    timing.clock.advance(3.5)
    assert timing.took == pytest.approx([0.3, 1.3, 2.3, 3.3])


def test_it_rests_when_the_last_one_has_gone() -> None:
    timing = TimedSamples()
    timing.timer.set_wanted(True)
    timing.clock.advance(1.5)
    timing.timer.set_wanted(False)
    timing.clock.advance(1000)
    assert (timing.took, timing.clock.pending()) == ([0.0, 1.0], 0)
    timing.timer.set_wanted(True)
    timing.clock.advance(1)
    assert timing.took == [0.0, 1.0, 1001.5, 1002.5]


def test_a_sample_that_takes_time_does_not_move_the_others() -> None:
    timing = TimedSamples()
    timing.at_once = False
    timing.timer.set_wanted(True)
    for late in (0.2, 0.9, 0.1):
        timing.clock.advance(late)
        timing.timer.finish(0.01)
        timing.clock.advance(1 - late)
    assert timing.took == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_one_that_takes_longer_than_the_interval_is_followed_at_once_by_one() -> None:
    timing = TimedSamples()
    timing.at_once = False
    timing.timer.set_wanted(True)
    timing.clock.advance(3.7)
    timing.timer.finish(0.01)
    timing.clock.advance(0)
    timing.timer.finish(0.01)
    timing.clock.advance(1)
    assert timing.took == pytest.approx([0.0, 3.7, 4.7])


def test_leaving_during_a_sample_ends_it_there_and_coming_back_does_not_double_it() -> None:
    timing = TimedSamples()
    timing.at_once = False
    timing.timer.set_wanted(True)
    timing.timer.set_wanted(False)
    timing.timer.finish(0.01)
    assert timing.clock.pending() == 0
    timing.timer.set_wanted(True)
    timing.timer.set_wanted(False)
    timing.timer.set_wanted(True)
    assert len(timing.took) == 2
    timing.timer.finish(0.01)
    assert timing.clock.pending() == 1


@pytest.mark.parametrize(
    ("cost", "seconds"),
    [
        (0.0, 1.0),
        (0.02, 1.0),
        (0.03, 1.5),  # two hundredths of a processor are aimed at
        (0.05, 2.5),
        (0.2, 2.5),  # nobody has to wait longer for that
        (0.5, 5.0),  # but a tenth is never passed
    ],
)
def test_expensive_samples_come_less_often(cost: float, seconds: float) -> None:
    timing = TimedSamples()
    timing.cost = cost
    timing.timer.set_wanted(True)
    timing.clock.advance(20)
    assert timing.took[:4] == pytest.approx([0.0, seconds, 2 * seconds, 3 * seconds])
