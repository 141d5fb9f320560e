"""An upgrade: a brain from other code has its chance, and the one before comes back if it fails.

It fails when it does not serve in time, dies, or does not answer at the end of the time for which
it is watched. Workers, sockets and pipes are the keeper's all the while.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ANSWER_LIMIT = 5.0
"""Seconds until it has to answer when it is asked whether it goes on."""


@dataclass(eq=False, slots=True)
class Trial:
    """One upgrade."""

    number: int
    argv: tuple[str, ...]
    """The command of the brain that is tried."""
    argv_before: tuple[str, ...]
    watch: float
    """Seconds for which it is watched once it serves."""
    limit: float
    """Seconds until it has to serve."""
    edition_before: int = 0
    outcome: str = "under way"
    is_begun: bool = False
    problem: str = ""
    """Why it is ended, where we have ended it."""

    @property
    def is_over(self) -> bool:
        """Whether it is known how it went."""
        return self.outcome != "under way"

    def facts(self) -> dict[str, object]:
        """Return what is told of it."""
        return {"number": self.number, "python": self.argv[0], "outcome": self.outcome}


class TrialWatch:
    """Watches the brain of a trial."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        ask: Callable[[], bool],
        end: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        """``ask`` has the brain answer, and tells whether it can; ``end`` kills it."""
        self.trial: Trial | None = None
        self._loop = loop
        self._ask = ask
        self._end = end
        self._on_change = on_change
        self._timer: TimerHandle | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a brain has its chance now."""
        return self.trial is not None and not self.trial.is_over

    @property
    def is_done(self) -> bool:
        """Whether the last one has ended well."""
        return self.trial is not None and self.trial.outcome == "done"

    @property
    def edition(self) -> int:
        """The number of the trial whose code the next brain runs; 0 for the first code."""
        trial = self.trial
        if trial is None:
            return 0
        is_new = trial.outcome == "done" or (trial.is_begun and not trial.is_over)
        return trial.number if is_new else trial.edition_before

    def resume(self, facts: Mapping[str, Any], argv: tuple[str, ...]) -> None:
        """Know of the last one, which another keeper has watched to its end."""
        if facts:
            self.trial = Trial(facts["number"], argv, argv, 0.0, 0.0, outcome=facts["outcome"])
            self.trial.argv = (facts["python"], *argv[1:])

    def plan(self, python: str, argv: Sequence[str], watch: float, limit: float) -> None:
        """Have the next brain be one from other code; the present one is ended."""
        if self.is_under_way:
            return
        number = 1 if self.trial is None else self.trial.number + 1
        new_argv = (python, *argv[1:])
        self.trial = Trial(number, new_argv, tuple(argv), watch, limit, self.edition)
        self._end()

    def reason(self, end: str) -> str:
        """Return why a brain has ended, which may be we."""
        trial = self.trial
        if trial is None or trial.is_over:
            return end
        if not trial.is_begun:
            return "was ended for an upgrade"
        return f"{end} ({trial.problem})" if trial.problem else end

    def next_argv(self, argv: tuple[str, ...], end: str) -> tuple[str, ...]:
        """Return the command of the next brain, the one before having ended like this."""
        trial = self.trial
        if trial is None or trial.is_over:
            return argv
        if not trial.is_begun:
            trial.is_begun = True
            self._wait(trial.limit, f"it did not serve in {trial.limit:g} s")
            return trial.argv
        self._settle(f"failed: {end}")
        return trial.argv_before

    def complain(self, sentence: str) -> None:
        """Be told why the brain can not serve."""
        if self.is_under_way and self.trial is not None and self.trial.is_begun:
            self.trial.problem = sentence

    def became_ready(self) -> None:
        """Be told that the brain serves."""
        if self.is_under_way and self.trial is not None and self.trial.is_begun:
            self._after(self.trial.watch, self._ask_it)

    def answered(self) -> None:
        """Be told that the brain goes on."""
        if self.is_under_way and self.trial is not None and self.trial.is_begun:
            self._settle("done")

    def close(self) -> None:
        """Watch nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _ask_it(self) -> None:
        if self._ask():
            self._wait(ANSWER_LIMIT, f"it did not answer for {ANSWER_LIMIT:g} s")
        else:
            self.answered()

    def _wait(self, seconds: float, problem: str) -> None:
        self._after(seconds, lambda: self._fail(problem))

    def _fail(self, problem: str) -> None:
        if self.trial is not None:
            self.trial.problem = problem
            self._end()

    def _settle(self, outcome: str) -> None:
        self.close()
        if self.trial is not None:
            self.trial.outcome = outcome
            self._on_change()

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        self.close()
        self._timer = self._loop.call_later(seconds, then)
