"""Watchers that start on demand: who listens when, and what a knock does."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model import events
from cvec_circus_core.model.views import WAITS_FOR_CONNECTION, WatcherStatus
from cvec_circus_core.policy.watcher.activation import QUICK_RUNS
from cvec_circus_core.policy.watcher.effects import Emit, Listen, Settle, Spawn, Unlisten
from cvec_circus_core.policy.watcher.inputs import (
    Change,
    Go,
    SocketReady,
    SpawnFailed,
    Tick,
    Wanted,
    Wish,
)
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.views import view_of
from tests.policy.table import NAME, RESTART, START, STARTED, STOP, Watcher, come, end, ticket

KNOCK = SocketReady()
STOPPED_WAITING = Emit(events.WatcherStopped(NAME, WAITS_FOR_CONNECTION))


def waiting(**options: Any) -> Watcher:
    watcher = Watcher(on_demand=True, **options)
    assert watcher.hears(START) == [Listen()]
    return watcher


def running(**options: Any) -> Watcher:
    watcher = waiting(**options)
    watcher.hears(KNOCK, at=10.0)
    for wid in tuple(watcher.state.slots.spawning):
        watcher.hears(come(wid), at=10.0)
    assert watcher.state.status is WatcherStatus.ACTIVE
    return watcher


def test_a_start_makes_it_wait_and_is_kept_at_once() -> None:
    watcher = Watcher(on_demand=True)
    listens, settled = watcher.hears(Wish(Go.START, ticket()))
    assert listens == Listen()
    assert isinstance(settled, Settle)
    view = view_of(watcher.state, 0.0)
    assert (view.status, view.health.wanted, view.health.reason) == (
        WatcherStatus.STOPPED,
        0,
        WAITS_FOR_CONNECTION,
    )
    assert wake_at(watcher.state) is None


def test_a_second_start_changes_nothing() -> None:
    assert waiting().hears(START) == []


def test_a_knock_starts_it() -> None:
    watcher = waiting(numprocesses=2)
    assert watcher.hears(KNOCK) == [Spawn(1), Spawn(2)]
    assert STARTED in watcher.hears(come(1), come(2))


@pytest.mark.parametrize("wish", [STOP, Wish(Go.LEAVE), Wish(Go.STOP, closes=True)])
def test_by_hand_it_listens_no_more(wish: Wish) -> None:
    watcher = waiting()
    assert Unlisten() in watcher.hears(wish)
    assert watcher.hears(KNOCK) == []
    assert watcher.state.status is WatcherStatus.STOPPED


def test_a_knock_that_comes_with_a_stop_is_too_late() -> None:
    watcher = waiting()
    assert Spawn(1) not in watcher.hears(STOP, KNOCK)
    assert watcher.state.wanted is Wanted.DOWN


def test_a_knock_that_comes_before_a_stop_starts_nothing() -> None:
    watcher = waiting()
    assert Spawn(1) not in watcher.hears(KNOCK, STOP)
    assert watcher.state.wanted is Wanted.DOWN


@pytest.mark.parametrize(
    ("options", "code", "waits"),
    [
        ({}, 0, True),
        ({}, 1, False),
        ({}, -9, False),
        ({"respawn": False}, 0, True),
        ({"respawn": False}, 1, True),
    ],
)
def test_who_is_done_waits_and_who_crashed_comes_back(
    options: dict[str, Any], code: int, waits: bool
) -> None:
    watcher = running(**options)
    effects = watcher.hears(end(1, code), at=60.0)
    assert (effects[1:] == [STOPPED_WAITING, Listen()]) is waits
    assert (effects[1:] == [Spawn(1)]) is not waits


def test_it_waits_when_the_last_one_is_done() -> None:
    watcher = running(numprocesses=2)
    assert Listen() not in watcher.hears(end(1), at=60.0)
    assert watcher.hears(end(2), at=61.0)[-1] == Listen()


def test_the_next_run_has_all_processes_again() -> None:
    watcher = running(numprocesses=2)
    watcher.hears(end(1), end(2), at=60.0)
    assert watcher.hears(KNOCK, at=70.0) == [Spawn(1), Spawn(2)]


def test_a_start_while_a_run_ends_listens_once_all_is_gone() -> None:
    watcher = running()
    watcher.hears(STOP, at=20.0)
    assert Listen() not in watcher.hears(START, at=20.0)
    assert watcher.hears(end(1), at=21.0)[-1] == Listen()


def test_a_restart_of_a_running_one_needs_no_knock() -> None:
    watcher = running()
    watcher.hears(RESTART, at=20.0)
    assert Spawn(1) in watcher.hears(end(1), at=21.0)


@pytest.mark.parametrize("before", [(), (START,), (START, STOP)])
def test_a_restart_of_one_that_is_down_makes_it_wait(before: tuple[Wish, ...]) -> None:
    watcher = Watcher(on_demand=True)
    watcher.hears(*before)
    watcher.hears(RESTART)
    assert watcher.state.listening
    assert not watcher.state.slots.by_wid


def test_who_gave_up_does_not_wait() -> None:
    watcher = waiting(max_retry=1)
    watcher.hears(KNOCK)
    effects = watcher.hears(SpawnFailed(1, "no such file"))
    assert Listen() not in effects
    assert watcher.state.wanted is Wanted.DOWN


def test_many_quick_runs_are_slowed_down() -> None:
    watcher = waiting()
    for _ in range(QUICK_RUNS + 2):
        assert watcher.hears(KNOCK, at=10.0) == [Spawn(1)]
        watcher.hears(come(1), at=10.0)
        assert watcher.hears(end(1), at=10.0)[-1] == Listen()
    watcher.hears(KNOCK, at=10.0)
    watcher.hears(come(1), at=10.0)
    assert Listen() not in watcher.hears(end(1), at=10.0)
    assert wake_at(watcher.state) == pytest.approx(10.1)
    assert watcher.hears(Tick(), at=10.1) == [Listen()]


def test_a_change_makes_it_listen_anew() -> None:
    watcher = waiting()
    effects = watcher.hears(Change(watcher.state.spec, ()))
    assert effects == [Unlisten(), Listen()]
