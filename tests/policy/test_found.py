"""Processes that an earlier daemon has started are taken over: none doubled, none forgotten."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.hook_specs import HookSpec
from cvec_circus_core.model.readiness import NOTIFY
from cvec_circus_core.policy.watcher.effects import AskHook, Signal, Spawn
from cvec_circus_core.policy.watcher.inputs import Exited, Found, Go, Renew, Wish
from cvec_circus_core.policy.watcher.machine import wake_at
from tests.policy.table import (
    RELOADED,
    START,
    STARTED,
    STOP,
    Watcher,
    active,
    asked,
    come,
    end,
    kept,
    signalled,
    spawns,
    ticket,
    told_reap,
    told_spawn,
    told_stop,
)


def found(wid: int, *, started_at: float = -5.0, generation: int = 0, ready: bool = True) -> Found:
    """Say that a process runs, with the pid that its slot has in the tables."""
    return Found(wid, 100 + wid, started_at, generation, ready)


def test_what_is_found_is_not_started_again() -> None:
    watcher = Watcher(numprocesses=2)
    assert watcher.hears(found(1), found(2)) == [STARTED]
    assert watcher.pids == [101, 102]


def test_a_start_after_it_changes_nothing_and_tells_who_stays() -> None:
    watcher = Watcher(numprocesses=2)
    effects = watcher.hears(found(1), found(2), Wish(Go.START, ticket()))
    assert effects == [STARTED, kept(there=(101, 102), numprocesses=2)]


def test_only_what_is_missing_is_started() -> None:
    watcher = Watcher(numprocesses=3)
    assert watcher.hears(found(2), START) == spawns([1, 3])
    assert watcher.hears(come(1), come(3)) == [told_spawn(1), told_spawn(3), STARTED]


def test_what_is_too_many_goes_and_the_oldest_first() -> None:
    watcher = Watcher(numprocesses=1)
    effects = watcher.hears(found(1, started_at=-1.0), found(2, started_at=-9.0))
    assert effects == [*asked(2), STARTED]


def test_its_death_is_told_once_and_answered_by_another() -> None:
    watcher = Watcher(numprocesses=1)
    watcher.hears(found(1))
    assert watcher.hears(end(1, 3), at=9.0) == [told_reap(1, 3), Spawn(1)]
    assert watcher.hears(at=9.0) == []
    assert watcher.hears(come(1, 900), at=9.0) == [told_spawn(1, 900)]


def test_found_twice_it_is_one() -> None:
    watcher = Watcher(numprocesses=2)
    assert watcher.hears(found(1), found(1), found(2), found(2)) == [STARTED]
    assert watcher.pids == [101, 102]


def test_a_slot_that_is_taken_is_not_taken_away() -> None:
    watcher = active(numprocesses=1)
    effects = watcher.hears(Found(1, 900, -5.0, 0, ready=True))
    assert effects == signalled(2, pid=900)
    assert watcher.state.slots.by_pid[900].wid == 2


@pytest.mark.parametrize("wid", [1, 4, 9])
def test_numbers_of_free_slots_stay_known(wid: int) -> None:
    watcher = Watcher(numprocesses=3)
    watcher.hears(found(wid))
    assert sorted([*watcher.state.slots.by_wid, *watcher.state.slots.free_wids]) == list(
        range(1, watcher.state.slots.top_wid + 1)
    )
    assert len(watcher.state.slots.spawning) == 2


def test_one_that_was_stopped_meanwhile_is_stopped() -> None:
    watcher = Watcher(numprocesses=1)
    assert watcher.hears(found(1), STOP) == asked(1)
    assert watcher.hears(end(1, -15)) == [told_reap(1, -15, ExitReason.STOPPED), told_stop()]


def test_one_of_a_watcher_that_may_not_come_up_is_asked_to_go() -> None:
    watcher = Watcher(numprocesses=1)
    watcher.hears(Wish(Go.STOP, closes=True))
    assert watcher.hears(found(1)) == asked(1)


def test_a_half_done_reload_is_finished() -> None:
    watcher = Watcher(numprocesses=2)
    effects = watcher.hears(found(1, generation=4), found(2, generation=5))
    assert effects == [Spawn(3)]
    assert watcher.state.slots.generation == 5
    effects = watcher.hears(come(3))
    assert [effect for effect in effects if isinstance(effect, Signal)] == signalled(1)[:1]
    assert watcher.hears(end(1, -15))[0] == told_reap(1, -15, ExitReason.RELOADED)
    assert watcher.pids == [102, 103]


def test_a_later_reload_replaces_it_as_any_other() -> None:
    watcher = Watcher(numprocesses=1)
    watcher.hears(found(1, generation=7))
    assert watcher.hears(Renew()) == [Spawn(2)]
    watcher.hears(come(2))
    effects = watcher.hears(Exited(101, -15))
    assert effects[-1] == RELOADED


def test_who_was_not_ready_has_to_say_so_yet() -> None:
    watcher = Watcher(numprocesses=1, ready=NOTIFY, ready_timeout=30.0)
    watcher.hears(found(1, ready=False), at=10.0)
    assert wake_at(watcher.state) == 40.0
    assert watcher.state.slots.ready == 0
    ready = Watcher(numprocesses=1, ready=NOTIFY)
    ready.hears(found(1), at=10.0)
    assert wake_at(ready.state) is None
    assert ready.state.slots.ready == 1


def test_its_age_counts_from_its_start() -> None:
    watcher = Watcher(numprocesses=1, max_age=60.0)
    watcher.hears(found(1, started_at=-20.0), at=0.0)
    assert wake_at(watcher.state) == 40.0


def test_the_hooks_about_its_start_are_not_asked_again() -> None:
    names = ("before_start", "before_spawn", "after_spawn")
    watcher = Watcher(numprocesses=1, hooks={name: HookSpec("a.b") for name in names})
    effects = watcher.hears(found(1))
    assert not any(isinstance(effect, AskHook) for effect in effects)
    assert effects == [STARTED]
