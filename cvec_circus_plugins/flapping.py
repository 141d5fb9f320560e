"""Flapping: processes that keep dying are told of; where that is wanted, their watcher is stopped.

What counts is a death that nobody asked for, per slot: two workers that die once each do not flap,
and a normal exit (0) is no death. The daemon slows a crash loop down by itself, slot by slot, and
goes on with all others, for ever. So by default this plugin only tells of slots that flap. An
operator who writes a section for it, or an option ``flapping.…`` into one of a watcher, wants more:
where so many processes of a watcher flap that the rest are no use (``share``), it is stopped, tried
again later, and at last given up. Time is the plugin's own monotonic clock; what events say is wall
time, which may jump. What it does to a watcher:

    WATCHED    deaths are counted
    STOPPING   it was stopped, with a reason; counts when the stop event tells this reason
    RESTING    it is down; after ``retry_in`` seconds it is started, if the reason still stands
    RETRIED    it was started and has not come up yet
    GIVEN_UP   down for good, until an operator starts it

An operator's word counts more: the daemon ignores a stop with a reason where one has stopped the
watcher already, and a start for a reason where the reason does not stand any more. A start by an
operator begins anew.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from cvec_circus_core.api import CallError, CircusPlugin, JsonValue, unix_time
from cvec_circus_plugins._flapping import Phase, Record, Rule, in_words, reason_of, round_of

log = logging.getLogger("circus.plugins.flapping")

ASKED_FOR = frozenset({"stopped", "killed", "expired", "reloaded", "unready"})
"""Reasons of a death that is none of ours; a rollout answers for those that were not ready yet."""
PREFIX = "flapping."
RULE_HOLDS = 0.5
"""Seconds. To hear of every option that is set would cost more than to ask now and then."""
OLDER_OPTIONS = {
    "flapping_attempts": "attempts",
    "flapping_window": "window",
    "retry_in": "retry_in",
}
MOST_LATE = 60.0
"""Seconds that an event may have waited to be heard."""
BUSY = 5
"""Errno of a daemon that has no time for this: an older one, in the middle of a supervision."""
BUSY_PAUSE = 0.2


class Flapping(CircusPlugin):
    """Tells of processes that die too often, and stops their watchers where that is wanted.

    Options are for all watchers here, and for one with the prefix ``flapping.`` in its section.
    """

    name = "flapping"
    kinds = frozenset({"reap", "kill", "start", "stop", "remove"})
    settings_type: ClassVar[type[Rule]] = Rule
    settings: Rule

    def __init__(self, *args: Any, **config: Any) -> None:
        # Runs though no operator has asked for it: then it stops nothing.
        self._is_asked_for = not config.pop("by_default", False)
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

    def handle_init(self) -> None:
        """Go on with the watchers that an earlier one of us has stopped and not started again."""
        statuses = self._ask("status").get("statuses") or {}
        for name in [name for name, status in statuses.items() if status == "stopped"]:
            reason = str(self._ask("status", name=name, match="simple").get("reason") or "")
            tries = round_of(reason)
            if tries is None or self.loop is None:
                continue
            record = self.records.setdefault(name, Record())
            rule = self._rule_at(self._now(), name, record)
            record.reason, record.rounds, record.is_final = reason, tries, not tries
            record.phase = Phase.GIVEN_UP
            if tries:
                record.phase = Phase.RESTING
                record.timer = self.loop.call_later(rule.retry_in, self._retry, name, record)

    def handle_stop(self) -> None:
        """Try nothing any more."""
        for record in self.records.values():
            record.begin_anew()

    def _on_death(self, name: str, body: Mapping[str, Any]) -> None:
        # A daemon of the older kind tells no reason: there a signal before tells that it was asked.
        asked_for = body["process_pid"] in self._killed
        self._killed.discard(body["process_pid"])
        if body["reason"] in ASKED_FOR if "reason" in body else asked_for:
            return
        # One of the older kind starts it again at full speed, whatever its exit code.
        if body.get("exit_code") == 0 and "reason" in body:
            return
        record, now = self.records.setdefault(name, Record()), self._now()
        rule = self._rule_at(now, name, record)
        if not rule.active or record.phase is Phase.STOPPING:
            return
        wid = body.get("process_id")
        has_begun = record.count_death(wid, now - _heard_late(body.get("time")))
        if record.may_stop and record.is_hopeless(wid, now):
            self._end(name, record, wid, now)
        elif has_begun:
            log.warning("watcher %s: %s", name, in_words(rule, wid))
            self._announce(name, record, wid)

    def _end(self, name: str, record: Record, wid: int | None, now: float) -> None:
        """Stop a watcher that flaps."""
        rule = record.rule
        record.deaths.clear()
        record.flapping.clear()
        lived = now - record.up_at
        if record.phase is not Phase.RETRIED and lived > rule.window + rule.retry_in:
            record.rounds = 0  # It was well for a while.
        gives_up = 0 <= rule.max_retry <= record.rounds
        record.rounds += not gives_up
        record.is_final = gives_up
        record.reason = reason_of(rule, record, wid)
        record.phase = Phase.STOPPING
        log.warning("watcher %s: %s", name, record.reason)
        self._stop(name, record)
        self._announce(name, record, wid)

    def _announce(self, name: str, record: Record, wid: int | None) -> None:
        stops = record.phase is Phase.STOPPING
        gave_up = stops and record.is_final
        self._ask(
            "announce",
            name=name,
            event="flapping",
            body={
                "process_id": wid,
                "attempts": record.rule.attempts,
                "window": record.rule.window,
                "stopped": stops,
                "round": record.rounds,
                "retry_in": record.rule.retry_in if stops and not gave_up else None,
                "gave_up": gave_up,
            },
        )

    def _stop(self, name: str, record: Record) -> None:
        final = {"for_good": True} if record.is_final else {}
        reply = self._ask("stop", name=name, match="simple", reason=record.reason, **final)
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
            record.phase, record.up_at = Phase.WATCHED, self._now()
        elif event == "start" and record.phase is not Phase.STOPPING:
            record.begin_anew()

    def _on_stopped(self, name: str, record: Record, body: Mapping[str, Any]) -> None:
        reason = body.get("reason") if "watcher" in body else record.reason  # as above
        is_ours = record.phase is Phase.STOPPING and reason == record.reason
        if not is_ours or self.loop is None:
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
            options = self._ask("options", name=name).get("options") or {}
            own = _own_options(options)
            record.rule = self.rule.with_options(own, f"watcher {name}")
            record.rule_until = now + RULE_HOLDS
            record.may_stop = self._is_asked_for or bool(own)
            record.numprocesses = max(1, int(options.get("numprocesses") or 1))
        return record.rule

    def _now(self) -> float:
        """Return monotonic seconds."""
        return 0.0 if self.loop is None else self.loop.time()

    def _ask(self, command: str, **props: JsonValue) -> dict[str, Any]:
        try:
            reply = self.call(command, **props)
        except CallError as error:
            log.warning("flapping: %s of %s: %s", command, props.get("name"), error)
            return {"status": "error"}
        if reply.get("status") == "error":
            log.info("flapping: %s of %s: %s", command, props.get("name"), reply.get("reason"))
        return reply

    def _forget(self, name: str) -> None:
        record = self.records.pop(name, None)
        if record is not None:
            record.begin_anew()


def _heard_late(told_at: object) -> float:
    """Return how many seconds ago an event was told: one that was busy hears several at once.

    The time of day that it carries is compared with that of now. Where the clock was set between
    the two, the difference says nothing.
    """
    late = unix_time() - told_at if isinstance(told_at, int | float) else 0.0
    return late if 0.0 <= late <= MOST_LATE else 0.0


def _own_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the options of one watcher say about its flapping."""
    older = {short: options[old] for old, short in OLDER_OPTIONS.items() if old in options}
    prefixed = {
        key.removeprefix(PREFIX): setting
        for key, setting in options.items()
        if key.startswith(PREFIX)
    }
    return {**older, **prefixed}
