"""Reload and max_age: how new processes take the place of old ones."""

from __future__ import annotations

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.readiness import NOTIFY, alive
from cvec_circus_core.policy.watcher.effects import Reach, Signal
from cvec_circus_core.policy.watcher.inputs import (
    Hangup,
    Ready,
    Renew,
    Resize,
    Retire,
    Tick,
)
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.rollout import NEW_BEFORE_OLD, ONE_BY_ONE
from tests.policy.table import (
    RELOADED,
    START,
    STARTED,
    Watcher,
    active,
    asked,
    come,
    end,
    kept,
    killed,
    spawns,
    ticket,
    told_reap,
    told_spawn,
)

GONE = ExitReason.RELOADED
EXPIRED = ExitReason.EXPIRED
UNREADY = ExitReason.UNREADY


class TestParallelReload:
    def test_starts_all_the_new_before_it_stops_the_old(self) -> None:
        web = active(numprocesses=2)
        assert web.hears(Renew(NEW_BEFORE_OLD, ticket())) == spawns([3, 4])
        assert web.hears(come(3), come(4)) == [told_spawn(3), told_spawn(4), *asked(1, 2)]
        assert web.hears(end(1)) == [told_reap(1, reason=GONE)]
        assert web.hears(end(2)) == [
            told_reap(2, reason=GONE),
            RELOADED,
            kept(stopped=(101, 102), started=(103, 104), numprocesses=2),
        ]

    def test_swaps_the_slot_numbers_back_the_next_time(self) -> None:
        web = active(numprocesses=2)
        web.hears(Renew(NEW_BEFORE_OLD))
        web.hears(come(3), come(4))
        web.hears(end(1), end(2))
        assert web.hears(Renew(NEW_BEFORE_OLD)) == spawns([1, 2])

    def test_stops_an_old_one_for_each_new_one_that_is_ready(self) -> None:
        web = active(numprocesses=2, ready=alive(5))
        web.hears(Renew(), at=10.0)
        assert web.hears(come(3), at=10.0) == [told_spawn(3)]
        assert web.hears(come(4), at=11.0) == [told_spawn(4)]
        assert wake_at(web.state) == 15.0
        assert web.hears(Tick(), at=15.0) == asked(1)
        assert web.hears(Tick(), at=16.0) == asked(2)

    def test_believes_a_process_that_says_it_is_ready(self) -> None:
        web = active(ready=NOTIFY)
        web.hears(Renew())
        assert web.hears(come(2)) == [told_spawn(2)]
        assert web.hears(Ready(102)) == asked(1)
        assert web.hears(Ready(102)) == []

    def test_keeps_the_old_ones_while_the_new_ones_die(self) -> None:
        web = active(ready=alive(5))
        web.hears(Renew(None, ticket()))
        web.hears(come(2))
        assert web.hears(end(2)) == [told_reap(2, reason=UNREADY), *spawns([2])]
        web.hears(come(2, 7))
        assert web.hears(end(2, pid=7)) == [told_reap(2, reason=UNREADY, pid=7)]
        assert web.pids == [101]

    def test_replaces_what_was_on_its_way_when_it_was_asked_for(self) -> None:
        web = Watcher()
        web.hears(START)
        assert web.hears(Renew(NEW_BEFORE_OLD, ticket())) == spawns([2])
        assert web.hears(come(1)) == [told_spawn(1)]
        assert web.hears(come(2)) == [told_spawn(2), *asked(1), STARTED]
        assert web.hears(end(1))[1:] == [RELOADED, kept(started=(102,))]

    def test_again_in_the_middle_never_has_more_than_twice_as_many(self) -> None:
        web = active(numprocesses=2)
        web.hears(Renew(NEW_BEFORE_OLD))
        assert web.hears(come(3)) == [told_spawn(3), *asked(1)]
        assert web.hears(Renew(NEW_BEFORE_OLD)) == []
        assert web.hears(come(4)) == [told_spawn(4), *asked(2)]
        assert web.hears(end(1)) == [told_reap(1, reason=GONE), *spawns([1])]

    def test_waits_for_one_that_waits_for_its_retry(self) -> None:
        web = active()
        web.hears(end(1))
        web.hears(come(1, 7))
        web.hears(end(1, pid=7))
        assert web.hears(Renew(NEW_BEFORE_OLD, ticket())) == spawns([1])
        assert web.hears(come(1, 8)) == [told_spawn(1, 8), RELOADED, kept(started=(8,))]

    def test_does_not_wait_for_strangers(self) -> None:
        web = active(numprocesses=2)
        web.hears(Renew(NEW_BEFORE_OLD, ticket()))
        web.hears(come(3), come(4))
        web.hears(Retire((103,)))
        assert web.hears(end(1))[1:] == spawns([1])
        web.hears(come(1, 7))
        assert web.hears(end(2))[1] == RELOADED

    def test_says_killed_of_an_old_one_that_stays(self) -> None:
        web = active(graceful_timeout=1.0)
        web.hears(Renew(NEW_BEFORE_OLD))
        web.hears(come(2))
        assert web.hears(Tick(), at=1.0) == killed(1)
        assert web.hears(end(1, -9))[0] == told_reap(1, -9, ExitReason.KILLED)

    def test_of_the_stopped_does_nothing(self) -> None:
        assert Watcher().hears(Renew(NEW_BEFORE_OLD, ticket())) == [kept()]

    def test_of_none_is_done_at_once(self) -> None:
        web = active(numprocesses=0)
        assert web.hears(Renew(NEW_BEFORE_OLD, ticket())) == [RELOADED, kept(numprocesses=0)]

    def test_an_old_one_that_ends_by_itself_is_not_respawned(self) -> None:
        web = active()
        web.hears(Renew(NEW_BEFORE_OLD))
        assert web.hears(end(1, 1)) == [told_reap(1, 1)]
        assert web.hears(come(2)) == [told_spawn(2), RELOADED]


class TestSequentialReload:
    def test_replaces_one_after_another(self) -> None:
        web = active(numprocesses=2)
        assert web.hears(Renew(ONE_BY_ONE, ticket())) == asked(1)
        assert web.hears(end(1)) == [told_reap(1, reason=GONE), *spawns([1])]
        assert web.hears(come(1, 7)) == [told_spawn(1, 7), *asked(2)]
        assert web.hears(end(2)) == [told_reap(2, reason=GONE), *spawns([2])]
        assert web.hears(come(2, 8)) == [
            told_spawn(2, 8),
            RELOADED,
            kept(stopped=(101, 102), started=(7, 8), numprocesses=2),
        ]

    def test_waits_for_the_warmup_of_each(self) -> None:
        web = active(numprocesses=1, warmup_delay=3.0)
        web.hears(Resize(2), at=10.0)
        web.hears(come(2), at=10.0)
        web.hears(Tick(), at=13.0)
        assert web.hears(Renew(ONE_BY_ONE), at=20.0) == asked(1)
        assert web.hears(end(1), at=21.0) == [told_reap(1, reason=GONE), *spawns([1])]
        assert web.hears(come(1, 7), at=21.5) == [told_spawn(1, 7)]
        assert wake_at(web.state) == 24.5
        assert web.hears(Tick(), at=24.5) == asked(2)

    def test_does_not_touch_the_next_while_the_first_keeps_dying(self) -> None:
        web = active(numprocesses=2, ready=alive(5))
        web.hears(Renew(ONE_BY_ONE))
        web.hears(end(1))
        web.hears(come(1, 7))
        web.hears(end(1, pid=7))
        assert web.hears(come(1, 8)) == [told_spawn(1, 8)]
        assert web.pids == [8, 102]


class TestHangup:
    def test_signals_everybody_and_replaces_nobody(self) -> None:
        web = active(numprocesses=2)
        assert web.hears(Hangup(ticket())) == [
            Signal(101, 1, Reach.PROCESS),
            Signal(102, 1, Reach.PROCESS),
            RELOADED,
            kept(there=(101, 102), numprocesses=2),
        ]

    def test_reaches_the_outdated_too_and_not_the_leaving(self) -> None:
        web = active(numprocesses=2, ready=alive(9))
        web.hears(Retire((101,)), Renew())
        web.hears(come(3))
        signals = [hear for hear in web.hears(Hangup()) if isinstance(hear, Signal)]
        assert [signal.pid for signal in signals] == [102, 103]

    def test_of_the_stopped_tells_nothing(self) -> None:
        assert Watcher().hears(Hangup(ticket())) == [kept()]


class TestMaxAge:
    def test_replaces_new_before_old_when_the_time_drawn_at_spawn_has_come(self) -> None:
        web = Watcher(max_age=10.0, max_age_variance=4.0)
        web.hears(START)
        web.hears(come(1, chance=0.5), at=100.0)
        assert wake_at(web.state) == 112.0
        assert web.hears(Tick(), at=111.9) == []
        assert web.hears(Tick(), at=112.0) == spawns([2])
        assert web.hears(come(2), at=112.0) == [told_spawn(2), *asked(1)]
        assert web.hears(end(1), at=112.5) == [told_reap(1, reason=EXPIRED)]
        assert wake_at(web.state) == 122.0

    def test_does_not_look_at_the_dead(self) -> None:
        web = active(max_age=10.0)
        web.hears(end(1), at=9.0)
        web.hears(come(1, 7), at=9.0)
        assert wake_at(web.state) == 19.0
        assert web.hears(Tick(), at=10.0) == []

    def test_of_a_singleton_stops_the_old_one_first(self) -> None:
        web = active(max_age=10.0, singleton=True)
        assert web.hears(Tick(), at=10.0) == asked(1)
        assert web.hears(end(1), at=11.0) == [told_reap(1, reason=EXPIRED), *spawns([1])]
