"""The default: a process is ready when it is seen to serve, and has to stay well for a while."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model import events
from cvec_circus_core.model.notices import Notice
from cvec_circus_core.model.readiness import AUTO, NOTIFY, SPAWNED
from cvec_circus_core.policy.watcher.effects import Effect, Emit
from cvec_circus_core.policy.watcher.inputs import (
    Go,
    Input,
    Noticed,
    Ready,
    Renew,
    Resize,
    Spawned,
    SpawnFailed,
    Tick,
    Wish,
)
from cvec_circus_core.policy.watcher.machine import wake_at
from tests.policy.table import (
    NAME,
    RELOADED,
    RESTART,
    STARTED,
    Watcher,
    asked,
    broken,
    come,
    end,
    kept,
    spawns,
    ticket,
)

LIMIT = 30.0
NOT_READY = Emit(events.NotReady(NAME, 1, 101))


def serving(wid: int, pid: int | None = None) -> Spawned:
    """Say that a process has come that was given managed sockets."""
    return Spawned(wid, 100 + wid if pid is None else pid, is_serving=True)


def starting(*started: Input, **options: Any) -> Watcher:
    """Return a watcher whose start somebody waits for."""
    web = Watcher(**{"ready": AUTO, "ready_timeout": LIMIT, **options})
    web.hears(Wish(Go.START, ticket()))
    web.hears(*started)
    return web


def up(**options: Any) -> Watcher:
    """Return a watcher whose only process serves."""
    web = starting(serving(1), **options)
    assert web.hears(Ready(101)) == [kept(started=(101,))]
    return web


class TestWithoutSockets:
    def test_it_is_ready_after_a_second(self) -> None:
        web = starting(come(1))
        assert wake_at(web.state) == 1.0
        assert web.hears(Tick(), at=1.0) == [kept(started=(101,))]

    def test_or_when_it_says_so(self) -> None:
        web = starting(come(1))
        assert web.hears(Noticed(101, Notice(ready=True)), at=0.1) == [kept(started=(101,))]


class TestWithSockets:
    def test_it_is_ready_when_it_is_seen_to_wait_on_them(self) -> None:
        web = starting(serving(1))
        assert web.hears(Tick(), at=5.0) == []
        assert web.hears(Ready(101), at=5.0) == [kept(started=(101,))]

    def test_what_it_says_of_itself_does_not_count(self) -> None:
        web = starting(serving(1))
        assert web.hears(Noticed(101, Notice(ready=True))) == []

    def test_one_that_never_waits_is_left_as_it_is_and_told(self) -> None:
        web = starting(serving(1))
        effects = web.hears(Tick(), at=LIMIT + 1.0)
        assert "process 101 was not ready in 30 s" in str(broken(effects)[1])
        assert NOT_READY in effects

    def test_then_the_next_ones_are_proven_by_time(self) -> None:
        web = starting(serving(1))
        web.hears(Tick(), at=LIMIT + 1.0)
        web.hears(Renew(None, ticket(2)), at=50.0)
        web.hears(serving(2), at=50.0)
        assert web.hears(Tick(), at=51.0) == asked(1)

    def test_until_one_is_seen_to_wait_after_all(self) -> None:
        web = starting(serving(1))
        web.hears(Tick(), at=LIMIT + 1.0)
        web.hears(Ready(101), at=40.0)
        web.hears(Renew(None, ticket(2)), at=50.0)
        web.hears(serving(2), at=50.0)
        assert web.hears(Tick(), at=52.0) == []


class TestSettling:
    def test_an_old_one_goes_when_the_new_one_has_stayed_well(self) -> None:
        web = up(settle=2.0)
        assert web.hears(Renew(None, ticket(2)), at=10.0) == spawns([2])
        web.hears(serving(2), at=10.0)
        assert web.hears(Ready(102), at=13.0) == []
        assert web.hears(Ready(102), at=14.0) == [], "it is said twice"
        assert wake_at(web.state) == 15.0
        assert web.hears(Tick(), at=15.0) == asked(1)
        assert web.hears(end(1), at=15.1)[1:] == [
            RELOADED,
            kept(2, stopped=(101,), started=(102,)),
        ]

    def test_its_time_is_not_that_in_which_it_has_to_be_ready(self) -> None:
        web = up(settle=20.0)
        web.hears(Renew(None, ticket(2)), at=0.0)
        web.hears(serving(2), at=0.0)
        web.hears(Ready(102), at=LIMIT)
        assert web.hears(Tick(), at=LIMIT + 19.0) == []
        assert web.hears(Tick(), at=LIMIT + 20.0) == asked(1)

    @pytest.mark.parametrize("code", [0, 1])
    def test_new_ones_that_die_meanwhile_replace_nobody(self, code: int) -> None:
        web, now = up(settle=2.0), 0.0
        web.hears(Renew(None, ticket(2)))
        errors: dict[int, str] = {}
        for pid in (201, 202, 203):
            web.hears(serving(2, pid), at=now)
            web.hears(Ready(pid), at=now)
            effects = web.hears(end(2, code, pid=pid), at=now + 1.0)
            errors |= {number: str(error) for number, error in broken(effects).items()}
            if web.state.slots.waiting:
                now = wake_at(web.state) or now
                web.hears(Tick(), at=now)
        assert errors == {
            2: f"a process exited with {code} before it was ready (3 tries); the old processes stay"
        }
        assert web.pids == [101]

    def test_one_that_grows_too_old_meanwhile_takes_the_place_first(self) -> None:
        web = up(settle=2.0, max_age=1.0, max_age_variance=0.0)
        assert web.hears(Tick(), at=1.0) == spawns([2])
        web.hears(serving(2), at=1.0)
        assert web.hears(Tick(), at=2.0) == [], "it is too old, and not ready"
        web.hears(Ready(102), at=2.5)
        assert web.hears(Tick(), at=4.0) == [], "and has not settled"
        assert web.hears(Tick(), at=4.5) == asked(1)

    def test_a_first_start_does_not_wait_for_it(self) -> None:
        web = starting(come(1), settle=2.0, ready=SPAWNED)
        assert web.state.slots.ready == 1

    def test_none_that_is_asked_for_is_none(self) -> None:
        web = up(settle=0.0)
        web.hears(Renew())
        web.hears(serving(2))
        assert web.hears(Ready(102)) == asked(1)


class TestWhoWaits:
    """A start, a restart and a resize are done when all processes are ready, or say what failed."""

    def test_for_a_start(self) -> None:
        web = Watcher(ready=NOTIFY, numprocesses=2)
        web.hears(Wish(Go.START, ticket()))
        assert STARTED in web.hears(come(1), come(2))
        assert web.hears(Ready(101)) == []
        assert web.hears(Ready(102)) == [kept(started=(101, 102), numprocesses=2)]

    def test_for_a_restart(self) -> None:
        web = up()
        web.hears(Wish(Go.RESTART, ticket(2)))
        web.hears(end(1))
        assert STARTED in web.hears(serving(1, 201))
        assert web.hears(Ready(201)) == [kept(2, stopped=(101,), started=(201,))]

    def test_for_one_more(self) -> None:
        web = up()
        web.hears(Resize(2, ticket(2)))
        web.hears(serving(2))
        done = kept(2, started=(102,), there=(101,), numprocesses=2)
        assert web.hears(Ready(102)) == [done]

    @pytest.mark.parametrize("wish", [Wish(Go.START, ticket()), None])
    def test_is_told_after_three_that_ended(self, wish: Wish | None) -> None:
        web, now, told = Watcher(ready=AUTO), 0.0, list[Effect]()
        if wish is not None:
            web.hears(wish)
        else:
            web.hears(Wish(Go.START))
            web.hears(Resize(1, ticket()))
        for pid in (201, 202, 203, 204):
            web.hears(come(1, pid), at=now)
            told += web.hears(end(1, 1, pid=pid), at=now)
            now = wake_at(web.state) or now
            told += web.hears(Tick(), at=now)
        assert [str(error) for error in broken(told).values()] == [
            "a process exited with 1 before it was ready (3 tries); it is tried again"
        ]
        assert web.state.wanted.value == "up", "nothing is given up"

    def test_is_told_at_once_where_it_is_not_tried_again(self) -> None:
        web = starting(come(1), respawn=False)
        assert str(broken(web.hears(end(1, 1)))[1]) == "a process exited with 1"

    def test_is_told_nothing_bad_of_one_that_has_done_its_work(self) -> None:
        web = starting(come(1), respawn=False)
        assert broken(web.hears(end(1, 0))) == {}

    def test_of_those_that_can_not_be_started(self) -> None:
        web, now, told = starting(), 0.0, list[Effect]()
        for _ in range(4):
            told += web.hears(SpawnFailed(1, "no such file"), at=now)
            now = wake_at(web.state) or now
            told += web.hears(Tick(), at=now)
        assert [str(error) for error in broken(told).values()] == [
            "no such file (3 tries); it is tried again"
        ]

    def test_a_later_restart_is_not_told_of_earlier_ends(self) -> None:
        web = up()
        web.hears(end(1, 1))
        web.hears(Tick(), at=1.0)
        web.hears(serving(1, 201), at=1.0)
        web.hears(Ready(201), at=1.5)
        web.hears(RESTART, at=2.0)
        assert broken(web.hears(end(1, pid=201), at=2.0)) == {}
