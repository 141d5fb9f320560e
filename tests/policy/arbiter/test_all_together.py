"""Start, stop, reload, restart and quit of all watchers: who is asked when, and what is told."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.errors import GaveUp, Superseded
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.arbiter.effects import (
    AskId,
    AwaitHooks,
    CloseWatcher,
    ForgetWatcher,
    HastenWatcher,
    ReloadWatcher,
)
from cvec_circus_core.policy.arbiter.inputs import (
    ArbiterInput,
    HastenAll,
    Quit,
    ReloadAll,
    RemoveWatcher,
    RestartAll,
    StartAll,
    StopAll,
    Troubled,
    Wished,
)
from cvec_circus_core.policy.arbiter.machine import wake_at
from cvec_circus_core.policy.config_steps import Condition
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Go, Tick
from tests.policy.arbiter.table import (
    Watchers,
    answer,
    errors,
    kept,
    spec,
    starts,
    stops,
    ticket,
    wish,
)

THREE = (spec("web", 1), spec("Db", 5), spec("cache", 5))


class TestStart:
    def test_goes_group_by_group_equal_ones_side_by_side(self) -> None:
        all_ = Watchers(*THREE, spec("never", 9, autostart=False))
        assert all_.hears(StartAll(ticket())) == starts({"cache": 1, "db": 2})
        assert all_.hears(answer(2)) == []
        assert all_.hears(answer(1, Done(started=(7,)))) == starts({"web": 3})
        assert all_.hears(answer(3, Done(started=(9,)))) == [kept(started=(7, 9))]
        assert all_.is_at_rest()

    def test_waits_until_those_before_are_ready(self) -> None:
        all_ = Watchers(spec("db", 5), spec("cache", 5), spec("web"))
        all_.hears(StartAll(ticket()))
        assert all_.become(WatcherStatus.STARTING, "db", "cache") == []
        # Ready before its start is answered, and ready after it.
        assert all_.become(WatcherStatus.ACTIVE, "db") == []
        assert all_.hears(answer(2)) == []
        assert all_.become(WatcherStatus.ACTIVE, "cache", is_ready=False) == []
        assert all_.hears(answer(1)) == []
        assert all_.become(WatcherStatus.ACTIVE, "cache") == starts({"web": 3})

    def test_waits_for_no_readiness_at_its_end(self) -> None:
        all_ = Watchers(spec("web"))
        all_.hears(StartAll(ticket()))
        all_.become(WatcherStatus.ACTIVE, is_ready=False)
        assert all_.hears(answer(1)) == [kept()]

    @pytest.mark.parametrize("status", [WatcherStatus.STOPPING, WatcherStatus.STOPPED])
    def test_does_not_wait_for_one_that_is_down_again(self, status: WatcherStatus) -> None:
        all_ = Watchers(spec("job", 1), spec("web"))
        all_.hears(StartAll(ticket()))
        all_.become(WatcherStatus.ACTIVE, "job", is_ready=False)
        assert all_.hears(answer(1)) == []
        assert all_.become(status, "job") == starts({"web": 2})

    def test_does_not_wait_for_one_that_ends_before_it_is_ready(self) -> None:
        all_ = Watchers(spec("db", 1), spec("web"))
        all_.hears(StartAll(ticket()))
        all_.become(WatcherStatus.ACTIVE, "db", is_ready=False)
        assert all_.hears(answer(1)) == []
        assert all_.hears(Troubled("db")) == starts({"web": 2})

    def test_one_in_trouble_before_its_answer_is_in_nobodys_way(self) -> None:
        all_ = Watchers(spec("b", 1), spec("c"), warmup_delay=2.0)
        assert all_.hears(StartAll(ticket())) == starts({"b": 1})
        all_.hears(Troubled("b"))
        all_.become(WatcherStatus.ACTIVE, "b", is_ready=False)
        assert all_.hears(answer(1)) == []
        assert all_.hears(Tick(), at=2.0) == starts({"c": 2})

    def test_of_nobody_is_done_at_once(self) -> None:
        assert Watchers().hears(StartAll(ticket())) == [kept()]

    def test_a_first_failure_lets_the_next_group_go_and_is_waited_for_all_the_same(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.hears(StartAll(ticket()))
        assert all_.hears(Troubled("a")) == starts({"b": 2})
        assert all_.hears(answer(2)) == []
        assert errors(all_.hears(answer(1, GaveUp("no such program")))) == {1: "no such program"}

    def test_one_that_gives_up_keeps_nobody(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.hears(StartAll(ticket()))
        assert all_.hears(answer(1, GaveUp("no"))) == starts({"b": 2})
        assert errors(all_.hears(answer(2, GaveUp("neither")))) == {1: "no"}

    def test_trouble_of_others_means_nothing(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.hears(StartAll(ticket()))
        assert all_.hears(Troubled("b"), Troubled("unknown")) == []

    def test_the_pause_passes_between_any_two(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b", 1), spec("c"), warmup_delay=2.0)
        assert all_.hears(StartAll(ticket()), at=10.0) == starts({"a": 1})
        assert wake_at(all_.state) == 12.0
        assert all_.hears(answer(1), at=11.0) == []
        assert all_.hears(Tick(), at=12.0) == starts({"b": 2})
        assert wake_at(all_.state) is None
        assert all_.hears(answer(2), at=15.0) == []
        assert wake_at(all_.state) == 17.0
        assert all_.hears(Tick(), at=17.0) == starts({"c": 3})

    def test_one_that_was_removed_before_its_turn_is_left_out(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.hears(StartAll(ticket(1)))
        all_.hears(RemoveWatcher(ticket(2), "b"))
        assert all_.hears(answer(2)) == [ForgetWatcher("b"), kept(2)]
        assert all_.hears(answer(1)) == [kept(1)]

    def test_leaves_out_whoever_is_leaving(self) -> None:
        all_ = Watchers(spec("a"), spec("b"))
        all_.hears(RemoveWatcher(ticket(1), "a"))
        assert all_.hears(StartAll(ticket(2))) == starts({"b": 2})


class TestStop:
    def test_lets_a_priority_go_when_those_below_are_gone(self) -> None:
        all_ = Watchers(*THREE)
        all_.become()
        assert all_.hears(StopAll(ticket())) == stops({"web": 1})
        assert all_.hears(answer(1, Done(stopped=(4,)))) == stops({"db": 2, "cache": 3})
        assert all_.hears(answer(3), answer(2)) == [kept(stopped=(4,))]

    def test_asks_those_that_are_down_with_the_first(self) -> None:
        all_ = Watchers(spec("on demand", 9), spec("web"), spec("db", 5))
        all_.become(WatcherStatus.ACTIVE, "web", "db")
        assert all_.hears(StopAll(ticket())) == stops({"web": 1, "on demand": 2})

    def test_lets_a_newer_wish_for_one_of_them_count_more(self) -> None:
        all_ = Watchers(*THREE)
        all_.become()
        all_.hears(StopAll(ticket()))
        all_.hears(Wished("db"))
        assert all_.hears(answer(1)) == stops({"cache": 2})
        assert all_.hears(answer(2)) == [kept()]
        assert all_.hears(StopAll(ticket(2))) == stops({"web": 3})
        assert all_.hears(answer(3)) == stops({"db": 4, "cache": 5})

    def test_goes_past_one_that_does_not_end(self) -> None:
        slow = spec("slow", graceful_timeout=10.0, hook_timeout=1.0, finish_timeout=3.0)
        all_ = Watchers(slow, spec("db", 5))
        all_.become()
        all_.hears(StopAll(ticket()))
        assert wake_at(all_.state) == 30.0
        assert all_.hears(Tick(), at=30.0) == stops({"db": 2})
        assert errors(all_.hears(answer(2))) == {1: "watcher slow does not come to its end"}
        assert all_.hears(answer(1)) == []
        assert all_.is_at_rest()

    def test_supersedes_what_is_under_way_for_all_but_no_removal(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.hears(StartAll(ticket(1)))
        all_.hears(RemoveWatcher(ticket(2), "a"))
        effects = all_.hears(StopAll(ticket(3)))
        assert errors(effects) == {1: str(Superseded("start", "wish for all watchers"))}
        assert effects[1:] == stops({"b": 3, "a": 4})
        # What was asked for the start is answered late, and nobody cares.
        assert all_.hears(answer(1, Superseded("start", "stop"))) == []
        assert all_.hears(answer(2)) == [ForgetWatcher("a"), kept(2)]
        assert all_.hears(answer(3), answer(4)) == [kept(3)]
        assert all_.is_at_rest()


class TestReload:
    def test_takes_one_after_another_whatever_becomes_of_each(self) -> None:
        all_ = Watchers(*THREE)
        all_.become()
        assert all_.hears(ReloadAll(ticket(), sequential=True)) == [
            ReloadWatcher("cache", sequential=True, ask=AskId(1))
        ]
        assert all_.hears(answer(1, GaveUp("not ready", "cache"))) == [
            ReloadWatcher("db", sequential=True, ask=AskId(2))
        ]
        all_.hears(answer(2, GaveUp("nor is this", "db")))
        assert errors(all_.hears(answer(3))) == {1: "cache: not ready; failed, too: db"}

    @pytest.mark.parametrize("status", [WatcherStatus.STOPPED, WatcherStatus.STOPPING])
    def test_leaves_out_whoever_is_down_when_their_turn_comes(self, status: WatcherStatus) -> None:
        all_ = Watchers(*THREE)
        all_.become()
        all_.become(status, "cache")
        assert all_.hears(ReloadAll(ticket())) == [ReloadWatcher("db", ask=AskId(1))]
        all_.become(status, "web")
        assert all_.hears(answer(1)) == [kept()]

    def test_without_grace_restarts(self) -> None:
        all_ = Watchers(spec("a"))
        all_.become(WatcherStatus.STARTING)
        effects = all_.hears(ReloadAll(ticket(), graceful=False))
        assert effects == [wish("a", Go.RESTART, 1)]


class TestRestart:
    def test_stops_all_then_reads_then_starts(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.become()
        reading = all_.reading(spec("a", 1), spec("c", 2))
        assert all_.hears(RestartAll(ticket(), reading)) == stops({"b": 1})
        assert all_.hears(answer(1)) == stops({"a": 2})
        all_.become(WatcherStatus.STOPPED, condition=Condition.DOWN)
        (removal,) = all_.hears(answer(2))[:1]
        assert removal == wish("b", Go.STOP, 3, closes=True)

    def test_a_failure_on_the_way_keeps_nobody_down(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.hears(RestartAll(ticket(), all_.reading(spec("a", 1), spec("b"))))
        assert all_.hears(answer(1, GaveUp("no"))) == []
        assert all_.hears(answer(2)) == starts({"a": 3})
        assert all_.hears(answer(3)) == starts({"b": 4})
        assert errors(all_.hears(answer(4))) == {1: "no"}


class TestRemove:
    @pytest.mark.parametrize(("nostop", "go"), [(False, Go.STOP), (True, Go.LEAVE)])
    def test_forgets_when_it_is_done(self, nostop: bool, go: Go) -> None:
        all_ = Watchers(spec("a"))
        effects = all_.hears(RemoveWatcher(ticket(), "a", nostop))
        assert effects == [wish("a", go, 1, closes=True)]
        done = Done(stopped=(3,))
        assert all_.hears(answer(1, done)) == [ForgetWatcher("a"), Settle(ticket(), done)]
        assert not all_.state.watchers
        assert not all_.state.watchers_in_file
        assert all_.is_at_rest()

    def test_twice_forgets_once(self) -> None:
        all_ = Watchers(spec("a"))
        all_.hears(RemoveWatcher(ticket(1), "a"))
        all_.hears(RemoveWatcher(ticket(2), "a", nostop=True))
        assert errors(all_.hears(answer(1, Superseded("stop", "leave")))) != {}
        assert all_.hears(answer(2)) == [ForgetWatcher("a"), kept(2)]

    def test_that_could_not_be_asked_forgets_nothing(self) -> None:
        all_ = Watchers(spec("a"))
        all_.hears(RemoveWatcher(ticket(), "a"))
        assert errors(all_.hears(answer(1, GaveUp("too many requests")))) != {}
        assert "a" in all_.state.watchers


class TestQuit:
    def test_stops_all_for_good_awaits_the_hooks_and_tells(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.become()
        assert all_.hears(Quit(ticket())) == [CloseWatcher("a"), *stops({"b": 1}, closes=True)]
        assert all_.hears(answer(1)) == stops({"a": 2}, closes=True)
        assert all_.hears(answer(2)) == [AwaitHooks(AskId(3))]
        assert all_.hears(answer(3)) == [kept()]
        assert all_.is_at_rest()

    def test_shares_its_time_out(self) -> None:
        all_ = Watchers(spec("web"), spec("api", 1), spec("db", 2), shutdown_timeout=10.0)
        all_.become()
        all_.hears(Quit(ticket()), at=100.0)
        # 8 s for three priorities.
        assert wake_at(all_.state) == pytest.approx(100.0 + 8.0 / 3)
        assert all_.hears(answer(1), at=102.0)[-1:] == stops({"api": 2}, closes=True)
        # What is left, for two.
        assert wake_at(all_.state) == 105.0
        assert all_.hears(Tick(), at=105.0) == [HastenWatcher("api")]
        assert wake_at(all_.state) == 106.0
        assert all_.hears(answer(2), at=105.1)[-1:] == stops({"db": 3}, closes=True)
        assert wake_at(all_.state) == 108.0
        assert all_.hears(Tick(), at=108.0) == [HastenWatcher("db")]
        # The last hooks have half of what is left then.
        assert all_.hears(answer(3), at=108.0) == [AwaitHooks(AskId(4))]
        assert wake_at(all_.state) == 109.0
        assert all_.hears(Tick(), at=109.0) == [HastenWatcher(key) for key in ("web", "api", "db")]
        assert all_.hears(answer(4), at=109.0) == [kept()]
        assert all_.state.end_by == 110.0

    def test_ends_in_time_though_nothing_is_answered(self) -> None:
        all_ = Watchers(spec("web"), spec("db", 2), shutdown_timeout=10.0)
        all_.become()
        effects = all_.hears(Quit(ticket()))
        while (at := wake_at(all_.state)) is not None:
            assert at <= 11.0
            effects = all_.hears(Tick(), at=at)
        assert set(errors(effects)) == {1}

    def test_that_is_hastened_keeps_no_order(self) -> None:
        all_ = Watchers(spec("web"), spec("db", 2))
        all_.become()
        all_.hears(Quit(ticket()))
        assert all_.hears(HastenAll()) == [
            HastenWatcher("web"),
            HastenWatcher("db"),
            *stops({"db": 2}, closes=True),
        ]
        assert all_.hears(answer(2), answer(1)) == [AwaitHooks(AskId(3))]

    def test_without_a_limit_gives_everybody_the_grace_of_their_own(self) -> None:
        all_ = Watchers(spec("web", graceful_timeout=1000.0))
        all_.become()
        all_.hears(Quit(ticket()))
        assert (wake_at(all_.state) or 0.0) > 1000.0

    def test_goes_on_over_a_broken_watcher(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.hears(Quit(ticket()))
        all_.hears(answer(1, GaveUp("it is broken")))
        assert all_.hears(answer(2)) == [AwaitHooks(AskId(3))]
        assert errors(all_.hears(answer(3))) == {1: "it is broken"}

    def test_wins_over_everything_before_it(self) -> None:
        all_ = Watchers(spec("a", 1), spec("b"))
        all_.become(WatcherStatus.ACTIVE, "a")
        all_.hears(StartAll(ticket(1)), ReloadAll(ticket(2)))
        effects = all_.hears(Quit(ticket(3)))
        assert set(errors(effects)) == {1, 2}
        assert all_.hears(answer(1), answer(2)) == []

    @pytest.mark.parametrize(
        "request_",
        [
            StartAll(ticket(2)),
            StopAll(ticket(2)),
            ReloadAll(ticket(2)),
            Quit(ticket(2)),
            RestartAll(ticket(2), Watchers().reading()),
            RemoveWatcher(ticket(2), "a", nostop=True),
        ],
        ids=lambda request: type(request).__name__,
    )
    def test_wins_over_everything_after_it(self, request_: ArbiterInput) -> None:
        all_ = Watchers(spec("a"))
        all_.hears(Quit(ticket(1)))
        (refusal,) = all_.hears(request_)
        assert isinstance(refusal, Settle)
        assert isinstance(refusal.outcome, Failed)
        assert str(refusal.outcome.error) == "the daemon is quitting"
        assert all_.hears(answer(1)) == [AwaitHooks(AskId(2))]

    def test_lets_a_removal_go_on(self) -> None:
        all_ = Watchers(spec("a"))
        all_.hears(Quit(ticket(1)))
        assert all_.hears(RemoveWatcher(ticket(2), "a")) == stops({"a": 2}, closes=True)
