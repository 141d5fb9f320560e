"""How a stop comes to its end: grace, SIGKILL, and what a process leaves behind."""

from __future__ import annotations

import pytest

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.effects import (
    Effect,
    Emit,
    KillLeftovers,
    Reach,
    Settle,
    Signal,
)
from cvec_circus_core.policy.watcher.inputs import (
    Go,
    Hasten,
    Resize,
    Retire,
    Swept,
    Tick,
    Wish,
)
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.views import health_of
from tests.policy.table import (
    NAME,
    RESTART,
    START,
    STOP,
    Watcher,
    active,
    asked,
    broken,
    come,
    end,
    kept,
    killed,
    signalled,
    spawns,
    ticket,
    told_end,
    told_reap,
    told_spawn,
    told_stop,
)

STOPPED, KILLED = ExitReason.STOPPED, ExitReason.KILLED


def told_by_hand(wid: int, signum: int) -> list[Effect]:
    """Send a process that is going another signal."""
    pid = 100 + wid
    return [
        Signal(pid, signum, Reach.PROCESS),
        Emit(events.ProcessSignalled(NAME, wid, pid, signum)),
    ]


class TestGrace:
    def test_ends_with_sigkill_for_the_whole_tree(self) -> None:
        web = active(graceful_timeout=2.0)
        web.hears(STOP, at=10.0)
        assert wake_at(web.state) == 12.0
        assert web.hears(Tick(), at=11.9) == []
        assert web.hears(Tick(), at=12.0) == killed(1)
        assert wake_at(web.state) is None
        assert web.hears(end(1, -9)) == [told_reap(1, -9, KILLED), told_stop()]

    def test_of_one_retired_by_hand_is_what_was_asked(self) -> None:
        web = active(numprocesses=1)
        assert web.hears(Retire((101,), signum=2, grace=0.5), at=1.0)[:2] == signalled(1, 2)
        assert wake_at(web.state) == 1.5

    def test_is_shorter_for_one_that_is_told_again_and_never_longer(self) -> None:
        web = active(numprocesses=1, graceful_timeout=30.0)
        web.hears(STOP, at=1.0)
        assert web.hears(Retire((101,)), at=2.0) == []
        assert web.hears(Retire((101,), signum=2, grace=40.0), at=2.0) == told_by_hand(1, 2)
        assert wake_at(web.state) == 31.0
        assert web.hears(Retire((101,), grace=0.5), at=2.0) == []
        assert web.hears(Tick(), at=2.5) == killed(1)
        assert web.hears(Retire((101,), signum=2), at=2.6) == []
        assert web.hears(end(1, -9))[0] == told_reap(1, -9, KILLED)

    def test_is_over_for_one_that_is_killed_by_hand(self) -> None:
        web = active(numprocesses=2, graceful_timeout=30.0)
        web.hears(STOP, at=1.0)
        assert web.hears(Retire((101,), signum=9, ticket=ticket()), at=2.0) == killed(1)
        assert web.hears(Tick(), at=31.0) == killed(2)

    def test_is_over_for_all_when_hastened_and_for_those_who_come_later(self) -> None:
        web = Watcher(numprocesses=3, graceful_timeout=30.0)
        web.hears(START)
        web.hears(come(1), come(2))
        web.hears(Wish(Go.STOP, closes=True), at=1.0)
        assert web.hears(Hasten(), at=2.0) == [*killed(1), *killed(2)]
        assert web.hears(come(3), at=3.0) == [told_spawn(3), *asked(3)]
        assert wake_at(web.state) == 3.0
        assert web.hears(Tick(), at=3.0) == killed(3)

    def test_is_back_after_the_next_start(self) -> None:
        web = active()
        web.hears(STOP, Hasten())
        web.hears(end(1))
        web.hears(START, at=50.0)
        web.hears(come(1), at=50.0)
        web.hears(STOP, at=60.0)
        assert wake_at(web.state) == 90.0


class TestLeftBehind:
    def test_are_swept_and_a_stop_waits_for_them(self) -> None:
        web = active(graceful_timeout=5.0)
        web.hears(Wish(Go.STOP, ticket()), at=10.0)
        assert web.hears(end(1, left=True), at=12.0) == [
            told_reap(1, reason=STOPPED),
            KillLeftovers(101, 15, 3.0),
        ]
        assert web.state.status is WatcherStatus.STOPPING
        assert web.hears(Swept(101)) == [told_stop(), kept(stopped=(101,))]

    def test_of_a_killed_one_get_no_grace(self) -> None:
        web = active(graceful_timeout=5.0)
        web.hears(STOP)
        web.hears(Tick(), at=5.0)
        assert web.hears(end(1, -9, left=True), at=6.0)[1] == KillLeftovers(101, 15, 0.0)

    def test_of_an_unasked_death_have_the_whole_grace_and_hold_nobody_up(self) -> None:
        web = active(graceful_timeout=5.0)
        assert web.hears(end(1, left=True), at=9.0) == [
            told_reap(1),
            KillLeftovers(101, 15, 5.0),
            *spawns([1]),
        ]

    def test_are_killed_when_hastened(self) -> None:
        web = active()
        web.hears(STOP)
        web.hears(end(1, left=True))
        assert web.hears(Hasten()) == [KillLeftovers(101, 9, 0.0)]

    def test_get_no_grace_after_it_was_hastened(self) -> None:
        web = active()
        web.hears(Hasten())
        assert web.hears(end(1, left=True))[1] == KillLeftovers(101, 15, 0.0)


GIVE_UP = Wish(Go.STOP, reason="it flaps")


class TestAStopWithAReason:
    def test_gives_up_and_tells_why(self) -> None:
        web = active()
        web.hears(Resize(2, ticket(1)))
        effects = web.hears(GIVE_UP)
        assert broken(effects)[1].reason == "it flaps"
        web.hears(come(2))
        assert web.hears(end(1), end(2))[-1] == told_end("it flaps")
        assert web.state.gave_up
        assert health_of(web.state, 0.0).reason == "it flaps"

    @pytest.mark.parametrize("before", [STOP, RESTART])
    def test_means_nothing_against_an_operators_word(self, before: Wish) -> None:
        web, same = active(), active()
        for one in (web, same):
            one.hears(before)
        assert web.hears(Wish(Go.STOP, ticket(7), reason="it flaps")) == [Settle(ticket(7), Done())]
        assert web.hears(end(1)) == same.hears(end(1))
        assert web.state.reason is None

    def test_is_forgotten_when_an_operator_stops_it_again(self) -> None:
        web = active()
        web.hears(GIVE_UP)
        web.hears(end(1))
        web.hears(STOP)
        assert (web.state.reason, web.state.gave_up) == (None, False)
