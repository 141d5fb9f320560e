"""Flapping: a watcher whose processes keep dying is stopped, tried again later, and given up.

What counts is a death that nobody asked for, per slot: two workers that die once each do not flap.
The daemon slows a crash loop down by itself; this plugin ends it. What it does to a watcher:

    WATCHED    deaths are counted
    STOPPING   it was stopped, with a reason; counts when the stop event tells this reason
    RESTING    it is down; after ``retry_in`` seconds it is started, if the reason still stands
    RETRIED    it was started and has not come up yet
    GIVEN_UP   down for good, until somebody starts it

An operator's word counts more: the daemon ignores a stop with a reason where one has stopped the
watcher already, and a start for a reason where the reason does not stand any more. A start by an
operator begins anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar

from cvec_circus_core.api import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    CallError,
    CircusPlugin,
    declared_options,
    option,
    read_setting,
)

log = logging.getLogger("circus.plugins.flapping")

ASKED_FOR = frozenset({"stopped", "killed", "expired", "reloaded", "unready"})
"""Reasons of a death that is none of ours; a rollout answers for those that were not ready yet."""
PREFIX = "flapping."
RULE_HOLDS = 0.5
"""Seconds. To hear of every option that anybody sets would cost more than to ask now and then."""
OLDER_OPTIONS = {
    "flapping_attempts": "attempts",
    "flapping_window": "window",
    "retry_in": "retry_in",
}
BUSY = 5
"""Errno of a daemon that has no time for this: an older one, in the middle of a supervision."""
BUSY_PAUSE = 0.2


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
    window: float = option(1.0, NUMBER, "seconds within which they have to fall")
    retry_in: float = option(7.0, NUMBER, "seconds of rest before it is tried again")
    max_retry: int = option(5, INTEGER, "rounds before it is given up; -1 for no limit")
    active: bool = option(True, BOOLEAN, "false leaves watchers alone, all of them or this one")

    def with_options(self, options: Mapping[str, Any], whose: str) -> Rule:
        """Return the rule with what options say; those that can not be read are told in the log."""
        said: dict[str, Any] = {}
        for key, one in declared_options(Rule).items():
            if key not in options:
                continue
            try:
                said[key] = read_setting(one, options[key])
            except ValueError as error:
                log.warning(
                    "flapping: %s of %s isn't %s: %r; %r counts",
                    *(key, whose, error, options[key], getattr(self, key)),
                )
        return replace(self, **said)


@dataclass(slots=True)
class Record:
    """What is known about one watcher."""

    rule: Rule = field(default_factory=Rule)
    rule_until: float = 0.0
    """When the rule has to be asked for again: an option may have been set."""
    phase: Phase = Phase.WATCHED
    deaths: dict[Any, deque[float]] = field(default_factory=dict)
    rounds: int = 0
    up_at: float = 0.0
    """When it came up after the last new start."""
    reason: str = ""
    is_final: bool = False
    """Whether this stop is the one that gives up."""
    timer: asyncio.TimerHandle | None = None

    def begin_anew(self) -> None:
        """Forget everything but the rule."""
        if self.timer is not None:
            self.timer.cancel()
        self.phase, self.rounds, self.reason, self.timer = Phase.WATCHED, 0, "", None
        self.deaths.clear()


class Flapping(CircusPlugin):
    """Stops watchers whose processes die too often, tries them again, and gives up.

    Options are for all watchers here, and for one with the prefix ``flapping.`` in its section.
    """

    name = "flapping"
    kinds = frozenset({"reap", "kill", "start", "stop", "remove"})
    settings_type: ClassVar[type[Rule]] = Rule
    settings: Rule

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.rule = self.settings
        self.records: dict[str, Record] = {}
        self._killed: set[int] = set()

    def handle_recv(self, data: Any) -> None:
        """Take in one event."""
        watcher, event, message = self.split_data(data)
        body = self.load_message(message)
        name = body.get("watcher") or watcher
        if event == "reap":
            self._on_death(name, body)
        elif event == "kill":
            self._killed.add(body["process_pid"])
        elif event == "remove":
            self._forget(name)
        elif name in self.records:
            self._on_change(name, self.records[name], event, body)

    def handle_stop(self) -> None:
        """Try nothing any more."""
        for one in self.records.values():
            one.begin_anew()

    def _on_death(self, name: str, body: Mapping[str, Any]) -> None:
        # A daemon of the older kind tells no reason: there a signal before tells that it was asked.
        asked_for = body["process_pid"] in self._killed
        self._killed.discard(body["process_pid"])
        if body["reason"] in ASKED_FOR if "reason" in body else asked_for:
            return
        record = self.records.setdefault(name, Record())
        rule = self._rule_at(body["time"], name, record)
        if not rule.active or record.phase is Phase.STOPPING:
            return
        deaths = record.deaths.setdefault(body.get("process_id"), deque())
        deaths.append(body["time"])
        while len(deaths) > max(1, rule.attempts):
            deaths.popleft()
        if len(deaths) >= rule.attempts and deaths[-1] - deaths[0] <= rule.window:
            self._on_flapping(name, record, rule, body)

    def _on_flapping(self, name: str, record: Record, rule: Rule, body: Mapping[str, Any]) -> None:
        wid = body.get("process_id")
        record.deaths.clear()
        lived = body["time"] - record.up_at
        if record.phase is not Phase.RETRIED and lived > rule.window + rule.retry_in:
            record.rounds = 0  # It was well for a while.
        gives_up = 0 <= rule.max_retry <= record.rounds
        record.rounds += not gives_up
        record.is_final = gives_up
        record.reason = _reason(rule, record, wid)
        record.phase = Phase.STOPPING
        log.warning("watcher %s: %s", name, record.reason)
        self._stop(name, record)
        self._ask(
            "announce",
            name=name,
            event="flapping",
            body={
                "process_id": wid,
                "attempts": rule.attempts,
                "window": rule.window,
                "round": record.rounds,
                "retry_in": None if gives_up else rule.retry_in,
                "gave_up": gives_up,
            },
        )

    def _stop(self, name: str, record: Record) -> None:
        reply = self._ask("stop", name=name, match="simple", reason=record.reason)
        if reply.get("errno") == BUSY and self.loop is not None and record.timer is None:
            record.timer = self.loop.call_later(BUSY_PAUSE, self._stop_again, name, record)
        elif reply.get("status") == "error":
            record.begin_anew()

    def _stop_again(self, name: str, record: Record) -> None:
        record.timer = None
        if record.phase is Phase.STOPPING:
            self._stop(name, record)

    def _on_change(self, name: str, record: Record, event: str, body: Mapping[str, Any]) -> None:
        if event == "stop":
            self._on_stopped(name, record, body)
        elif event == "start" and record.phase is Phase.RETRIED:
            record.phase, record.up_at = Phase.WATCHED, body["time"]
        elif event == "start" and record.phase is not Phase.STOPPING:
            record.begin_anew()

    def _on_stopped(self, name: str, record: Record, body: Mapping[str, Any]) -> None:
        told = body.get("reason") if "watcher" in body else record.reason  # as above
        ours = record.phase is Phase.STOPPING and told == record.reason
        if not ours or self.loop is None:
            record.begin_anew()
            return
        if record.is_final:
            record.phase = Phase.GIVEN_UP
        else:
            record.phase = Phase.RESTING
            record.timer = self.loop.call_later(record.rule.retry_in, self._retry, name, record)

    def _retry(self, name: str, record: Record) -> None:
        record.timer = None
        record.phase = Phase.RETRIED
        reply = self._ask("start", name=name, match="simple", stopped_for=record.reason)
        if reply.get("errno") == BUSY and self.loop is not None:
            record.phase = Phase.RESTING
            record.timer = self.loop.call_later(BUSY_PAUSE, self._retry, name, record)
        elif reply.get("status") == "error" or reply.get("started") == []:
            log.info("watcher %s: not tried again, somebody else has decided on it", name)
            record.begin_anew()

    def _rule_at(self, now: float, name: str, record: Record) -> Rule:
        if now >= record.rule_until:
            record.rule, record.rule_until = self._rule_of(name), now + RULE_HOLDS
        return record.rule

    def _rule_of(self, name: str) -> Rule:
        options = self._ask("options", name=name).get("options") or {}
        own = {short: options[old] for old, short in OLDER_OPTIONS.items() if old in options}
        own.update(
            {
                key.removeprefix(PREFIX): one
                for key, one in options.items()
                if key.startswith(PREFIX)
            }
        )
        return self.rule.with_options(own, f"watcher {name}")

    def _ask(self, command: str, **props: Any) -> dict[str, Any]:
        try:
            reply = self.call(command, **props)
        except CallError as error:
            log.warning("flapping: %s of %s: %s", command, props["name"], error)
            return {"status": "error"}
        if reply.get("status") == "error":
            log.info("flapping: %s of %s: %s", command, props["name"], reply.get("reason"))
        return reply

    def _forget(self, name: str) -> None:
        record = self.records.pop(name, None)
        if record is not None:
            record.begin_anew()


def _reason(rule: Rule, record: Record, wid: Any) -> str:
    who = "processes" if wid is None else f"process {wid}"
    what = f"flapping: {who} died {rule.attempts} times in {rule.window:g} s"
    if record.is_final:
        tries = "1 try" if record.rounds == 1 else f"{record.rounds} tries"
        return f"{what}; given up after {tries}"
    limit = "" if rule.max_retry < 0 else f" of {rule.max_retry}"
    return f"{what}; try {record.rounds}{limit} comes after {rule.retry_in:g} s"
