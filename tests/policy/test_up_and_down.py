"""Start, stop, restart, leave: each wish in each phase, the whole answer compared."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.errors import ShuttingDown, Superseded
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.policy.watcher.advance import SPAWNS_UNDER_WAY
from cvec_circus_core.policy.watcher.effects import Reach
from cvec_circus_core.policy.watcher.inputs import (
    Go,
    Renew,
    Resize,
    SpawnFailed,
    Tick,
    Wish,
)
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.rollout import NEW_BEFORE_OLD
from tests.policy.table import (
    RESTART,
    START,
    STARTED,
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
    told_failure,
    told_reap,
    told_spawn,
    told_stop,
)

STOPPED, KILLED = ExitReason.STOPPED, ExitReason.KILLED


class TestStart:
    def test_spawns_all_then_tells_and_keeps_its_promise_with_the_last(self) -> None:
        web = Watcher(numprocesses=2)
        assert web.hears(Wish(Go.START, ticket())) == spawns([1, 2])
        assert web.state.status.value == "starting"
        assert web.hears(come(1)) == [told_spawn(1)]
        assert web.hears(come(2)) == [
            told_spawn(2),
            STARTED,
            kept(started=(101, 102), numprocesses=2),
        ]
        assert web.state.status.value == "active"
        assert wake_at(web.state) is None

    def test_of_nothing_is_done_at_once(self) -> None:
        web = Watcher(numprocesses=0)
        assert web.hears(Wish(Go.START, ticket())) == [STARTED, kept(numprocesses=0)]

    def test_while_up_is_kept_at_once(self) -> None:
        web = active(numprocesses=2)
        assert web.hears(Wish(Go.START, ticket())) == [kept(there=(101, 102), numprocesses=2)]

    def test_while_stopping_waits_until_all_is_down(self) -> None:
        web = active()
        web.hears(STOP)
        assert web.hears(Wish(Go.START, ticket())) == []
        assert web.hears(end(1)) == [told_reap(1, reason=STOPPED), told_stop(), *spawns([1])]
        assert web.hears(come(1, 7)) == [
            told_spawn(1, 7),
            STARTED,
            kept(stopped=(101,), started=(7,)),
        ]

    def test_has_only_so_many_spawns_under_way(self) -> None:
        web = Watcher(numprocesses=40)
        assert web.hears(START) == spawns(range(1, SPAWNS_UNDER_WAY + 1))
        assert web.hears(come(1), come(2)) == [told_spawn(1), told_spawn(2), *spawns([17, 18])]


class TestStop:
    def test_asks_everybody_and_ends_with_the_last(self) -> None:
        web = active(numprocesses=2)
        assert web.hears(Wish(Go.STOP, ticket())) == asked(1, 2)
        assert web.state.status.value == "stopping"
        assert web.hears(end(1)) == [told_reap(1, reason=STOPPED)]
        assert web.hears(end(2, -15)) == [
            told_reap(2, -15, STOPPED),
            told_stop(),
            kept(stopped=(101, 102), numprocesses=2),
        ]
        assert wake_at(web.state) is None

    def test_of_the_stopped_is_done_at_once(self) -> None:
        assert Watcher().hears(Wish(Go.STOP, ticket())) == [kept()]

    def test_in_the_middle_of_a_start_takes_what_still_comes(self) -> None:
        web = Watcher(numprocesses=2)
        web.hears(START)
        assert web.hears(Wish(Go.STOP, ticket())) == []
        assert web.hears(come(1)) == [told_spawn(1), *asked(1)]
        assert web.hears(SpawnFailed(2, "no")) == [told_failure(2, "no", None)]
        assert web.hears(end(1))[1:] == [told_stop(), kept(numprocesses=2)]

    def test_drops_those_that_wait_for_a_retry(self) -> None:
        web = active()
        web.hears(end(1))
        web.hears(come(1, 7))
        assert web.hears(end(1, pid=7)) == [told_reap(1, pid=7)]
        assert web.hears(STOP) == [told_stop()]
        assert wake_at(web.state) is None

    @pytest.mark.parametrize(
        ("stop_children", "reach"), [(False, Reach.PROCESS), (True, Reach.CHILDREN)]
    )
    def test_reaches_the_children_where_it_is_told_to(
        self, stop_children: bool, reach: Reach
    ) -> None:
        web = active(stop_children=stop_children, stop_signal=3)
        assert web.hears(STOP) == signalled(1, 3, reach)

    def test_and_start_in_one_breath_stops_first(self) -> None:
        web = active()
        assert web.hears(Wish(Go.STOP, ticket(1)), Wish(Go.START, ticket(2))) == asked(1)
        assert web.hears(end(1)) == [
            told_reap(1, reason=STOPPED),
            told_stop(),
            kept(1, stopped=(101,)),
            *spawns([1]),
        ]

    @pytest.mark.parametrize("count", [0, 1])
    def test_and_start_of_the_stopped_in_one_breath_keeps_the_stop(self, count: int) -> None:
        web = Watcher(numprocesses=count)
        effects = web.hears(Wish(Go.STOP, ticket(1)), Wish(Go.START, ticket(2)))
        assert effects[0] == kept(1, numprocesses=count)
        assert effects[1:] == (spawns([1]) if count else [STARTED, kept(2, numprocesses=count)])


class TestRestart:
    def test_goes_down_then_up(self) -> None:
        web = active(numprocesses=2)
        assert web.hears(Wish(Go.RESTART, ticket())) == asked(1, 2)
        web.hears(end(1))
        assert web.hears(end(2)) == [told_reap(2, reason=STOPPED), told_stop(), *spawns([1, 2])]
        assert web.hears(come(1, 7), come(2, 8)) == [
            told_spawn(1, 7),
            told_spawn(2, 8),
            STARTED,
            kept(stopped=(101, 102), started=(7, 8), numprocesses=2),
        ]

    def test_of_the_stopped_starts_it(self) -> None:
        assert Watcher().hears(RESTART) == spawns([1])

    def test_forgets_a_reload_and_its_rollout(self) -> None:
        web = active()
        web.hears(Renew(NEW_BEFORE_OLD, ticket(1)))
        assert isinstance(broken(web.hears(Wish(Go.RESTART, ticket(2))))[1], Superseded)
        web.hears(come(2))
        web.hears(end(1), end(2))
        assert web.hears(come(1, 7)) == [
            told_spawn(1, 7),
            STARTED,
            kept(2, stopped=(101,), started=(7,)),
        ]


class TestLeave:
    LEAVE = Wish(Go.LEAVE, ticket(9))

    def test_touches_nobody_and_still_tells_of_their_ends(self) -> None:
        web = active(numprocesses=2)
        assert web.hears(self.LEAVE) == [kept(9, numprocesses=0)]
        assert web.hears(end(1, left=True)) == [told_reap(1)]
        assert web.hears(Tick(), at=99.0) == []
        assert wake_at(web.state) is None

    def test_is_for_ever(self) -> None:
        web = active()
        web.hears(self.LEAVE)
        assert web.hears(Wish(Go.STOP, ticket(1))) == [kept(1, numprocesses=0)]
        assert isinstance(broken(web.hears(Wish(Go.START, ticket(2))))[2], ShuttingDown)
        assert web.hears(Resize(5), Renew(NEW_BEFORE_OLD)) == []
        assert web.pids == [101]

    def test_lets_one_that_comes_late_live(self) -> None:
        web = Watcher()
        web.hears(START)
        web.hears(self.LEAVE)
        assert web.hears(come(1)) == [told_spawn(1)]
        assert web.pids == [101]


class TestWishesMeet:
    @pytest.mark.parametrize("older", [Go.START, Go.RESTART])
    def test_a_stop_supersedes_what_wants_up(self, older: Go) -> None:
        web = Watcher(numprocesses=1)
        web.hears(Wish(older, ticket(1)))
        error = broken(web.hears(Wish(Go.STOP, ticket(2))))[1]
        assert str(error) == f"the {older.value} was superseded by a newer stop"

    def test_a_stop_supersedes_a_reload_and_a_resize(self) -> None:
        web = active()
        web.hears(Renew(NEW_BEFORE_OLD, ticket(1)), Resize(3, ticket(2)))
        assert set(broken(web.hears(STOP))) == {1, 2}

    def test_a_start_lets_an_older_stop_come_true_first(self) -> None:
        web = active()
        web.hears(Wish(Go.STOP, ticket(1)))
        web.hears(Wish(Go.START, ticket(2)))
        assert kept(1, stopped=(101,)) in web.hears(end(1))

    @pytest.mark.parametrize("go", [Go.START, Go.RESTART])
    def test_after_a_final_stop_nothing_comes_up(self, go: Go) -> None:
        web = active()
        web.hears(Wish(Go.STOP, closes=True))
        effects = web.hears(Wish(go, ticket(1)))
        assert [type(error) for error in broken(effects).values()] == [ShuttingDown]
        assert web.hears(end(1)) == [told_reap(1, reason=STOPPED), told_stop()]

    def test_a_final_stop_may_be_said_again(self) -> None:
        web = active()
        web.hears(Wish(Go.STOP, ticket(1), closes=True))
        web.hears(Wish(Go.STOP, ticket(2), closes=True))
        settled = web.hears(end(1))[2:]
        assert settled == [kept(1, stopped=(101,)), kept(2, stopped=(101,))]
