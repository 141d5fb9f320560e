"""Rollouts that fail: who stays, who goes, who is told, and which options count afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model import events
from cvec_circus_core.model.amounts import Amount
from cvec_circus_core.model.errors import RolloutFailed
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.readiness import NOTIFY, alive
from cvec_circus_core.model.values import replace
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.effects import Effect, Emit
from cvec_circus_core.policy.watcher.inputs import Change, Exited, Ready, Renew, SpawnFailed, Tick
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.rollout import ONE_BY_ONE
from cvec_circus_core.policy.watcher.rollouts import ADDRESS_HINT
from cvec_circus_core.policy.watcher.views import health_of
from tests.policy.table import (
    NAME,
    RELOADED,
    RESTART,
    START,
    STOP,
    Watcher,
    active,
    asked,
    broken,
    come,
    end,
    signalled,
    spawns,
    ticket,
    told_failure,
    told_reap,
    told_spawn,
)

STAY = "; the old processes stay"
LATE = "process 103 was not ready in 30 s"


def ready_ones(**options: Any) -> Watcher:
    """Return a watcher whose processes have said that they are ready."""
    web = active(ready=NOTIFY, **options)
    web.hears(*(Ready(pid) for pid in web.pids))
    return web


def failed(why: str) -> Effect:
    """Tell that a rollout has failed."""
    return Emit(events.WatcherRolloutFailed(NAME, why))


class TestNotToBeHad:
    def test_several_at_once_fail_the_rollout_once_and_the_old_ones_stay(self) -> None:
        web = active(numprocesses=2, max_retry=1)
        web.hears(Renew(None, ticket()))
        why = "gone (1 tries)"
        effects = web.hears(SpawnFailed(3, "gone"), SpawnFailed(4, "gone"))
        assert [effect for effect in effects if effect == failed(why)] == [failed(why)]
        assert str(broken(effects)[1]) == why + STAY
        assert web.pids == [101, 102]
        assert web.state.status is WatcherStatus.ACTIVE
        assert spawns([1]) == web.hears(end(1))[1:], "and are replaced when they end"

    def test_a_try_that_a_newer_reload_overtook_does_not_count(self) -> None:
        web = active(max_retry=1)
        web.hears(Renew())
        web.hears(Renew(None, ticket()))
        effects = web.hears(SpawnFailed(2, "gone"))
        assert spawns([2]) == effects[1:]
        assert web.hears(come(2))[0] == told_spawn(2)


def met(wid: int) -> Exited:
    """Say that a process has ended because its address is in use."""
    return Exited(100 + wid, 1, address_in_use=True)


class TestAnAddressInUse:
    def test_a_plain_reload_says_what_helps_and_the_old_one_stays(self) -> None:
        web = ready_ones(max_retry=1)
        web.hears(Renew(None, ticket()))
        web.hears(come(2))
        why = f"a process exited with 1 before it was ready (1 tries); {ADDRESS_HINT}"
        assert str(broken(web.hears(met(2)))[1]) == why + STAY
        assert web.pids == [101]

    def test_for_a_changed_option_old_ones_go_first(self) -> None:
        web = ready_ones(numprocesses=2, max_retry=1)
        spec = replace(web.state.spec, cmd="other")
        web.hears(Change(spec, ("cmd",), ticket(), renew=True))
        web.hears(come(3), come(4))
        effects = web.hears(met(3), met(4))
        assert effects[-4:] == asked(1, 2)
        assert not broken(effects)
        assert web.hears(end(1))[1:] == spawns([3])
        assert web.hears(end(2))[1:] == spawns([4])
        web.hears(come(3, 7), come(4, 8))
        effects = web.hears(Ready(7), Ready(8))
        assert effects[0] == RELOADED
        assert web.state.spec is spec

    def test_an_address_that_the_old_ones_do_not_hold_brings_the_old_options_back(self) -> None:
        web = ready_ones(max_retry=1)
        old = web.state.spec
        web.hears(Change(replace(old, cmd="other"), ("cmd",), ticket(), renew=True))
        web.hears(come(2))
        assert web.hears(met(2))[1:] == asked(1)
        assert web.hears(end(1))[1:] == spawns([2])
        web.hears(come(2, 7))
        effects = web.hears(Exited(7, 1, address_in_use=True), at=1.0)
        why = "a process exited with 1 before it was ready (1 tries); the old options stay"
        assert str(broken(effects)[1]) == why
        assert web.state.spec.cmd == old.cmd

    def test_with_managed_sockets_no_old_one_has_to_go(self) -> None:
        web = ready_ones(max_retry=1, use_sockets=True)
        spec = replace(web.state.spec, cmd="other")
        web.hears(Change(spec, ("cmd",), ticket(), renew=True))
        web.hears(come(2))
        assert broken(web.hears(met(2)))
        assert web.pids == [101]


class TestNeverReady:
    def test_the_new_ones_go_and_the_old_ones_stay(self) -> None:
        web = ready_ones(numprocesses=2)
        web.hears(Renew(None, ticket()))
        web.hears(come(3), come(4))
        assert wake_at(web.state) == 30.0
        effects = web.hears(Tick(), at=30.0)
        assert effects[0] == failed(LATE)
        assert str(broken(effects)[1]) == LATE + STAY
        assert isinstance(broken(effects)[1], RolloutFailed)
        assert effects[2:] == asked(3, 4)
        web.hears(end(3), end(4))
        assert web.pids == [101, 102]
        assert not web.state.is_replacing
        assert wake_at(web.state) is None

    def test_is_seen_in_the_health_until_the_next_try(self) -> None:
        web = ready_ones(numprocesses=2)
        web.hears(Renew())
        web.hears(come(3), come(4))
        web.hears(Tick(), at=30.0)
        assert health_of(web.state, 30.0).reason == LATE
        web.hears(Renew(), at=40.0)
        assert health_of(web.state, 40.0).reason is None

    def test_those_that_were_ready_keep_the_place_they_took(self) -> None:
        web = ready_ones(numprocesses=2)
        web.hears(Renew())
        web.hears(come(3), come(4))
        assert web.hears(Ready(104)) == asked(1)
        web.hears(end(1))
        assert web.hears(Tick(), at=30.0) == [failed(LATE), *asked(3)]
        web.hears(end(3))
        assert web.pids == [102, 104]

    def test_an_old_one_that_ends_later_is_replaced(self) -> None:
        web = ready_ones()
        web.hears(Renew())
        web.hears(come(2))
        web.hears(Tick(), at=30.0)
        web.hears(end(2))
        assert web.hears(end(1), at=50.0) == [told_reap(1), *spawns([1])]

    def test_one_by_one_leaves_all_but_the_first(self) -> None:
        web = ready_ones(numprocesses=3)
        web.hears(Renew(ONE_BY_ONE, ticket()))
        web.hears(end(1))
        web.hears(come(1, 7))
        effects = web.hears(Tick(), at=30.0)
        assert broken(effects)
        assert web.pids == [7, 102, 103]
        assert signalled(1, pid=7) == effects[2:4], "the new one that is not ready goes"
        assert effects[4:] == spawns([4]), "and the place is filled at once"

    def test_with_nothing_to_go_back_to_it_stays_and_is_taken_as_it_is(self) -> None:
        web = ready_ones(singleton=True)
        web.hears(Renew(None, ticket()))
        web.hears(end(1))
        web.hears(come(1, 103))
        effects = web.hears(Tick(), at=30.0)
        assert effects[0] == failed(LATE)
        assert effects[2:] == [Emit(events.NotReady(NAME, 1, 103))]
        assert web.pids == [103]

    def test_a_rollout_is_over_only_when_the_last_is_ready(self) -> None:
        web = ready_ones(singleton=True)
        web.hears(Renew(None, ticket()))
        web.hears(end(1))
        assert web.hears(come(1, 7)) == [told_spawn(1, 7)]
        assert web.hears(Ready(7))[0] == RELOADED

    def test_a_stop_ends_the_waiting(self) -> None:
        web = ready_ones()
        web.hears(Renew())
        web.hears(come(2))
        web.hears(STOP)
        web.hears(end(1), end(2))
        assert web.hears(Tick(), at=30.0) == []
        assert wake_at(web.state) is None

    def test_the_time_counts_from_the_first_try_not_from_the_last_death(self) -> None:
        web = active(ready=alive(1), ready_timeout=9.0, max_retry=1000)
        web.hears(Renew(None, ticket()), at=0.0)
        now, effects = 0.0, web.hears(come(2, 200))
        for pid in range(200, 260):
            web.hears(end(2, 3, pid=pid), at=now)
            if web.state.slots.waiting:
                now = wake_at(web.state) or now
                effects = web.hears(Tick(), at=now)
            if not web.state.is_replacing:
                break
            web.hears(come(2, pid + 1), at=now)
        assert now == 10.0
        assert (
            str(broken(effects)[1]) == "no process was ready in 9 s; a process exited with 3" + STAY
        )


class TestCrashing:
    @pytest.mark.parametrize(("retries", "deaths"), [(0, 1), (1, 1), (3, 3), (5, 5)])
    def test_ends_the_rollout_after_max_retry_deaths(self, retries: int, deaths: int) -> None:
        web = active(ready=alive(5), max_retry=retries)
        web.hears(Renew(None, ticket()))
        now, effects = 0.0, web.hears(come(2, 200))
        for death in range(deaths):
            assert web.state.is_replacing
            effects = web.hears(end(2, 3, pid=200 + death), at=now)
            if web.state.slots.waiting:
                now = wake_at(web.state) or now
                web.hears(Tick(), at=now)
            if web.state.slots.spawning:
                web.hears(come(2, 201 + death), at=now)
        assert (
            str(broken(effects)[1])
            == f"a process exited with 3 before it was ready ({deaths} tries)" + STAY
        )
        assert web.pids == [101]

    def test_counts_the_deaths_of_each_slot_by_itself(self) -> None:
        web = active(numprocesses=2, ready=alive(5), max_retry=2)
        web.hears(Renew())
        web.hears(come(3), come(4))
        web.hears(end(3), end(4))
        assert web.state.is_replacing

    def test_of_ready_ones_is_no_failure(self) -> None:
        web = active(numprocesses=2, ready=alive(5), max_retry=1)
        web.hears(Renew())
        web.hears(come(3), come(4))
        web.hears(Tick(), at=5.0)
        web.hears(end(3), at=6.0)
        assert web.state.rolling
        assert web.state.rollout_error is None


class TestSpawnThatFails:
    def test_ends_the_rollout_and_leaves_the_old_ones_alone(self) -> None:
        web = active(max_retry=1)
        web.hears(Renew(None, ticket()))
        effects = web.hears(SpawnFailed(2, "no"))
        assert effects[:2] == [told_failure(2, "no", None), failed("no (1 tries)")]
        assert broken(effects)
        assert web.pids == [101]
        assert wake_at(web.state) is None

    def test_with_nothing_older_left_it_is_told_after_three_and_tried_again(self) -> None:
        web = Watcher()
        web.hears(START)
        web.hears(SpawnFailed(1, "no"))
        assert web.hears(Renew(None, ticket()))[-1:] == spawns([2])
        assert web.hears(SpawnFailed(2, "no"))[-1:] == spawns([2])
        assert not broken(web.hears(SpawnFailed(2, "no")))
        assert web.hears(Tick(), at=5.0)[-1:] == spawns([2])
        effects = web.hears(SpawnFailed(2, "no"), at=5.0)
        assert str(broken(effects)[1]) == "no (3 tries); nothing older is left"
        assert wake_at(web.state) is not None

    def test_that_comes_late_is_nothing_to_the_watcher(self) -> None:
        web = ready_ones(numprocesses=2, max_retry=1)
        web.hears(Renew())
        web.hears(SpawnFailed(3, "no"))
        assert web.hears(come(4)) == [told_spawn(4), *asked(4)]
        web.hears(end(4))
        assert web.pids == [101, 102]


class TestOptions:
    def test_that_made_the_rollout_are_taken_back(self) -> None:
        web = ready_ones()
        new = replace(web.state.spec, cmd="broken", graceful_timeout=7.0)
        web.hears(Change(new, ("cmd", "graceful_timeout"), ticket(), renew=True))
        web.hears(come(2))
        effects = web.hears(Tick(), at=30.0)
        assert broken(effects)
        assert Emit(events.OptionUpdated(NAME, "cmd")) in effects
        assert (web.state.spec.cmd, web.state.spec.graceful_timeout) == ("web", 7.0)

    def test_of_the_processes_that_run_count_not_those_in_between(self) -> None:
        web = ready_ones()
        for cmd in ("one", "two"):
            web.hears(Change(replace(web.state.spec, cmd=cmd), ("cmd",), renew=True))
        assert web.hears(come(2)) == [told_spawn(2), *asked(2)]
        assert web.hears(end(2))[1:] == spawns([2])
        web.hears(come(2, 7))
        web.hears(Tick(), at=30.0)
        assert web.state.spec.cmd == "web"
        web.hears(end(2, pid=7))
        assert web.pids == [101]

    def test_that_worked_stay(self) -> None:
        web = ready_ones()
        web.hears(Change(replace(web.state.spec, cmd="new"), ("cmd",), ticket(), renew=True))
        web.hears(come(2))
        web.hears(Ready(102))
        web.hears(end(1))
        web.hears(Renew(), at=50.0)
        web.hears(come(1, 7), at=50.0)
        web.hears(Tick(), at=80.0)
        assert web.state.spec.cmd == "new"

    @pytest.mark.parametrize("wish", [STOP, RESTART])
    def test_stay_when_somebody_stops_the_watcher(self, wish: Any) -> None:
        web = ready_ones()
        web.hears(Change(replace(web.state.spec, cmd="new"), ("cmd",), renew=True))
        web.hears(wish)
        assert (web.state.spec.cmd, web.state.previous_spec) == ("new", None)

    def test_of_a_singleton_are_taken_back_and_it_comes_again(self) -> None:
        web = ready_ones(singleton=True)
        web.hears(Change(replace(web.state.spec, cmd="broken"), ("cmd",), renew=True))
        web.hears(end(1))
        web.hears(come(1, 103))
        web.hears(Tick(), at=30.0)
        assert web.hears(end(1, pid=103), at=31.0)[1:] == spawns([1])
        assert web.state.spec.cmd == "web"

    def test_for_bounds_are_kept_to(self) -> None:
        web = active(numprocesses=4, rollout_surge=Amount(1), ready=alive(5))
        assert web.hears(Renew()) == spawns([5])
        web.hears(come(5))
        assert web.hears(Tick(), at=5.0) == asked(1)
        assert web.hears(end(1), at=6.0)[1:] == spawns([1])


class TestMaxAge:
    def test_an_expired_one_stays_when_its_successor_is_never_ready(self) -> None:
        web = Watcher(ready=NOTIFY, max_age=100.0, max_age_variance=0.0)
        web.hears(START)
        web.hears(come(1), Ready(101))
        assert web.hears(Tick(), at=100.0) == spawns([2])
        web.hears(come(2), at=100.0)
        assert web.hears(Tick(), at=130.0)[1:] == asked(2)
        web.hears(end(2), at=131.0)
        assert web.pids == [101]
        assert wake_at(web.state) == 230.0, "and is tried again after another such time"

    def test_one_that_is_not_ready_by_then_is_in_nobodys_way(self) -> None:
        web = Watcher(numprocesses=2, ready=NOTIFY, max_age=100.0)
        web.hears(START)
        web.hears(come(1), Ready(101), come(2))
        assert web.hears(Tick(), at=30.0) == [Emit(events.NotReady(NAME, 2, 102))]
        web.hears(Tick(), at=100.0)
        web.hears(come(3), come(4), Ready(103), Ready(104), at=101.0)
        gone = [told_reap(wid, reason=ExitReason.EXPIRED) for wid in (1, 2)]
        assert web.hears(end(1), end(2), at=102.0) == gone
