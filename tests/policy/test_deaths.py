"""Deaths and spawns that fail: how soon the next try is, and when there is none."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.events import WatcherStopped
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.readiness import NOTIFY, alive
from cvec_circus_core.model.values import replace
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.backoff import expiry, is_quick, pause_after
from cvec_circus_core.policy.watcher.effects import Effect, Emit, Spawn
from cvec_circus_core.policy.watcher.inputs import (
    Change,
    Go,
    Renew,
    Resize,
    Retire,
    SpawnFailed,
    Tick,
    Wish,
)
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.rollout import NEW_BEFORE_OLD
from cvec_circus_core.policy.watcher.views import health_of, view_of
from tests.policy.table import (
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
    spawns,
    ticket,
    told_end,
    told_failure,
    told_reap,
    told_spawn,
    told_stop,
)

SPENT = "all processes have ended, respawn is off"
DONE = "all processes have ended"
PAUSES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0)


class TestBackOff:
    def test_doubles_from_the_second_death_in_a_row_up_to_a_minute(self) -> None:
        web, now = active(), 100.0
        pauses = []
        for life in range(len(PAUSES)):
            effects = web.hears(end(1, 1, pid=web.pids[0]), at=now)
            at = wake_at(web.state)
            pauses.append(0.0 if at is None else round(at - now, 6))
            if at is not None:
                assert spawns([1]) == web.hears(Tick(), at=at)
                now = at
            else:
                assert effects[-1:] == spawns([1])
            web.hears(come(1, 200 + life), at=now)
        assert tuple(pauses) == PAUSES

    def test_goes_on_for_one_that_dies_after_a_second_for_ever(self) -> None:
        web, now, pauses = active(ready=alive(0.5)), 0.0, []
        for pid in range(101, 113):
            now += 1.2
            web.hears(Tick(), at=now)
            web.hears(end(1, 1, pid=pid), at=now)
            pauses.append(round((wake_at(web.state) or now) - now, 6))
            now += pauses[-1]
            web.hears(Tick(), at=now)
            web.hears(come(1, pid + 1), at=now)
            if len(pauses) > 2:
                view = view_of(web.state, now)
                assert (view.status, view.health.reason) == (
                    WatcherStatus.STARTING,
                    "a process exited with 1",
                ), "while it runs, too"
        assert tuple(pauses) == PAUSES[:12]

    @pytest.mark.parametrize(
        ("lived", "options", "is_forgotten"),
        [
            (9.9, {}, False),
            (10.0, {}, True),
            (2.0, {"stable_after": 2.0}, True),
            (60.0, {"ready": NOTIFY, "ready_timeout": 90.0}, False),
        ],
    )
    def test_starts_over_after_a_stable_life(
        self, lived: float, options: dict[str, Any], is_forgotten: bool
    ) -> None:
        web, born_at = active(**options), {101: 7, 7: 8, 8: 9}
        now = 0.0
        for pid, successor in born_at.items():
            web.hears(end(1, 1, pid=pid), at=now)
            now = (wake_at(web.state) or now) if web.state.slots.waiting else now
            web.hears(Tick(), at=now)
            web.hears(come(1, successor), at=now)
        effects = web.hears(end(1, 1, pid=9), at=now + lived)
        assert (effects[-1:] == spawns([1])) is is_forgotten
        assert bool(web.state.slots.waiting) is not is_forgotten

    def test_is_not_shown_any_more_once_the_process_is_stable(self) -> None:
        web = active()
        web.hears(end(1, 1))
        web.hears(come(1, 7))
        web.hears(end(1, 1, pid=7))
        web.hears(Tick(), at=0.1)
        web.hears(come(1, 8), at=0.1)
        assert health_of(web.state, 0.1).reason == "a process exited with 1"
        assert wake_at(web.state) == 10.1
        web.hears(Tick(), at=10.1)
        assert health_of(web.state, 10.1).reason is None
        assert view_of(web.state, 10.1).status is WatcherStatus.ACTIVE
        assert wake_at(web.state) is None

    def test_is_not_begun_by_normal_exits(self) -> None:
        web = active()
        for pid in range(101, 140):
            at = 1.5 * (pid - 100)
            assert web.hears(end(1, 0, pid=pid), at=at)[-1:] == spawns([1])
            web.hears(come(1, pid + 1), at=at)

    def test_of_a_normal_exit_that_is_quick_grows_and_is_never_the_end(self) -> None:
        web, now = active(max_retry=2), 0.0
        for pid in range(101, 140):
            web.hears(end(1, 0, pid=pid), at=now)
            now = wake_at(web.state) or now
            web.hears(Tick(), at=now)
            web.hears(come(1, pid + 1), at=now)
        assert web.state.status is WatcherStatus.ACTIVE
        assert now > 60.0 * 20

    def test_is_cut_short_by_a_start_and_goes_on_growing(self) -> None:
        web = active()
        web.hears(end(1, 1))
        web.hears(come(1, 7))
        web.hears(end(1, 1, pid=7))
        assert web.hears(START, at=0.01) == spawns([1])
        web.hears(come(1, 8), at=0.01)
        web.hears(end(1, 1, pid=8), at=0.01)
        assert wake_at(web.state) == pytest.approx(0.21)

    def test_is_counted_per_slot(self) -> None:
        web = active(numprocesses=2)
        web.hears(end(1))
        web.hears(come(1, 7))
        assert web.hears(end(1, pid=7)) == [told_reap(1, pid=7)]
        assert web.hears(end(2)) == [told_reap(2), *spawns([2])]

    def test_is_forgotten_by_a_reload(self) -> None:
        web = active()
        web.hears(end(1))
        web.hears(come(1, 7))
        web.hears(end(1, pid=7))
        assert web.hears(Renew(NEW_BEFORE_OLD, ticket())) == spawns([1])
        assert web.hears(come(1, 8))[-1] == kept(started=(8,))

    @pytest.mark.parametrize(
        ("options", "pauses"),
        [
            ({}, PAUSES),
            ({"retry_pause": 0.0}, (0.0,) * 13),
            ({"retry_pause": 3.0, "retry_pause_max": 7.0}, (0.0, 3.0, 6.0, 7.0, 7.0)),
        ],
    )
    def test_is_tunable(self, options: dict[str, float], pauses: tuple[float, ...]) -> None:
        spec = Watcher(**options).state.spec
        assert tuple(pause_after(count + 1, spec) for count in range(len(pauses))) == pauses

    def test_never_overflows(self) -> None:
        assert pause_after(10**6, Watcher().state.spec) == 60.0

    @pytest.mark.parametrize(("lived", "quick"), [(0.0, True), (0.999, True), (1.0, False)])
    def test_calls_a_life_quick(self, lived: float, quick: bool) -> None:
        assert is_quick(lived, Watcher().state.spec) is quick


class TestSpawnThatFails:
    def test_is_tried_again_and_then_given_up_with_the_reason(self) -> None:
        web = Watcher(max_retry=3)
        web.hears(Wish(Go.START, ticket()))
        no = SpawnFailed(1, "no such file")
        assert web.hears(no) == [told_failure(1, "no such file", 0.0), *spawns([1])]
        assert web.hears(no) == [told_failure(1, "no such file", 0.1)]
        assert wake_at(web.state) == 0.1
        assert web.hears(Tick(), at=0.1) == spawns([1])
        effects = web.hears(no, at=0.1)
        assert effects[0] == told_failure(1, "no such file", None)
        assert str(broken(effects)[1]) == "no such file (3 tries)"
        assert effects[2:] == [told_end("no such file (3 tries)")]

    def test_costs_no_other_process_anything(self) -> None:
        web = active(numprocesses=3, max_retry=3)
        assert web.hears(end(2, -9), at=50.0)[-1:] == spawns([2])
        now, pauses = 50.0, []
        for _ in range(12):
            web.hears(SpawnFailed(2, "not executable"), at=now)
            pauses.append(round((wake_at(web.state) or now) - now, 6))
            now += pauses[-1]
            if pauses[-1]:
                assert web.hears(Tick(), at=now) == spawns([2])
            assert web.pids == [101, 103]
        assert pauses == [*PAUSES[1:12], 60.0]
        health = health_of(web.state, now)
        assert (health.running, health.wanted, health.reason) == (2, 3, "not executable")
        assert web.hears(come(2), at=now) == [told_spawn(2)]
        assert health_of(web.state, now).reason is None, "it runs"

    def test_is_given_up_where_that_is_wanted_once_no_other_is_left(self) -> None:
        web = active(numprocesses=2, max_retry=2)
        web.hears(end(2, 1), at=50.0)
        for now in (50.0, 50.1, 50.3):
            web.hears(SpawnFailed(2, "no"), at=now)
            web.hears(Tick(), at=(wake_at(web.state) or now))
        assert web.pids == [101]
        web.hears(end(1, 1), at=51.0)
        assert told_end("no (4 tries)") in web.hears(
            SpawnFailed(1, "no"), SpawnFailed(2, "no"), at=52.0
        )

    def test_for_want_of_room_never_counts(self) -> None:
        web, now = Watcher(max_retry=1), 0.0
        web.hears(Wish(Go.START, ticket()))
        refusals = []
        for _ in range(40):
            effects = web.hears(SpawnFailed(1, "too many processes", shortage=True), at=now)
            refusals += [str(error) for error in broken(effects).values()]
            now = wake_at(web.state) or now
            web.hears(Tick(), at=now)
        assert refusals == ["too many processes (3 tries); it is tried again"]
        assert web.hears(come(1), at=now)[:2] == [told_spawn(1), STARTED]

    def test_more_of_them_under_a_limit_leave_those_that_are_well(self) -> None:
        web = active(numprocesses=3, max_retry=1)
        spawned = web.hears(Resize(103, ticket()), at=1.0)
        refused = [
            SpawnFailed(effect.wid, "no more", shortage=True)
            for effect in spawned
            if isinstance(effect, Spawn)
        ]
        for _ in range(6):
            web.hears(*refused, at=1.0)
            refused = [
                SpawnFailed(wid, "no more", shortage=True) for wid in web.state.slots.spawning
            ]
        assert web.pids == [101, 102, 103]
        assert health_of(web.state, 1.0).reason == "no more"

    def test_is_told_to_those_who_wait_though_it_goes_on(self) -> None:
        web, now, told = Watcher(), 0.0, []
        web.hears(Wish(Go.START, ticket()))
        for _ in range(7):
            told.append(broken(web.hears(SpawnFailed(1, "no"), at=now)))
            now = wake_at(web.state) or now
            web.hears(Tick(), at=now)
        assert [str(error) for errors in told for error in errors.values()] == [
            "no (3 tries); it is tried again"
        ]
        assert web.state.slots.spawning

    @pytest.mark.parametrize(("max_retry", "tries"), [(0, 1), (1, 1), (2, 2), (5, 5)])
    def test_is_tried_so_often(self, max_retry: int, tries: int) -> None:
        web = Watcher(max_retry=max_retry)
        web.hears(START)
        count = 0
        while web.state.status is not WatcherStatus.STOPPED:
            web.hears(SpawnFailed(1, "no"), at=float(count * 20))
            web.hears(Tick(), at=float(count * 20 + 19))
            count += 1
        assert count == tries

    def test_is_tried_for_ever_without_a_limit_and_with_pauses(self) -> None:
        web, now = Watcher(max_retry=-1), 0.0
        web.hears(START)
        for _ in range(100):
            web.hears(SpawnFailed(1, "no"), at=now)
            now = wake_at(web.state) or now
            web.hears(Tick(), at=now)
        assert web.state.slots.spawning
        assert now > 800.0

    def test_counts_anew_after_a_success(self) -> None:
        web = active(max_retry=2)
        for pid in (101, 7, 8):
            web.hears(end(1, pid=pid), at=50.0)
            web.hears(SpawnFailed(1, "no"), at=50.0)
            web.hears(Tick(), at=70.0)
            assert web.hears(come(1, pid + 1 if pid < 101 else 7), at=70.0)
        assert web.state.status is WatcherStatus.ACTIVE

    def test_keeps_the_pause_of_quick_deaths(self) -> None:
        web = active()
        web.hears(end(1))
        web.hears(come(1, 7))
        web.hears(end(1, pid=7))
        web.hears(Tick(), at=0.1)
        assert web.hears(SpawnFailed(1, "no"), at=0.1) == [told_failure(1, "no", 0.2)]

    def test_does_give_up_in_a_reload_when_the_old_ones_are_gone(self) -> None:
        web = active(max_retry=2)
        web.hears(Renew(NEW_BEFORE_OLD))
        web.hears(SpawnFailed(2, "no"))
        web.hears(end(1))
        web.hears(SpawnFailed(2, "no"))
        assert web.state.status is WatcherStatus.STOPPED


def told_failure_of_all(reason: str, *, fatal: bool = False) -> Emit:
    return Emit(WatcherStopped("web", reason, gave_up=True, fatal=fatal))


def die(web: Watcher, wid: int, now: float, times: int) -> tuple[list[Effect], float]:
    """Let the process of a slot die so often in a row; return what followed on the last death."""
    effects: list[Effect] = []
    for _ in range(times):
        now = max(now, wake_at(web.state) or now)
        if web.state.slots.waiting:
            web.hears(Tick(), at=now)
        if wid in web.state.slots.spawning:
            web.hears(come(wid), at=now)
        effects = web.hears(end(wid, 1), at=now)
    return effects, now


class TestOnFailure:
    @pytest.mark.parametrize(("limit", "deaths"), [(-1, 5), (0, 1), (1, 1), (2, 2), (7, 7)])
    @pytest.mark.parametrize(("on_failure", "fatal"), [("stop", False), ("exit", True)])
    def test_gives_up_after_so_many_deaths(
        self, limit: int, deaths: int, on_failure: str, fatal: bool
    ) -> None:
        web = active(max_retry=limit, on_failure=on_failure)
        _, now = die(web, 1, 0.0, deaths - 1)
        assert web.state.status is WatcherStatus.ACTIVE
        effects, _ = die(web, 1, now, 1)
        why = f"a process exited with 1 ({deaths} times in a row)"
        assert effects == [told_reap(1, 1), told_failure_of_all(why, fatal=fatal)]
        assert wake_at(web.state) is None

    @pytest.mark.parametrize(("on_failure", "fatal"), [("stop", False), ("exit", True)])
    def test_gives_up_after_so_many_tries_to_start(self, on_failure: str, fatal: bool) -> None:
        web, now = Watcher(on_failure=on_failure), 0.0
        web.hears(START)
        for _ in range(4):
            web.hears(SpawnFailed(1, "no"), at=now)
            now = wake_at(web.state) or now
            web.hears(Tick(), at=now)
        assert web.hears(SpawnFailed(1, "no"), at=now)[-1] == told_failure_of_all(
            "no (5 tries)", fatal=fatal
        )

    def test_spares_a_watcher_that_has_a_process(self) -> None:
        web = active(numprocesses=2, on_failure="exit")
        _, now = die(web, 2, 0.0, 12)
        assert (web.state.status, web.pids) == (WatcherStatus.ACTIVE, [101])
        web.hears(end(1, 1), at=now)
        assert web.state.slots.under_way == 1, "the first has hope"
        rounds = 0
        while web.state.status is WatcherStatus.ACTIVE:
            rounds += 1
            for wid in tuple(web.state.slots.spawning):
                web.hears(come(wid), at=now)
                web.hears(end(wid, 1), at=now)
            now = max(now, wake_at(web.state) or now)
            web.hears(Tick(), at=now)
        assert (web.state.fatal, rounds) == (True, 4)

    def test_counts_only_in_a_row(self) -> None:
        web, now = active(max_retry=2, on_failure="exit"), 0.0
        for _ in range(9):
            _, now = die(web, 1, now, 1)
            now += 100.0
            web.hears(Tick(), come(1), at=now)
            now += 100.0
            web.hears(Tick(), at=now)
        assert web.state.status is WatcherStatus.ACTIVE

    def test_counts_neither_normal_exits_nor_a_machine_without_room(self) -> None:
        web, now = active(max_retry=2, on_failure="exit"), 0.0
        for pid in range(101, 120):
            web.hears(end(1, 0, pid=pid), at=now)
            now = wake_at(web.state) or now
            web.hears(Tick(), at=now)
            web.hears(SpawnFailed(1, "too many processes", shortage=True), at=now)
            now = wake_at(web.state) or now
            web.hears(Tick(), at=now)
            web.hears(come(1, pid + 1), at=now)
        web.hears(end(1, 1, pid=120), at=now)
        assert web.state.status is WatcherStatus.ACTIVE

    def test_leaves_a_rollout_to_its_own_rules(self) -> None:
        web = active(max_retry=1, on_failure="exit", ready=alive(5))
        web.hears(Renew(NEW_BEFORE_OLD))
        web.hears(come(2))
        web.hears(end(2, 1), at=1.0)
        assert (web.state.status, web.pids) == (WatcherStatus.ACTIVE, [101])

    @pytest.mark.parametrize(
        ("codes", "reason", "gave_up"),
        [
            ((0, 0), DONE, False),
            ((3, 0), "a process exited with 3, and respawn is off", True),
            ((0, -9), "a process was ended by SIGKILL, and respawn is off", True),
        ],
    )
    def test_judges_ends_where_respawn_is_off(
        self, codes: tuple[int, int], reason: str, gave_up: bool
    ) -> None:
        web = active(numprocesses=2, respawn=False, on_failure="exit")
        web.hears(end(1, codes[0]), at=50.0)
        effects = web.hears(end(2, codes[1]), at=50.0)
        assert effects[-1] == Emit(WatcherStopped("web", reason, gave_up, fatal=gave_up))

    def test_forgets_ends_of_an_earlier_run(self) -> None:
        web = active(respawn=False, on_failure="stop")
        web.hears(end(1, 3), at=50.0)
        web.hears(START, at=51.0)
        web.hears(come(1, 7), at=51.0)
        assert web.hears(end(1, 0, pid=7), at=60.0)[-1] == told_stop(DONE)

    @pytest.mark.parametrize("for_good", [True, False])
    def test_follows_on_a_stop_for_good_alone(self, for_good: bool) -> None:
        web = active(on_failure="exit")
        web.hears(Wish(Go.STOP, reason="it flaps", for_good=for_good))
        assert web.hears(end(1, -15))[-1] == told_failure_of_all("it flaps", fatal=for_good)


class TestUnexpectedEnds:
    def test_a_normal_end_is_the_end(self) -> None:
        web = active(numprocesses=2, respawn="unexpected", exit_codes=(0, 2))
        assert web.hears(end(1, 2), at=50.0) == [told_reap(1, 2)]
        assert web.state.target == 1
        assert web.hears(end(2), at=60.0) == [told_reap(2), told_stop(DONE)]
        health = health_of(web.state, 60.0)
        assert (health.completed, health.reason, health.wanted) == (True, None, 0)

    @pytest.mark.parametrize("code", [1, -9, None])
    def test_all_others_are_replaced(self, code: int | None) -> None:
        web = active(respawn="unexpected")
        effects = web.hears(end(1, code), at=50.0)
        assert effects[1:] == spawns([1])
        assert not health_of(web.state, 50.0).completed

    def test_one_that_is_killed_by_hand_comes_back(self) -> None:
        web = active(respawn="unexpected")
        effects = [*web.hears(Retire((101,))), *web.hears(end(1))]
        assert spawns([2])[0] in effects
        assert web.state.target == 1

    def test_what_has_ended_stays_so_where_respawn_is_turned_off(self) -> None:
        web = active(numprocesses=2, respawn="unexpected")
        web.hears(end(1), at=50.0)
        assert web.hears(Change(replace(web.state.spec, respawn=False), ())) == []
        assert web.hears(Change(replace(web.state.spec, respawn=True), ())) == spawns([1])

    def test_a_normal_end_of_another_code_is_none_without_respawn(self) -> None:
        web = active(respawn=False, exit_codes=(3,))
        web.hears(end(1, 3), at=50.0)
        assert health_of(web.state, 50.0).completed
        web = active(respawn=False, exit_codes=(3,), on_failure="stop")
        why = "a process exited with 0, and respawn is off"
        assert web.hears(end(1), at=50.0)[-1] == told_failure_of_all(why)


class TestWithoutRespawn:
    def test_it_stops_by_itself_when_the_last_has_ended(self) -> None:
        web = active(numprocesses=2, respawn=False)
        assert web.hears(end(1)) == [told_reap(1)]
        assert web.hears(end(2, 1)) == [told_reap(2, 1), told_stop(SPENT)]

    def test_a_start_launches_all_again(self) -> None:
        web = active(numprocesses=2, respawn=False)
        web.hears(end(1), end(2))
        assert web.hears(START) == spawns([1, 2])

    def test_a_start_while_up_launches_what_has_ended(self) -> None:
        web = active(numprocesses=2, respawn=False)
        web.hears(end(1))
        assert web.hears(START) == spawns([1])

    def test_a_run_that_is_over_in_one_batch_keeps_its_promise(self) -> None:
        web = Watcher(respawn=False)
        web.hears(Wish(Go.START, ticket()))
        assert web.hears(come(1), end(1)) == [
            told_spawn(1),
            told_reap(1),
            STARTED,
            kept(),
            told_stop(DONE),
        ]

    def test_one_that_is_killed_by_hand_does_not_come_back(self) -> None:
        web = active(numprocesses=2, respawn=False)
        assert web.hears(Retire((101,))) == asked(1)
        assert web.hears(end(1)) == [told_reap(1, reason=ExitReason.STOPPED)]

    def test_one_that_expires_does_not_come_back(self) -> None:
        web = active(respawn=False, max_age=5.0)
        assert web.hears(Tick(), at=5.0) == asked(1)
        assert web.hears(end(1), at=6.0) == [
            told_reap(1, reason=ExitReason.EXPIRED),
            told_stop(SPENT),
        ]

    @pytest.mark.parametrize(
        ("count", "effects"), [(2, []), (1, []), (0, asked(3)), (4, spawns([1]))]
    )
    def test_a_resize_counts_from_those_that_are_left(
        self, count: int, effects: list[object]
    ) -> None:
        web = active(numprocesses=3, respawn=False)
        web.hears(end(1), end(2))
        assert web.hears(Resize(count)) == effects

    def test_turning_it_off_stops_nobody_and_drops_those_who_wait(self) -> None:
        web = active(numprocesses=2)
        web.hears(end(1))
        web.hears(come(1, 7))
        web.hears(end(1, pid=7))
        off = replace(web.state.spec, respawn=False)
        assert [type(hear).__name__ for hear in web.hears(Change(off, ()))] == []
        assert wake_at(web.state) is None
        assert web.pids == [102]

    def test_turning_it_on_and_off_again_stops_nobody(self) -> None:
        web = active(numprocesses=2, respawn=False)
        web.hears(end(1))
        on = replace(web.state.spec, respawn=True)
        assert web.hears(Change(on, ())) == spawns([1])
        web.hears(come(1, 7))
        assert web.hears(Change(replace(on, respawn=False), ())) == []


@pytest.mark.parametrize(
    ("code", "note"),
    [
        (3, "a process exited with 3"),
        (-9, "a process was ended by SIGKILL"),
        (None, "a process ended, its exit status is not known"),
    ],
)
def test_the_reason_tells_how_the_last_one_ended(code: int | None, note: str) -> None:
    web = active()
    web.hears(end(1, code))
    assert web.state.reason == note
    assert web.state.last_exit == code
    assert web.state.restarts == 1


@pytest.mark.parametrize(("chance", "at"), [(0.0, 110.0), (0.5, 112.5), (1.0, 115.0)])
def test_the_age_limit_is_drawn_between_max_age_and_variance(chance: float, at: float) -> None:
    spec = Watcher(max_age=10.0, max_age_variance=5.0).state.spec
    assert expiry(100.0, chance, spec) == at


def test_without_max_age_nobody_expires() -> None:
    assert expiry(100.0, 1.0, Watcher().state.spec) is None


def test_a_stop_during_the_pause_is_done_at_once() -> None:
    web = Watcher(max_retry=-1)
    web.hears(START)
    web.hears(SpawnFailed(1, "no"))
    web.hears(SpawnFailed(1, "no"))
    assert web.hears(STOP) == [told_stop()]
