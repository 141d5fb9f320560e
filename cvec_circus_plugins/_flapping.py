"""Flapping, as far as it is judgement: what counts, when it is too much, and what is said then."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from math import floor
from typing import Any

from cvec_circus_core.api import (
    BOOLEAN,
    DURATION,
    INTEGER,
    NUMBER,
    Fault,
    between,
    declared_options,
    option,
    read_option,
)

log = logging.getLogger("circus.plugins.flapping")

_PROMISE = re.compile(
    r"flapping: .* died \d+ times in \S+ s; (?:try (\d+).* comes after \S+ s|given up after .*)"
)

LONGEST_PAUSE = 60.0
"""Seconds that the daemon may hold a crashing process back by itself (``retry_pause_max``)."""


class Phase(Enum):
    """What was done to a watcher."""

    WATCHED = "watched"
    STOPPING = "stopping"
    RESTING = "resting"
    RETRIED = "retried"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a watcher flaps, and what follows."""

    attempts: int = option(2, INTEGER, "deaths of one worker that are too many")
    window: float = option(1.0, DURATION, "seconds within which they have to fall")
    retry_in: float = option(7.0, DURATION, "seconds of rest before it is tried again")
    share: float = option(
        0.5, between(NUMBER, 0, 1), "stops all processes when more than this share of them flap"
    )
    max_retry: int = option(5, INTEGER, "rounds before it is given up; -1 for no limit")
    active: bool = option(True, BOOLEAN, "false leaves watchers alone, all of them or this one")

    def with_options(self, options: Mapping[str, Any], whose: str) -> Rule:
        """Return the rule with what options say; those that can not be read are told in the log."""
        values: dict[str, Any] = {}
        for key, declared in declared_options(Rule).items():
            if key not in options:
                continue
            try:
                values[key] = read_option(declared, options[key])
            except Fault as fault:
                log.warning(
                    "flapping: %s of %s %s: %r; %r counts",
                    *(key, whose, fault.sentence, options[key], getattr(self, key)),
                )
        return replace(self, **values)


@dataclass(slots=True)
class Record:
    """What is known about one watcher."""

    rule: Rule = field(default_factory=Rule)
    rule_until: float = 0.0
    """When the rule has to be asked for again: an option may have been set."""
    may_stop: bool = False
    """Whether an operator wants it stopped when it flaps; else that is only told."""
    numprocesses: int = 1
    """How many processes it is to have."""
    phase: Phase = Phase.WATCHED
    deaths: dict[int | None, deque[float]] = field(default_factory=dict)
    flapping: dict[int | None, float] = field(default_factory=dict)
    """The slots that flap, and when each died last."""
    rounds: int = 0
    up_at: float = 0.0
    """When it came up after the last new start."""
    reason: str = ""
    is_final: bool = False
    """Whether this stop is the one that gives up."""
    timer: asyncio.TimerHandle | None = None

    def count_death(self, wid: int | None, now: float) -> bool:
        """Take in the death of one slot's process; tell whether this slot has begun to flap."""
        rule = self.rule
        deaths = self.deaths.setdefault(wid, deque())
        deaths.append(max(now, deaths[-1]) if deaths else now)
        while len(deaths) > max(1, rule.attempts):
            deaths.popleft()
        is_quick = len(deaths) >= rule.attempts and deaths[-1] - deaths[0] <= rule.window
        was_flapping = self._still_flaps(wid, now)
        if is_quick or was_flapping:
            self.flapping[wid] = now
        else:
            self.flapping.pop(wid, None)
        return is_quick and not was_flapping

    def is_hopeless(self, wid: int | None, now: float) -> bool:
        """Tell whether too many slots flap for the others to be of use."""
        # A daemon of the older kind tells no slots: there the watcher is all that flaps.
        enough = (
            1
            if wid is None
            else min(floor(self.rule.share * self.numprocesses) + 1, self.numprocesses)
        )
        if len(self.flapping) < enough:
            return False
        self.flapping = {
            slot: at for slot, at in self.flapping.items() if self._still_flaps(slot, now)
        }
        return len(self.flapping) >= enough

    def _still_flaps(self, wid: int | None, now: float) -> bool:
        """Tell whether a slot has not lived for longer than its pauses since it began to flap."""
        at = self.flapping.get(wid)
        return at is not None and now - at <= self.rule.window + LONGEST_PAUSE

    def begin_anew(self) -> None:
        """Forget everything but the rule."""
        if self.timer is not None:
            self.timer.cancel()
        self.phase, self.rounds, self.reason, self.timer = Phase.WATCHED, 0, "", None
        self.deaths.clear()
        self.flapping.clear()


def round_of(reason: str) -> int | None:
    """Return the number of the try that a reason promises, 0 for none; None if it is not ours."""
    match = _PROMISE.fullmatch(reason)
    return None if match is None else int(match[1] or 0)


def in_words(rule: Rule, wid: int | None) -> str:
    """Return what happened, in words; without a wid it is about several processes."""
    who = "processes" if wid is None else f"process {wid}"
    return f"flapping: {who} died {rule.attempts} times in {rule.window:g} s"


def reason_of(rule: Rule, record: Record, wid: int | None) -> str:
    """Return why a watcher is stopped, and what comes next, in words."""
    sentence = in_words(rule, wid)
    if record.is_final:
        tries = "1 try" if record.rounds == 1 else f"{record.rounds} tries"
        return f"{sentence}; given up after {tries}"
    limit = "" if rule.max_retry < 0 else f" of {rule.max_retry}"
    return f"{sentence}; try {record.rounds}{limit} comes after {rule.retry_in:g} s"
