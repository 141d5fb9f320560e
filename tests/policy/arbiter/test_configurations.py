"""A configuration that was read again: who is asked for what, in which order, and what is kept."""

from __future__ import annotations

from cvec_circus_core.model.errors import CannotBind, Conflict, GaveUp, Superseded
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.arbiter.effects import (
    AddWatcher,
    AskId,
    ChangeWatcher,
    ExchangeSockets,
    ForgetWatcher,
    ReplaceProcesses,
)
from cvec_circus_core.policy.arbiter.inputs import RemoveWatcher, RestartAll, StartAll, StopAll
from cvec_circus_core.policy.arbiter.machine import step, wake_at
from cvec_circus_core.policy.arbiter.state import ArbiterState
from cvec_circus_core.policy.config_steps import Condition
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Go, Tick, TicketId
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

A, B = spec("a", 2), spec("b", 1)
OTHER_A = spec("a", 2, cmd="y")


def active(*specs: object, **options: object) -> Watchers:
    all_ = Watchers(*specs, **options)  # type: ignore[arg-type]
    all_.become()
    return all_


def change(watcher: str, new: object, ask: int, then: Go | None = None) -> ChangeWatcher:
    return ChangeWatcher(watcher, new, then, AskId(ask))  # type: ignore[arg-type]


def add(new: object, ask: int) -> AddWatcher:
    return AddWatcher(new.name, new, AskId(ask))  # type: ignore[attr-defined,arg-type]


def test_the_same_file_asks_nothing_of_anybody() -> None:
    all_ = active(A, B)
    assert all_.reload_config(A, B) == [kept()]
    assert all_.is_at_rest()


def test_removals_are_asked_first_then_group_after_group_and_all_are_awaited() -> None:
    socket = SocketSpec(name="web", port=80)
    all_ = active(A, B, spec("old", 3), sockets=[socket])
    new = spec("new", 1, use_sockets=True)
    assert all_.reload_config(OTHER_A, B, new) == [
        wish("old", Go.STOP, 1, closes=True),
        change("a", OTHER_A, 2),
    ]
    assert all_.hears(answer(2)) == [add(new, 3), *starts({"new": 4})]
    assert all_.hears(answer(3), answer(4)) == []
    assert all_.hears(answer(1)) == [ForgetWatcher("old"), kept()]
    assert all_.is_at_rest()


def test_what_may_bind_an_address_itself_comes_when_those_removed_are_gone() -> None:
    all_ = active(A, spec("old", 3), spec("older", 3))
    new = spec("new", 3)
    assert all_.reload_config(A, new) == stops({"older": 1, "old": 2}, closes=True)
    assert all_.hears(answer(1)) == [ForgetWatcher("older")]
    assert all_.hears(answer(2)) == [ForgetWatcher("old"), add(new, 3), *starts({"new": 4})]
    assert all_.hears(answer(3), answer(4)) == [kept()]
    assert all_.is_at_rest()


def test_one_that_does_not_go_keeps_what_is_new_only_for_a_while() -> None:
    all_ = active(A, spec("old", graceful_timeout=10.0, hook_timeout=0.5, finish_timeout=1.0))
    new = spec("new")
    assert all_.reload_config(A, new) == stops({"old": 1}, closes=True)
    patience = wake_at(all_.state)
    assert patience == 27.0
    assert all_.hears(Tick(), at=patience) == [add(new, 2), *starts({"new": 3})]


def test_what_does_not_start_by_itself_is_only_added() -> None:
    all_ = active()
    new = spec("new", autostart=False)
    assert all_.reload_config(new) == [add(new, 1)]
    assert all_.hears(answer(1)) == [kept()]


def test_one_of_a_higher_priority_is_gone_before_the_next_removal() -> None:
    all_ = active(spec("db", 9), spec("api", 5), spec("web", 5), A)
    assert all_.reload_config(OTHER_A) == stops({"web": 1, "api": 2}, closes=True)
    # Nothing waits for the last of them but the end.
    assert all_.hears(answer(2), answer(1)) == [
        ForgetWatcher("api"),
        ForgetWatcher("web"),
        wish("db", Go.STOP, 3, closes=True),
        change("a", OTHER_A, 4),
    ]


def test_added_ones_are_ready_before_the_next_begin() -> None:
    all_ = Watchers()
    all_.reload_config(spec("db", 1), spec("web"))
    all_.hears(answer(1))
    all_.become(WatcherStatus.ACTIVE, "db", is_ready=False)
    assert all_.hears(answer(2)) == []
    assert all_.become(WatcherStatus.ACTIVE, "db") == [add(spec("web"), 3), *starts({"web": 4})]


def test_added_ones_keep_the_pause() -> None:
    all_ = Watchers(warmup_delay=1.0)
    one, two = spec("one"), spec("two")
    effects = all_.reload_config(one, two, warmup_delay=1.0)
    assert effects == [add(one, 1), add(two, 2), *starts({"one": 3})]
    assert wake_at(all_.state) == 1.0
    assert all_.hears(Tick(), at=1.0) == starts({"two": 4})


def test_one_that_another_reading_has_added_keeps_its_state_and_is_waited_for() -> None:
    all_ = Watchers()
    db, web, other_web = spec("db", 1), spec("web"), spec("web", cmd="y")
    all_.reload_config(db, web)
    all_.hears(answer(1))
    all_.reload_config(db, other_web, number=2)
    all_.become(WatcherStatus.ACTIVE, "web", is_ready=False)
    all_.hears(answer(3), answer(4))
    all_.become(WatcherStatus.ACTIVE, "db")
    assert all_.hears(answer(2)) == [add(web, 5), *starts({"web": 6})]
    all_.hears(answer(5, Conflict("taken")), answer(6))
    assert all_.state.watchers["web"].spec is other_web
    effects = all_.become(WatcherStatus.ACTIVE, "web")
    assert errors(effects) == {1: "taken"}
    assert kept(2) in effects
    assert all_.is_at_rest()


def test_one_that_can_not_be_added_keeps_nobody() -> None:
    all_ = active(B)
    all_.reload_config(spec("new", 3), B, spec("last"))
    effects = all_.hears(answer(1, Conflict("no")), answer(2, Conflict("unknown")))
    assert effects == [add(spec("last"), 3), *starts({"last": 4})]
    assert "new" not in all_.state.watchers
    assert errors(all_.hears(answer(3), answer(4))) == {1: "no"}
    assert all_.actions(spec("new", 3), B, spec("last")) == {
        "new": "add",
        "b": "keep",
        "last": "keep",
    }


def test_one_that_is_to_go_before_it_could_be_added_is_forgotten_by_nobody() -> None:
    all_ = Watchers()
    all_.reload_config(spec("new"))
    all_.hears(RemoveWatcher(ticket(2), "new"))
    assert all_.hears(answer(1, Conflict("no"))) == []
    assert "new" not in all_.state.watchers
    assert all_.hears(answer(3)) == [kept(2)]
    assert errors(all_.hears(answer(2))) == {1: "no"}
    assert all_.is_at_rest()


class TestWhatAWatcherIsAskedFor:
    def test_one_that_had_given_up_is_started(self) -> None:
        all_ = Watchers(A)
        all_.become(WatcherStatus.STOPPED, condition=Condition.GAVE_UP)
        assert all_.reload_config(OTHER_A) == [change("a", OTHER_A, 1, Go.START)]

    def test_one_that_was_stopped_stays_so(self) -> None:
        all_ = Watchers(A)
        assert all_.reload_config(OTHER_A) == [change("a", OTHER_A, 1)]

    def test_one_that_needs_it_is_restarted(self) -> None:
        all_ = active(A)
        new = spec("a", 2, on_demand=True)
        assert all_.actions(new) == {"a": "restart"}
        assert all_.reload_config(new) == [change("a", new, 1, Go.RESTART)]


class TestWhatFailsIsTriedAgain:
    def test_a_change_that_failed(self) -> None:
        all_ = active(A)
        all_.reload_config(OTHER_A)
        assert errors(all_.hears(answer(1, GaveUp("not ready", "a")))) == {1: "a: not ready"}
        assert all_.actions(OTHER_A) == {"a": "reload"}

    def test_of_one_that_was_in_no_file_before(self) -> None:
        all_ = active(A)
        all_.state.watchers_in_file.clear()
        all_.reload_config(OTHER_A)
        all_.hears(answer(1, GaveUp("not ready", "a")))
        assert all_.actions(OTHER_A) == {"a": "reload"}

    def test_but_not_where_somebody_wants_something_else_by_now(self) -> None:
        all_ = active(A)
        all_.reload_config(OTHER_A)
        all_.hears(answer(1, Superseded("reload", "stop")))
        assert all_.actions(OTHER_A) == {"a": "keep"}

    def test_what_was_cut_off_by_a_wish_for_all(self) -> None:
        all_ = active(A, B)
        new_b = spec("b", 1, cmd="z")
        all_.reload_config(OTHER_A, new_b)
        all_.hears(StopAll(ticket(2)))
        assert all_.actions(OTHER_A, new_b) == {"a": "reload", "b": "reload"}

    def test_a_removal_that_could_not_be_asked(self) -> None:
        all_ = active(A, B)
        all_.reload_config(A)
        assert errors(all_.hears(answer(1, Conflict("too many requests")))) != {}
        assert all_.actions(A) == {"a": "keep", "b": "remove"}


def sock(name: str = "web", **options: object) -> SocketSpec:
    return SocketSpec(name=name, **{"port": 80, **options})  # type: ignore[arg-type]


USER = spec("user", sockets=("web",))


class TestSockets:
    def test_are_exchanged_first_and_their_users_get_new_processes_last(self) -> None:
        all_ = active(USER, spec("other", 9), sockets=[sock()])
        effects = all_.reload_config(USER, spec("other", 9, cmd="y"), sockets=[sock(blocking=True)])
        assert effects == [ExchangeSockets(ticket(), AskId(1))]
        assert all_.hears(answer(1)) == [change("other", spec("other", 9, cmd="y"), 2)]
        assert all_.hears(answer(2)) == [ReplaceProcesses("user", AskId(3))]
        assert all_.hears(answer(3)) == [kept()]
        assert all_.state.sockets_in_file == {"web": sock(blocking=True)}

    def test_one_that_is_replaced_anyway_is_not_replaced_twice(self) -> None:
        all_ = active(USER, sockets=[sock()])
        new = spec("user", sockets=("web",), cmd="y")
        all_.reload_config(new, sockets=[sock(blocking=True)])
        assert all_.hears(answer(1)) == [change("user", new, 2)]
        assert all_.hears(answer(2)) == [kept()]

    def test_whoever_is_in_the_way_is_down_meanwhile(self) -> None:
        all_ = active(USER, spec("other"), sockets=[sock()])
        effects = all_.reload_config(
            USER, spec("other"), sockets=[sock(blocking=True)], late=["web"]
        )
        assert effects == stops({"user": 1})
        assert all_.hears(answer(1)) == [ExchangeSockets(ticket(), AskId(2))]
        # Nobody waits for the start: its processes are replaced or it has failed, which is told.
        assert all_.hears(answer(2)) == [
            *starts({"user": 3}),
            ReplaceProcesses("user", AskId(4)),
        ]
        assert all_.hears(answer(4)) == [kept()]
        assert all_.hears(answer(3, Superseded("start", "stop"))) == []

    def test_whoever_is_down_already_stays_so(self) -> None:
        all_ = Watchers(USER, sockets=[sock()])
        effects = all_.reload_config(USER, sockets=[sock(blocking=True)], late=["web"])
        assert effects == [ExchangeSockets(ticket(), AskId(1))]
        assert all_.hears(answer(1)) == [ReplaceProcesses("user", AskId(2))]

    def test_that_can_not_be_bound_keep_nothing_else(self) -> None:
        all_ = active(USER, spec("other"), sockets=[sock()])
        other = spec("other", cmd="y")
        all_.reload_config(USER, other, sockets=[sock(backlog=5)])
        assert all_.hears(answer(1, CannotBind("no"))) == [change("other", other, 2)]
        assert errors(all_.hears(answer(2))) == {1: "no"}

    def test_that_were_cut_off_are_still_to_be_removed(self) -> None:
        all_ = active(USER, sockets=[sock(), sock("admin", port=81)])
        all_.reload_config(USER, sockets=[sock(blocking=True)], late=["web"])
        all_.hears(StopAll(ticket(2)))
        assert set(all_.state.sockets_in_file) == {"web", "admin"}


def test_the_daemons_own_options_count_at_once_where_they_can() -> None:
    all_ = Watchers(A, B, warmup_delay=5.0)
    all_.reload_config(A, B, warmup_delay=1.0, endpoint="tcp://127.0.0.1:1")
    assert all_.state.spec.warmup_delay == 1.0
    assert all_.state.spec.endpoint != "tcp://127.0.0.1:1"
    all_.hears(StartAll(ticket(2)))
    all_.hears(answer(1))
    assert wake_at(all_.state) == 1.0


def test_a_restart_applies_the_file_between_stop_and_start() -> None:
    all_ = active(A, B)
    new = spec("new", 7)
    all_.hears(RestartAll(ticket(), all_.reading(OTHER_A, B, new)))
    all_.hears(answer(1))
    all_.become(WatcherStatus.STOPPED, condition=Condition.DOWN)
    assert all_.hears(answer(2)) == [add(new, 3), *starts({"new": 4})]
    assert all_.hears(answer(3), answer(4)) == [change("a", OTHER_A, 5)]
    assert all_.hears(answer(5)) == starts({"new": 6})
    assert all_.hears(answer(6)) == starts({"a": 7})
    assert all_.hears(answer(7)) == starts({"b": 8})
    assert errors(all_.hears(answer(8))) == {}
    assert all_.is_at_rest()


def test_a_second_removal_of_one_that_has_just_left_is_done() -> None:
    state = ArbiterState(ArbiterSpec())
    assert step(state, [RemoveWatcher(TicketId(1), "gone")], 0.0) == [Settle(TicketId(1), Done())]
