"""Random histories of all watchers together; a machine with a fault is seen."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

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
acts = st.sampled_from([Act.ANSWER] * 10 + OFTEN * 3 + sorted(RARELY, key=lambda act: act.name))
histories = st.lists(st.tuples(acts, st.integers(0, 4000)), min_size=10, max_size=80)


@settings(max_examples=200)
@given(histories, st.booleans())
def test_no_history_breaks_an_invariant(history: list[tuple[Act, int]], in_time: bool) -> None:
    live(history, in_time=in_time)


class TestABrokenMachineIsSeen:
    """The invariants can fail: each machine here has one fault, put in on purpose."""

    def break_with(self, step: Step = machine.step) -> str:
        @settings(max_examples=2000, database=None, derandomize=True, phases=[Phase.generate])
        @given(histories, st.booleans())
        def all_histories(history: list[tuple[Act, int]], in_time: bool) -> None:
            live(history, step, in_time=in_time)

        with pytest.raises(Broken) as broken:
            all_histories()
        return str(broken.value).splitlines()[0]

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

        assert "ticket" in self.break_with(forgetful)

    def test_that_settles_twice(self) -> None:
        def stammering(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            effects = machine.step(state, facts, now)
            return [*effects, *(effect for effect in effects if isinstance(effect, Settle))]

        assert "twice" in self.break_with(stammering)

    def test_that_does_not_hear_of_a_quit(self) -> None:
        def deaf(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            effects = machine.step(state, facts, now)
            state.is_quitting = False
            return effects

        assert "after the quit" in self.break_with(deaf)

    def test_that_supersedes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cvec_circus_core.policy.arbiter.record.supersede", lambda _: [])
        assert "after the quit" in self.break_with()

    def test_that_starts_everybody_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = stages.start
        monkeypatch.setattr(
            stages,
            "start",
            lambda state: (
                tuple(replace(move, wait=Wait.LATER) for move in stage) for stage in start(state)
            ),
        )
        assert "are ready" in self.break_with()

    def test_that_does_not_pause(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = stages.start
        monkeypatch.setattr(
            stages,
            "start",
            lambda state: (
                tuple(replace(move, is_paced=False) for move in stage) for stage in start(state)
            ),
        )
        assert "without a pause" in self.break_with()

    def test_that_spins(self) -> None:
        def sleepless(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            heard = [fact for fact in facts if not isinstance(fact, Tick)]
            return machine.step(state, heard, now - 1000.0)

        assert "woken" in self.break_with(sleepless)

    def test_that_stops_in_the_wrong_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stop = stages.stop
        monkeypatch.setattr(
            stages, "stop", lambda state, *, closes=False: [*stop(state, closes=closes)][::-1]
        )
        assert "before it asks" in self.break_with()

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
        assert "are gone" in self.break_with()

    def test_that_lets_some_come_up_in_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(record, "_close_later", lambda _: [])
        assert "come up" in self.break_with()

    def test_that_does_not_end_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(advance, "_share", lambda state, operation, stage, now: 100.0)
        assert "in time" in self.break_with()

    def test_that_reloads_whoever_is_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        applies = advance._applies
        monkeypatch.setattr(
            advance,
            "_applies",
            lambda state, operation, move: applies(
                state, operation, replace(move, only_if_up=False)
            ),
        )
        assert "which is down" in self.break_with()

    def test_that_asks_for_what_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        applies = advance._applies

        def blind(state: ArbiterState, operation: Operation, move: Move) -> bool:
            is_gone = move.watcher not in state.watchers and not move.only_if_up
            return is_gone or applies(state, operation, move)

        monkeypatch.setattr(advance, "_applies", blind)
        assert "which is gone" in self.break_with()

    def test_that_does_not_mind_newer_wishes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        applies = advance._applies

        def stubborn(state: ArbiterState, operation: Operation, move: Move) -> bool:
            state.wished.clear()
            return applies(state, operation, move)

        monkeypatch.setattr(advance, "_applies", stubborn)
        assert "newer wish" in self.break_with()

    def test_that_counts_wrong(self) -> None:
        def careless(
            state: ArbiterState, facts: Iterable[ArbiterInput], now: float
        ) -> list[ArbiterEffect]:
            state.last_ask = max(0, state.last_ask - 1)
            return machine.step(state, facts, now)

        assert "again" in self.break_with(careless)

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

        assert "equal file" in self.break_with(busy)
