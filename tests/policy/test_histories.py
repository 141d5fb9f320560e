"""Random histories: fixed seeds, and one that nobody has seen. A failure tells seed and story."""

from __future__ import annotations

from secrets import randbelow

import pytest

from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.watcher import inputs, machine
from cvec_circus_core.policy.watcher.effects import Effect, Settle
from cvec_circus_core.policy.watcher.inputs import Input
from cvec_circus_core.policy.watcher.state import WatcherState
from tests.policy import histories
from tests.policy.histories import tell
from tests.policy.world import Broken

STEPS = 15_000
EVERY_INPUT = {kind.__name__ for kind in inputs.Input.__args__}


@pytest.mark.parametrize("seed", [1, 2, 3, randbelow(2**32)], ids=["1", "2", "3", "fresh"])
def test_no_history_breaks_an_invariant(seed: int) -> None:
    tale = tell(STEPS, seed)
    assert tale.steps >= STEPS
    assert min(tale.spawned, tale.reaped, tale.settled) > STEPS // 10
    assert set(tale.seen) == EVERY_INPUT


def test_a_history_is_told_the_same_way_twice() -> None:
    assert str(tell(1000, 7)) == str(tell(1000, 7))


class TestABrokenMachineIsSeen:
    """The invariants can fail: each machine here has one fault, put in on purpose."""

    def break_with(self, monkeypatch: pytest.MonkeyPatch, fault: object) -> str:
        monkeypatch.setattr(histories, "step", fault)
        with pytest.raises(Broken) as broken:
            tell(20_000, 1)
        return str(broken.value)

    def test_that_loses_a_ticket(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forgetful(state: WatcherState, batch: list[Input], now: float) -> list[Effect]:
            effects = machine.step(state, batch, now)
            return [
                effect
                for effect in effects
                if not (isinstance(effect, Settle) and effect.ticket == 3)
            ]

        assert "ticket" in self.break_with(monkeypatch, forgetful)

    def test_that_spins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def deaf(state: WatcherState, batch: list[Input], now: float) -> list[Effect]:
            heard = [one for one in batch if not isinstance(one, inputs.Tick)]
            return machine.step(state, heard, now)

        assert "woken" in self.break_with(monkeypatch, deaf)

    def test_that_starts_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def greedy(state: WatcherState, batch: list[Input], now: float) -> list[Effect]:
            wanted, state.spec = (
                state.spec,
                replace(state.spec, numprocesses=3 * state.spec.numprocesses, singleton=False),
            )
            try:
                return machine.step(state, batch, now)
            finally:
                state.spec = replace(state.spec, numprocesses=wanted.numprocesses)

        assert "may be" in self.break_with(monkeypatch, greedy)

    def test_that_reaps_in_silence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def silent(state: WatcherState, batch: list[Input], now: float) -> list[Effect]:
            effects = machine.step(state, batch, now)
            return [effect for effect in effects if "ProcessReaped" not in repr(effect)]

        assert "other processes" in self.break_with(monkeypatch, silent)
