"""How many may be there at once: singleton, warm-up, and the bounds of a rollout."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.amounts import ALL, NONE, Amount
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.readiness import alive
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.watcher.effects import Spawn
from cvec_circus_core.policy.watcher.inputs import (
    Change,
    Renew,
    Retire,
    Spawned,
    Tick,
)
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.rollout import (
    NEW_BEFORE_OLD,
    OLD_BEFORE_NEW,
    ONE_BY_ONE,
    Rollout,
)
from tests.policy.table import (
    RELOADED,
    START,
    STOP,
    Watcher,
    active,
    asked,
    come,
    end,
    kept,
    killed,
    signalled,
    spawns,
    ticket,
    told_reap,
    told_spawn,
)

GONE = ExitReason.RELOADED
EXPIRED = ExitReason.EXPIRED


class TestSingleton:
    def test_never_has_two_over_a_reload(self) -> None:
        web = active(singleton=True)
        assert web.hears(Renew(NEW_BEFORE_OLD, ticket())) == asked(1)
        assert web.hears(end(1)) == [told_reap(1, reason=GONE), *spawns([1])]
        assert web.hears(come(1, 7)) == [
            told_spawn(1, 7),
            RELOADED,
            kept(stopped=(101,), started=(7,)),
        ]

    def test_reload_while_one_is_on_its_way_is_not_done_before_it_is_replaced(self) -> None:
        web = active(singleton=True)
        web.hears(end(1))
        assert web.hears(Renew(NEW_BEFORE_OLD, ticket())) == []
        assert web.hears(come(1, 7)) == [told_spawn(1, 7), *signalled(1, pid=7)]
        assert web.hears(end(1, pid=7)) == [
            told_reap(1, reason=GONE, pid=7),
            *spawns([1]),
        ]
        assert web.hears(come(1, 8))[1:] == [RELOADED, kept(started=(8,))]

    def test_waits_for_the_end_of_one_that_is_killed_by_hand(self) -> None:
        web = active(singleton=True)
        assert web.hears(Retire((101,))) == asked(1)
        assert web.hears(end(1))[1:] == spawns([1])

    def test_that_becomes_one_in_the_middle_of_a_reload_starts_no_second(self) -> None:
        web = active(ready=alive(9))
        web.hears(Renew())
        web.hears(come(2))
        web.hears(end(2))
        web.hears(come(2, 7))
        web.hears(end(2, pid=7))
        alone = replace(web.state.spec, singleton=True)
        assert web.hears(Change(alone, ())) == asked(1)
        assert web.hears(Tick(), at=50.0)[:1] == killed(1)[:1]
        assert web.hears(end(1, -9), at=51.0)[1:2] == spawns([2])


class TestWarmup:
    def test_leaves_the_delay_between_two_spawns(self) -> None:
        web = Watcher(numprocesses=3, warmup_delay=2.0)
        assert web.hears(START, at=10.0) == spawns([1])
        assert wake_at(web.state) == 12.0
        assert web.hears(come(1), at=10.5) == [told_spawn(1)]
        assert web.hears(Tick(), at=12.0) == spawns([2])
        assert wake_at(web.state) == 12.5, "the first one is ready then"
        assert web.hears(Tick(), at=14.0) == spawns([3])

    def test_counts_for_respawns_too(self) -> None:
        web = active(numprocesses=1, warmup_delay=2.0)
        assert web.hears(end(1), at=50.0) == [told_reap(1), *spawns([1])]
        web.hears(come(1, 7), at=50.0)
        assert web.hears(end(1, pid=7), at=51.5) == [told_reap(1, pid=7)]
        assert wake_at(web.state) == 52.0
        assert web.hears(Tick(), at=52.0) == spawns([1])

    def test_that_is_shortened_in_a_pause_counts_at_once(self) -> None:
        web = Watcher(numprocesses=2, warmup_delay=60.0)
        web.hears(START)
        web.hears(come(1))
        none = replace(web.state.spec, warmup_delay=0.0)
        assert web.hears(Change(none, ()), at=1.0) == spawns([2])

    def test_does_not_keep_a_stop_waiting(self) -> None:
        web = Watcher(numprocesses=2, warmup_delay=60.0)
        web.hears(START)
        web.hears(come(1))
        web.hears(STOP)
        web.hears(end(1))
        assert wake_at(web.state) is None


ROLLOUTS = (
    NEW_BEFORE_OLD,
    ONE_BY_ONE,
    Rollout(Amount(1), Amount(1)),
    Rollout(Amount(1), NONE),
    Rollout(Amount(20, percent=True), Amount(40, percent=True)),
)


class TestBounds:
    @pytest.mark.parametrize(
        ("rollout", "most", "least"),
        [
            (NEW_BEFORE_OLD, 8, 4),
            (ONE_BY_ONE, 4, 3),
            (OLD_BEFORE_NEW, 4, 0),
            (Rollout(Amount(2), Amount(1)), 6, 3),
            (Rollout(NONE, Amount(9)), 4, 0),
            (Rollout(Amount(10, percent=True), NONE), 5, 4),
            (Rollout(Amount(60, percent=True), Amount(60, percent=True)), 7, 2),
            (Rollout(NONE, Amount(10, percent=True)), 4, 3),
            (Rollout(ALL, ALL), 8, 0),
        ],
    )
    def test_say_how_many_may_and_must_be(self, rollout: Rollout, most: int, least: int) -> None:
        assert (rollout.most(4), rollout.least_ready(4)) == (most, least)

    def test_that_would_let_nothing_happen_are_refused(self) -> None:
        with pytest.raises(ValueError, match="one process too many or one too few"):
            Rollout(NONE, Amount(0, percent=True))

    @pytest.mark.parametrize("rollout", ROLLOUTS)
    def test_hold_all_the_way_and_everybody_is_replaced(self, rollout: Rollout) -> None:
        web, pid = active(numprocesses=6), 200
        effects = web.hears(Renew(rollout, ticket()))
        while effects:
            answers: list[Spawned] = []
            for effect in effects:
                if isinstance(effect, Spawn):
                    pid += 1
                    answers.append(come(effect.wid, pid))
            assert len(web.pids) + len(answers) <= rollout.most(6)
            assert len(web.state.slots.current) + len(
                web.state.slots.outdated
            ) >= rollout.least_ready(6)
            effects = web.hears(*answers) if answers else []
            for slot in tuple(web.state.slots.stopping.values()):
                effects += web.hears(end(slot.wid, pid=slot.pid))
        assert web.pids == [201, 202, 203, 204, 205, 206]
        assert not web.state.tickets
