"""More numbers about processes, from packages that implement ``circus_extra_stats``.

Each contributor is asked in a thread of its own, all at the same time, and waited for a moment
only. One that fails, or answers what can not be sent, is named in the log once for each kind of
failure and its numbers are left out; one that hangs is not asked again before it has returned. The
threads are daemon threads, so that none of them keeps the program from ending.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.model.views import StatsSubject

log = logging.getLogger(__name__)

HOOK = "circus_extra_stats"
PATIENCE = 2.0
"""Seconds that the answer of a look waits for contributors."""

Extras = dict[int, dict[str, Any]]
"""What is added, by pid and by the name of the number."""


class ExtraStats:
    """Gathers what the installed packages know."""

    def __init__(self, hooks: Hooks, patience: float = PATIENCE) -> None:
        self._contributors = [_Contributor(name, ask) for name, ask in hooks.callers(HOOK)]
        self._patience = patience

    @classmethod
    def installed(cls) -> ExtraStats:
        """Return those of every installed package."""
        return cls(Hooks.installed())

    async def of(self, subjects: Sequence[StatsSubject]) -> Extras:
        """Return what is known of these processes; those of whom nothing is known are left out."""
        extras: Extras = {}
        if not subjects or not self._contributors:
            return extras
        answers = [
            (contributor, answer)
            for contributor in self._contributors
            if (answer := contributor.ask(subjects))
        ]
        if answers:
            await asyncio.wait([answer for _, answer in answers], timeout=self._patience)
        pids = frozenset(subject.pid for subject in subjects)
        for contributor, answer in answers:
            if answer.done():
                contributor.put(answer.result(), pids, extras)
            else:
                contributor.tell("hangs", "it is not asked again before it has returned")
        return extras


class _Contributor:
    """One plugin that implements the hook."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        self._function = function
        self._busy = False
        self._told: set[str] = set()

    def ask(self, subjects: Sequence[StatsSubject]) -> asyncio.Future[Any] | None:
        """Ask in a thread; None while the last question is not answered."""
        if self._busy:
            return None
        self._busy = True
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def work() -> None:
            try:
                result = self._function(processes=subjects)
            except BaseException as error:  # also SystemExit: it is somebody else's code
                result = error
            self._busy = False
            try:
                loop.call_soon_threadsafe(answer.set_result, result)
            except RuntimeError:
                pass  # The loop has come to its end meanwhile.

        thread = threading.Thread(target=work, name=f"extra stats {self._name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._busy = False
            answer.set_result(error)
        return answer

    def put(self, said: object, known: frozenset[int], found: Extras) -> None:
        """Put what was answered where it belongs; what was there first stays."""
        if said is None:
            return
        if isinstance(said, BaseException):
            self.tell(f"failed with {type(said).__name__}", str(said), said)
            return
        if not isinstance(said, Mapping):
            self.tell("gave no mapping", f"but {type(said).__name__}")
            return
        for pid, numbers in said.items():
            if pid not in known or not isinstance(numbers, Mapping):
                self.tell("gave something strange", f"{pid!r}: {numbers!r}")
                continue
            place = found.setdefault(pid, {})
            for key, value in numbers.items():
                if not isinstance(key, str) or not _can_be_sent(value):
                    self.tell("gave what can not be sent", f"{key!r}: {value!r}")
                elif place.setdefault(key, value) is not value:
                    self.tell(f"gave {key}", "and so did another one")

    def tell(self, what: str, more: str, error: BaseException | None = None) -> None:
        """Write a failure to the log, the first time that it happens."""
        if what not in self._told:
            self._told.add(what)
            log.warning(
                "kernel plugin %s %s in %s (%.200s); its numbers are left out (told once)",
                self._name,
                what,
                HOOK,
                more,
                exc_info=error,
            )


def _can_be_sent(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, int | str)
