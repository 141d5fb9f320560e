"""Deaths and spawns that fail: how soon the next try is, and when there is none."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.values import replace
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.backoff import expiry, is_quick, pause_after
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
PAUSES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0)


class TestBackOff:
    def test_doubles_from_the_second_quick_death_up_to_ten_seconds(self) -> None:
        web, now = active(), 100.0
        seen = []
        for life in range(len(PAUSES)):
            effects = web.hears(end(1, pid=web.pids[0]), at=now)
            at = wake_at(web.state)
            seen.append(0.0 if at is None else round(at - now, 6))
            if at is not None:
                assert spawns([1]) == web.hears(Tick(), at=at)
                now = at
            else:
                assert effects[-1:] == spawns([1])
            web.hears(come(1, 200 + life), at=now)
        # The first life began at 0 and was long: it does not count.
        assert tuple(seen) == (0.0, *PAUSES[:-1])

    def test_starts_over_after_a_long_life(self) -> None:
        web = active()
        for pid in (101, 7, 8):
            web.hears(end(1, pid=pid))
            web.hears(Tick(), at=wake_at(web.state) or 0.0)
            web.hears(come(1, {101: 7, 7: 8, 8: 9}[pid]))
        assert web.hears(end(1, pid=9), at=5.0) == [told_reap(1, pid=9), *spawns([1])]
        web.hears(come(1, 10), at=5.0)
        assert web.hears(end(1, pid=10), at=5.5)[-1:] == spawns([1])

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
            ({"retry_pause": 0.0}, (0.0,) * 10),
            ({"retry_pause": 3.0, "retry_pause_max": 7.0}, (0.0, 3.0, 6.0, 7.0, 7.0)),
        ],
    )
    def test_is_tunable(self, options: dict[str, float], pauses: tuple[float, ...]) -> None:
        spec = Watcher(**options).state.spec
        assert tuple(pause_after(count + 1, spec) for count in range(len(pauses))) == pauses

    def test_never_overflows(self) -> None:
        assert pause_after(10**6, Watcher().state.spec) == 10.0

    @pytest.mark.parametrize(("lived", "quick"), [(0.0, True), (0.999, True), (1.0, False)])
    def test_calls_a_life_quick(self, lived: float, quick: bool) -> None:
        assert is_quick(lived, Watcher().state.spec) is quick


class TestSpawnThatFails:
    def test_is_tried_again_and_then_given_up_with_the_reason(self) -> None:
        web = Watcher(numprocesses=2, max_retry=3)
        web.hears(Wish(Go.START, ticket()))
        web.hears(come(2))
        no = SpawnFailed(1, "no such file")
        assert web.hears(no) == [told_failure(1, "no such file", 0.0), *spawns([1])]
        assert web.hears(no) == [told_failure(1, "no such file", 0.1)]
        assert wake_at(web.state) == 0.1
        assert web.hears(Tick(), at=0.1) == spawns([1])
        effects = web.hears(no, at=0.1)
        assert effects[0] == told_failure(1, "no such file", None)
        assert effects[2:] == asked(2)
        assert str(broken(effects)[1]) == "no such file (3 tries)"
        assert web.hears(end(2)) == [
            told_reap(2, reason=ExitReason.STOPPED),
            told_end("no such file (3 tries)"),
        ]

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
            told_stop(SPENT),
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
