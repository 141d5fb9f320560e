"""Questions to hooks: when each is asked, what waits for it, and what a no does."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.hook_specs import HookSpec
from cvec_circus_core.model.readiness import NOTIFY
from cvec_circus_core.policy.watcher.effects import AskHook, Effect
from cvec_circus_core.policy.watcher.inputs import (
    Go,
    Hasten,
    HookAnswered,
    Renew,
    Resize,
    Tick,
    Wish,
)
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.views import health_of
from tests.policy.table import (
    START,
    STARTED,
    STOP,
    Watcher,
    asked,
    broken,
    come,
    end,
    kept,
    signalled,
    spawns,
    ticket,
    told_end,
    told_failure,
    told_reap,
    told_stop,
)
from tests.policy.test_rollouts import failed

NO = "before_start said no"


def hooked(*names: str, **options: Any) -> Watcher:
    """Return a watcher with some hooks."""
    return Watcher(hooks={name: HookSpec("a.b") for name in names}, **options)


def question(effects: list[Effect], hook: str) -> AskHook:
    """Return the only question to a hook."""
    (questions,) = [
        effect for effect in effects if isinstance(effect, AskHook) and effect.hook == hook
    ]
    return questions


def yes(asked_: AskHook) -> HookAnswered:
    """Let it be."""
    return HookAnswered(asked_.serial, asked_.wid, allowed=True)


def no(asked_: AskHook, why: str = NO) -> HookAnswered:
    """Do not let it be."""
    return HookAnswered(asked_.serial, asked_.wid, allowed=False, why=why)


class TestBeforeStart:
    def test_nothing_starts_before_the_answer(self) -> None:
        web = hooked("before_start", numprocesses=2)
        asks = question(web.hears(START), "before_start")
        assert web.state.status.value == "starting"
        assert wake_at(web.state) is None
        assert web.hears(Tick()) == []
        assert web.hears(yes(asks)) == spawns([1, 2])

    def test_a_no_leaves_it_stopped_and_says_why(self) -> None:
        web = hooked("before_start")
        asks = question(web.hears(START), "before_start")
        assert web.hears(no(asks)) == [told_end(NO)]
        assert web.state.gave_up

    def test_a_stop_does_not_wait_for_it_and_the_late_answer_means_nothing(self) -> None:
        web = hooked("before_start")
        asks = question(web.hears(START), "before_start")
        assert web.hears(STOP) == [told_stop()]
        assert web.hears(yes(asks)) == []
        again = question(web.hears(START), "before_start")
        assert web.hears(no(asks)) == []
        assert web.hears(yes(again)) == spawns([1])


class TestAfterStart:
    def test_it_is_active_after_the_answer(self) -> None:
        web = hooked("after_start")
        web.hears(START)
        asks = question(web.hears(come(1)), "after_start")
        assert web.state.status.value == "starting"
        assert web.hears(yes(asks)) == [STARTED]

    def test_a_no_stops_it_again(self) -> None:
        web = hooked("after_start")
        web.hears(START)
        asks = question(web.hears(come(1)), "after_start")
        assert web.hears(no(asks, "not good")) == asked(1)
        assert web.hears(end(1))[-1] == told_end("not good")


class TestBeforeSpawn:
    def test_each_process_is_asked_about(self) -> None:
        web = hooked("before_spawn", numprocesses=2)
        assert [hear.wid for hear in web.hears(START) if isinstance(hear, AskHook)] == [1, 2]

    def test_a_no_makes_this_one_wait_and_the_others_come(self) -> None:
        web = hooked("before_spawn", numprocesses=2)
        first, second = web.hears(START)
        assert isinstance(first, AskHook)
        assert isinstance(second, AskHook)
        effects = web.hears(no(first, "not now"), yes(second))
        assert effects == [told_failure(1, "not now", 0.1), *spawns([2])]
        web.hears(come(2))
        again = question(web.hears(Tick(), at=0.1), "before_spawn")
        assert web.hears(no(again, "not now"), at=0.2)[0] == told_failure(1, "not now", 0.2)
        assert web.state.status.value == "starting"

    def test_who_waits_for_the_start_is_told_of_a_no_and_it_goes_on(self) -> None:
        web = hooked("before_spawn")
        asks = question(web.hears(Wish(Go.START, ticket())), "before_spawn")
        effects = web.hears(no(asks, "not now"))
        assert str(broken(effects)[1]) == "not now; it is asked again"
        again = question(web.hears(Tick(), at=0.1), "before_spawn")
        assert web.hears(yes(again)) == spawns([1])
        assert STARTED in web.hears(come(1))

    @pytest.mark.parametrize("wish", [STOP, Resize(0)])
    def test_nobody_is_started_who_is_not_wanted_any_more(self, wish: Any) -> None:
        web = hooked("before_spawn")
        asks = question(web.hears(START), "before_spawn")
        assert web.hears(yes(asks), wish)[0:1] != spawns([1])
        assert not web.state.slots.by_wid

    def test_a_stop_does_not_wait_for_it(self) -> None:
        web = hooked("before_spawn")
        web.hears(START)
        assert web.hears(STOP) == [told_stop()]


class TestAfterSpawn:
    def test_a_no_stops_the_watcher(self) -> None:
        web = hooked("after_spawn", numprocesses=2)
        web.hears(START)
        asks = question(web.hears(come(1)), "after_spawn")
        web.hears(come(2))
        assert web.hears(no(asks, "bad")) == asked(1, 2)
        web.hears(end(1))
        assert web.hears(end(2))[-1] == told_end("bad")

    def test_a_no_costs_no_process_that_is_well_anything(self) -> None:
        web = hooked("after_spawn", numprocesses=2)
        web.hears(START)
        for wid in (1, 2):
            web.hears(yes(question(web.hears(come(wid)), "after_spawn")))
        web.hears(end(2, -9), at=50.0)
        wid, pid, now, pauses = 2, 102, 50.0, []
        for _ in range(5):
            pid += 1
            asks = question(web.hears(come(wid, pid), at=now), "after_spawn")
            effects = web.hears(no(asks, "bad"), at=now)
            assert effects[: len(signalled(wid, pid=pid))] == signalled(wid, pid=pid)
            web.hears(end(wid, -15, pid=pid), at=now)
            (wid,) = web.state.slots.waiting
            pauses.append(round((wake_at(web.state) or now) - now, 6))
            now += pauses[-1]
            web.hears(Tick(), at=now)
            assert 101 in web.pids
        assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6]
        assert health_of(web.state, now).reason == "bad"

    def test_who_waits_for_the_start_waits_for_the_answer(self) -> None:
        for says in (yes, no):
            web = hooked("after_spawn")
            web.hears(Wish(Go.START, ticket()))
            effects = web.hears(come(1))
            assert STARTED not in effects
            assert web.state.status.value == "starting"
            effects = web.hears(says(question(effects, "after_spawn")))
            if says is no:
                assert str(broken(effects)[1]) == NO
            else:
                assert effects == [STARTED, kept(started=(101,))]

    def test_an_old_process_waits_for_the_answer(self) -> None:
        web = hooked("after_spawn")
        web.hears(START)
        web.hears(yes(question(web.hears(come(1)), "after_spawn")))
        web.hears(Renew())
        asks = question(web.hears(come(2)), "after_spawn")
        assert web.pids == [101, 102]
        assert web.hears(yes(asks)) == asked(1)

    def test_a_no_in_a_rollout_keeps_the_old_one(self) -> None:
        web = hooked("after_spawn")
        web.hears(START)
        web.hears(yes(question(web.hears(come(1)), "after_spawn")))
        web.hears(Renew(None, ticket()))
        asks = question(web.hears(come(2)), "after_spawn")
        effects = web.hears(no(asks, "bad"))
        assert effects[0] == failed("bad")
        assert broken(effects)
        assert effects[2:] == asked(2)
        assert web.hears(end(2))[0] == told_reap(2, reason=ExitReason.STOPPED)
        assert web.pids == [101]

    def test_nobody_waits_for_the_answer_about_one_that_was_old_meanwhile(self) -> None:
        web = hooked("after_spawn", ready_timeout=5.0, ready=NOTIFY)
        web.hears(Wish(Go.START, ticket()))
        web.hears(come(1))
        web.hears(Renew())
        web.hears(come(2))
        # The rollout fails, and the old one is up to date again, whatever is said of it.
        effects = web.hears(Tick(), at=5.0)
        assert STARTED in effects
        assert kept(started=(101, 102)) in effects

    def test_of_a_process_that_has_gone_means_nothing(self) -> None:
        web = hooked("after_spawn")
        web.hears(START)
        asks = question(web.hears(come(1)), "after_spawn")
        web.hears(end(1))
        assert web.hears(no(asks)) == []
        assert web.state.status.value == "active"


class TestBeforeStop:
    def test_nobody_is_asked_to_go_before_the_answer(self) -> None:
        web = hooked("before_stop")
        web.hears(START)
        web.hears(come(1))
        asks = question(web.hears(STOP), "before_stop")
        assert web.state.status.value == "stopping"
        assert web.hears(no(asks)) == asked(1)

    def test_one_in_a_hurry_does_not_wait(self) -> None:
        web = hooked("before_stop")
        web.hears(START)
        web.hears(come(1))
        web.hears(STOP)
        assert web.hears(Hasten()) == asked(1)

    def test_it_is_asked_once_per_run(self) -> None:
        web = hooked("before_stop")
        for pid in (101, 102):
            web.hears(START)
            web.hears(come(1, pid))
            asks = question(web.hears(STOP), "before_stop")
            assert web.hears(STOP) == []
            web.hears(yes(asks))
            web.hears(end(1, pid=pid))
            assert web.state.status.value == "stopped"

    def test_is_not_asked_where_nothing_runs(self) -> None:
        web = hooked("before_stop", numprocesses=0)
        web.hears(START)
        assert web.hears(STOP) == [told_stop()]
