"""Brings the daemon of one host to what the fleet wants of it.

Watchers of the fleet are ordinary watchers of the daemon, known by a free-form option. What a
daemon has is asked of it once, and again where it answers other than expected: it may have been
restarted, or an operator may have removed one by hand. One watcher that the daemon refuses stops
no other; the reason is kept, shown to the fleet, and it is tried again with growing pauses.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cvec_circus_core.api import CallError, JsonValue, escaped, name_key
from cvec_circus_plugins.fleet.wanted import MARK

log = logging.getLogger("circus.plugins.fleet")

_KEYS = "fleet.keys"
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class Ask(Protocol):
    """Sends a command to the daemon and gives the reply. Raises `CallError`."""

    def __call__(self, command: str, /, **props: JsonValue) -> Awaitable[dict[str, Any]]: ...


@dataclass(frozen=True)
class LocalPlan:
    """What the daemon is to run of one watcher."""

    name: str
    options: Mapping[str, Any]
    digest: str
    count: int


@dataclass
class _Present:
    digest: str
    keys: frozenset[str]
    count: int


@dataclass
class _Refusal:
    reason: str
    pause: float
    again_at: float
    digest: str


class LocalWatchers:
    """The watchers of the fleet at one daemon."""

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        self._ask = ask
        self._now = now
        self._present: dict[str, _Present] = {}
        self._is_stale = True
        self._refusals: dict[str, _Refusal] = {}

    @property
    def refusals(self) -> Mapping[str, str]:
        """Why watchers could not be brought to what is wanted, by name."""
        return {name: refusal.reason for name, refusal in self._refusals.items()}

    @property
    def retry_at(self) -> float | None:
        """When the next refused one is to be tried again."""
        return min((refusal.again_at for refusal in self._refusals.values()), default=None)

    @property
    def names(self) -> frozenset[str]:
        """Those that the daemon has, by key."""
        return frozenset(self._present)

    def forget(self) -> None:
        """Ask the daemon again what it has."""
        self._is_stale = True

    async def look(self) -> None:
        """Ask the daemon which watchers of the fleet it has. Raises `CallError`."""
        if not self._is_stale:
            return
        present = {}
        for name in (await self._asked("list"))["watchers"]:
            try:
                reply = await self._asked("get", name=name, keys=[MARK, _KEYS, "numprocesses"])
            except _Refused:
                continue  # it has no mark, so it is none of ours, or it is gone meanwhile
            options = reply["options"]
            keys = frozenset(str(options[_KEYS]).split())
            present[name_key(name)] = _Present(
                str(options[MARK]), keys, int(options["numprocesses"])
            )
        self._present = present
        self._is_stale = False

    async def ensure(self, plan: LocalPlan) -> bool:
        """Add a watcher or change it, and tell whether it is as wanted. Raises `CallError`."""
        key = name_key(plan.name)
        refusal = self._refusals.get(key)
        if refusal is not None and refusal.digest == plan.digest and self._now() < refusal.again_at:
            return False
        try:
            await self._ensure(key, plan)
        except _Refused as error:
            self._refuse(key, plan, error)
            return False
        self._refusals.pop(key, None)
        return True

    async def remove(self, name: str) -> None:
        """Stop a watcher and forget it; its processes are gone then. Raises `CallError`."""
        key = name_key(name)
        self._refusals.pop(key, None)
        if key not in self._present:
            return
        log.info("fleet: watcher %s is no more to run here", name)
        try:
            await self._asked("rm", name=name, waiting=True)
        except _Refused as error:
            self.forget()
            await self.look()
            if key in self._present:
                raise CallError(f"watcher {name} can not be removed: {error}") from None
        self._present.pop(key, None)

    async def kill(self, name: str) -> None:
        """End the processes of a watcher at once, and start no others. Raises `CallError`."""
        try:
            await self._asked("set", name=name, options={"graceful_timeout": 0})
            await self._asked("stop", name=name, waiting=True)
        except _Refused:
            return

    async def _ensure(self, key: str, plan: LocalPlan) -> None:
        options = {**plan.options, "numprocesses": plan.count}
        marks = {MARK: plan.digest, _KEYS: " ".join(sorted(options))}
        present = self._present.get(key)
        if present is not None and present.digest != plan.digest:
            if present.keys - set(options):
                # What was said before and is not said any more can not be taken back by set.
                await self.remove(plan.name)
                present = None
            else:
                await self._change(plan.name, {**options, **marks})
        if present is None:
            command = str(options.pop("cmd"))
            log.info("fleet: watcher %s is to run here", plan.name)
            await self._asked(
                "add", name=plan.name, cmd=command, options={**options, **marks}, start=True
            )
        elif present.digest == plan.digest and present.count != plan.count:
            await self._change(plan.name, {"numprocesses": plan.count})
        keys = frozenset(marks[_KEYS].split())
        self._present[key] = _Present(plan.digest, keys, plan.count)

    async def _change(self, name: str, options: Mapping[str, Any]) -> None:
        await self._asked("set", name=name, options=dict(options))

    async def _asked(self, command: str, **props: JsonValue) -> dict[str, Any]:
        reply = await self._ask(command, **props)
        if reply.get("status") == "error":
            raise _Refused(str(reply.get("reason")))
        return reply

    def _refuse(self, key: str, plan: LocalPlan, error: _Refused) -> None:
        self.forget()
        before = self._refusals.get(key)
        pause = min(_LONGEST_PAUSE, before.pause * 2) if before else _FIRST_PAUSE
        reason = escaped(str(error))
        if before is None or before.reason != reason:
            log.warning(
                "fleet: watcher %s can not run here: %s; trying again in %g s",
                *(plan.name, reason, pause),
            )
        self._refusals[key] = _Refusal(reason, pause, self._now() + pause, plan.digest)


class _Refused(Exception):
    """The daemon refuses a command."""
