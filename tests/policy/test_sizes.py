"""incr, decr, numprocesses, kill and set: how many, and who has to go."""

from __future__ import annotations

import pytest

from cvec_circus_core.model import events
from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.readiness import alive
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.watcher.effects import Effect, Emit
from cvec_circus_core.policy.watcher.inputs import Change, Renew, Resize, Retire, Tick
from cvec_circus_core.policy.watcher.machine import wake_at
from tests.policy.table import (
    NAME,
    START,
    STOP,
    Watcher,
    active,
    asked,
    broken,
    come,
    end,
    kept,
    signalled,
    spawns,
    ticket,
    told_reap,
    told_spawn,
)

STOPPED = ExitReason.STOPPED


class TestResize:
    @pytest.mark.parametrize(
        ("count", "effects"),
        [
            (3, [kept(there=(101, 102, 103), numprocesses=3)]),
            (5, spawns([4, 5])),
            (2, asked(1)),
            (1, asked(1, 2)),
            (0, asked(1, 2, 3)),
            (-4, asked(1, 2, 3)),
        ],
    )
    def test_spawns_or_stops_the_oldest(self, count: int, effects: list[Effect]) -> None:
        web = active(numprocesses=3)
        assert web.hears(Resize(count, ticket())) == effects

    def test_up_is_done_when_the_new_one_is_there(self) -> None:
        web = active()
        web.hears(Resize(2, ticket()))
        assert web.hears(come(2)) == [
            told_spawn(2),
            kept(started=(102,), there=(101,), numprocesses=2),
        ]

    def test_down_is_done_when_the_old_one_is_gone(self) -> None:
        web = active(numprocesses=2)
        web.hears(Resize(1, ticket()))
        assert web.hears(end(1)) == [
            told_reap(1, reason=STOPPED),
            kept(stopped=(101,), there=(102,)),
        ]

    def test_does_not_wait_for_strangers(self) -> None:
        web = active(numprocesses=3)
        web.hears(Retire((103,)))
        web.hears(Resize(2, ticket()))
        web.hears(come(4))
        assert web.hears(end(1))[1:] == [
            kept(stopped=(101,), started=(104,), there=(102, 103), numprocesses=2)
        ]

    def test_the_oldest_is_who_was_started_first(self) -> None:
        web = active(numprocesses=2)
        web.hears(end(1), at=50.0)
        web.hears(come(1, 7), at=50.0)
        assert web.hears(Resize(1)) == asked(2)

    def test_down_takes_those_who_only_wait_first(self) -> None:
        web = active(numprocesses=2)
        web.hears(end(1))
        web.hears(come(1, 7))
        web.hears(end(1, pid=7))
        assert web.hears(Resize(1, ticket())) == [kept(there=(102,))]
        assert wake_at(web.state) is None

    def test_down_while_they_are_on_their_way_lets_them_come_first(self) -> None:
        web = Watcher(numprocesses=2)
        web.hears(START)
        assert web.hears(Resize(1, ticket())) == []
        assert web.hears(come(1)) == [told_spawn(1)]
        assert web.hears(come(2))[1:3] == asked(1)

    def test_of_the_stopped_keeps_the_number(self) -> None:
        web = Watcher()
        assert web.hears(Resize(4, ticket())) == [kept(numprocesses=4)]
        assert web.hears(START) == spawns([1, 2, 3, 4])

    def test_to_none_stays_active(self) -> None:
        web = active()
        web.hears(Resize(0))
        assert web.hears(end(1)) == [told_reap(1, reason=STOPPED)]
        assert web.state.status.value == "active"
        assert web.hears(Resize(1)) == spawns([1])

    def test_is_done_in_a_reload_when_all_are_ready(self) -> None:
        web = active(ready=alive(99))
        web.hears(Renew())
        web.hears(come(2))
        assert web.hears(Resize(2, ticket())) == spawns([3])
        assert web.hears(come(3))[1:2] == []
        done = kept(started=(103,), there=(101, 102), numprocesses=2)
        assert web.hears(Tick(), at=99.0) == [*asked(1), done]

    def test_of_a_singleton_to_two_is_refused_and_changes_nothing(self) -> None:
        web = active(singleton=True)
        error = broken(web.hears(Resize(2, ticket())))[1]
        assert isinstance(error, BadMessage)
        assert web.state.spec.numprocesses == 1


class TestKill:
    def test_stops_those_named_and_replaces_them(self) -> None:
        web = active(numprocesses=2)
        assert web.hears(Retire((102,), ticket=ticket())) == [*asked(2), *spawns([3])]
        assert web.hears(come(3)) == [told_spawn(3)]
        assert web.hears(end(2)) == [
            told_reap(2, reason=STOPPED),
            kept(stopped=(102,), started=(103,), there=(101,), numprocesses=2),
        ]

    def test_takes_a_signal_and_a_grace(self) -> None:
        web = active()
        assert web.hears(Retire((101,), 3, 7.0), at=1.0)[:2] == signalled(1, 3)
        assert wake_at(web.state) == 8.0

    def test_does_not_ask_twice(self) -> None:
        web = active()
        web.hears(Retire((101,)))
        assert web.hears(Retire((101,), ticket=ticket())) == []
        assert kept(stopped=(101,)) in web.hears(end(1))

    def test_of_nobody_known_is_done_at_once(self) -> None:
        assert active().hears(Retire((4711,), ticket=ticket())) == [kept(there=(101,))]

    def test_again_and_again_never_has_more_than_twice_as_many(self) -> None:
        web = active()
        web.hears(Retire((101,)))
        web.hears(come(2))
        assert web.hears(Retire((102,))) == asked(2)
        assert web.hears(end(1))[1:] == spawns([1])


class TestChange:
    def test_tells_of_each_option_and_lives_by_the_new_number(self) -> None:
        web = active()
        spec = replace(web.state.spec, numprocesses=2, priority=3)
        assert web.hears(Change(spec, ("numprocesses", "priority"), ticket())) == [
            Emit(events.OptionUpdated(NAME, "numprocesses")),
            Emit(events.OptionUpdated(NAME, "priority")),
            *spawns([2]),
        ]
        assert web.hears(come(2))[1:] == [kept(started=(102,), there=(101,), numprocesses=2)]

    def test_of_the_grace_counts_from_the_next_stop_on(self) -> None:
        web = active(graceful_timeout=30.0)
        web.hears(Change(replace(web.state.spec, graceful_timeout=1.0), ()))
        web.hears(STOP)
        assert wake_at(web.state) == 1.0


class TestPromisesThatWaitLong:
    def test_forget_processes_that_came_and_went(self) -> None:
        web, now = active(ready=alive(5), ready_timeout=1e9, max_retry=1000), 0.0
        web.hears(Renew(None, ticket()))
        web.hears(come(2))
        for pid in range(1000, 1100):
            web.hears(end(2, pid=pid - 1 if pid > 1000 else 102), at=now)
            if web.state.slots.waiting:
                now = wake_at(web.state) or now
                web.hears(Tick(), at=now)
            web.hears(come(2, pid), at=now)
        (promise,) = web.state.tickets
        assert promise.stopped == []
        assert list(promise.started) == [1099]


def test_slots_are_numbered_from_the_lowest_free_one() -> None:
    web = active(numprocesses=3)
    web.hears(Resize(1))
    web.hears(end(2), end(1))
    assert web.hears(Resize(4)) == spawns([1, 2, 4])


def test_alarms_that_hold_no_more_do_not_pile_up() -> None:
    web = active(max_age=86_400.0, stable_after=0.0)
    for life in range(2000):
        web.hears(end(1, pid=101 if life == 0 else 1000 + life - 1), at=float(2 * life))
        web.hears(come(1, 1000 + life), at=float(2 * life))
    assert len(web.state.alarms.heap) <= 80
