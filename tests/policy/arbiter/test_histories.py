"""Random histories of all watchers together; a machine with a fault is seen."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import Phase, given, settings, strategies as st

from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.arbiter import advance, inputs, machine, record, stages
from cvec_circus_core.policy.arbiter.effects import ArbiterEffect
from cvec_circus_core.policy.arbiter.inputs import ArbiterInput
from cvec_circus_core.policy.arbiter.state import ArbiterState, Move, Operation, Wait
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Tick
from tests.policy.arbiter.histories import Act, Broken, Step, live

RARELY = {Act.QUIT, Act.LONG, Act.STOP, Act.RESTART, Act.REMOVE}
OFTEN = [act for act in Act if act not in RARELY]
SELDOM = [*sorted(RARELY, key=lambda act: act.name), Act.QUIT]
acts = st.sampled_from([Act.ANSWER] * 10 + OFTEN * 3 + SELDOM)
histories = st.lists(st.tuples(acts, st.integers(0, 4000)), min_size=10, max_size=80)


@settings(max_examples=200)
@given(histories, st.booleans())
def test_no_history_breaks_an_invariant(history: list[tuple[Act, int]], in_time: bool) -> None:
    live(history, in_time=in_time)


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(
            [
                *((Act.CONFIG, 29), (Act.ANSWER, 0), (Act.START, 0), (Act.START, 0)),
                *((Act.CONFIG, 75), (Act.ANSWER, 54), (Act.CONFIG, 130), (Act.ANSWER, 0)),
                *((Act.ANSWER, 0), (Act.ANSWER, 0), (Act.START, 0), (Act.ANSWER, 0)),
                (Act.TIME, 2618),
            ],
            id="started while another operation changes it",
        ),
        pytest.param(
            [
                *((Act.ADD, 2), (Act.ADD, 1), (Act.START, 0), (Act.TROUBLE, 1)),
                (Act.ANSWER, 1),
            ],
            id="in trouble before its start is answered",
        ),
        pytest.param(
            [(Act.CONFIG, 734), (Act.CONFIG, 134), (Act.ANSWER, 1), (Act.WISH, 1)],
            id="added by two operations",
        ),
    ],
)
def test_a_history_that_once_broke_an_invariant(history: list[tuple[Act, int]]) -> None:
    live(history)


class TestABrokenMachineIsSeen:
    """The invariants can fail: each machine here has one fault, put in on purpose."""

    def break_with(self, sentence: str, step: Step = machine.step) -> None:
        """Live through histories until one breaks the invariant with this sentence.

        A fault may break others as well, and which of them is met first is chance.
        """

        @settings(max_examples=3000, database=None, derandomize=True, phases=[Phase.generate])
        @given(histories, st.booleans())
        def all_histories(history: list[tuple[Act, int]], in_time: bool) -> None:
            try:
                live(history, step, in_time=in_time)
            except Broken as broken:
                if sentence in str(broken).splitlines()[0]:
                    raise

        with pytest.raises(Broken):
            all_histories()

    def test_that_loses_a_ticket(self) -> None:
        def forgetful(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            effects = machine.step(state, facts, now)
            return [
                effect
                for effect in effects
                if not (isinstance(effect, Settle) and effect.ticket == 2)
            ]

        self.break_with("ticket", forgetful)

    def test_that_settles_twice(self) -> None:
        def stammering(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            effects = machine.step(state, facts, now)
            return [*effects, *(effect for effect in effects if isinstance(effect, Settle))]

        self.break_with("twice", stammering)

    def test_that_does_not_hear_of_a_quit(self) -> None:
        def deaf(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            effects = machine.step(state, facts, now)
            state.is_quitting = False
            return effects

        self.break_with("after the quit", deaf)

    def test_that_supersedes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cvec_circus_core.policy.arbiter.record.supersede", lambda _: [])
        self.break_with("after the quit")

    def test_that_starts_everybody_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = stages.start
        monkeypatch.setattr(
            stages,
            "start",
            lambda state, done=frozenset(): (
                tuple(replace(move, wait=Wait.LATER) for move in stage)
                for stage in start(state, done)
            ),
        )
        self.break_with("are ready")

    def test_that_does_not_pause(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = stages.start
        monkeypatch.setattr(
            stages,
            "start",
            lambda state, done=frozenset(): (
                tuple(replace(move, is_paced=False) for move in stage)
                for stage in start(state, done)
            ),
        )
        self.break_with("without a pause")

    def test_that_spins(self) -> None:
        def sleepless(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            heard = [fact for fact in facts if not isinstance(fact, Tick)]
            return machine.step(state, heard, now - 1000.0)

        self.break_with("woken", sleepless)

    def test_that_stops_in_the_wrong_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stop = stages.stop
        monkeypatch.setattr(
            stages, "stop", lambda state, *, closes=False: [*stop(state, closes=closes)][::-1]
        )
        self.break_with("before it asks")

    def test_that_stops_everybody_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stop = stages.stop
        monkeypatch.setattr(
            stages,
            "stop",
            lambda state, *, closes=False: (
                tuple(replace(move, wait=Wait.ENDED if closes else Wait.LATER) for move in stage)
                for stage in stop(state, closes=closes)
            ),
        )
        self.break_with("are gone")

    def test_that_lets_some_come_up_in_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(record, "_close_later", lambda _: [])
        self.break_with("come up")

    def test_that_does_not_end_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(advance, "_share", lambda state, operation, stage, now: 100.0)
        self.break_with("in time")

    def test_that_reloads_whoever_is_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        applies = advance._applies
        monkeypatch.setattr(
            advance,
            "_applies",
            lambda state, operation, move: applies(
                state, operation, replace(move, only_if_up=False)
            ),
        )
        self.break_with("which is down")

    def test_that_asks_for_what_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        applies = advance._applies

        def blind(state: ArbiterState, operation: Operation, move: Move) -> bool:
            is_gone = move.watcher not in state.watchers and not move.only_if_up
            return is_gone or applies(state, operation, move)

        monkeypatch.setattr(advance, "_applies", blind)
        self.break_with("which is gone")

    def test_that_does_not_mind_newer_wishes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        applies = advance._applies

        def stubborn(state: ArbiterState, operation: Operation, move: Move) -> bool:
            state.wished.clear()
            return applies(state, operation, move)

        monkeypatch.setattr(advance, "_applies", stubborn)
        self.break_with("newer wish")

    def test_that_counts_wrong(self) -> None:
        def careless(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            state.last_ask = max(0, state.last_ask - 1)
            return machine.step(state, facts, now)

        self.break_with("again", careless)

    def test_that_does_too_much(self) -> None:
        def busy(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            batch = list(facts)
            for fact in batch:
                if isinstance(fact, inputs.ReloadConfig):
                    state.watchers_in_file.clear()
                    for key, known in tuple(state.watchers.items()):
                        state.watchers[key] = replace(known, spec=replace(known.spec, cmd="old"))
            return machine.step(state, batch, now)

        self.break_with("equal file", busy)
