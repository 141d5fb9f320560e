"""What a host tells its fleet of its watchers: a key that is written when something has changed."""

from __future__ import annotations

import asyncio
import json

from cvec_circus_plugins.fleet.keys import state_key
from cvec_circus_plugins.fleet.local_watchers import Ask, LocalWatchers
from cvec_circus_plugins.fleet.membership import Membership, handling

_PAUSE = 0.5
"""Seconds between two reports, and after which is looked again at processes that were not ready."""

State = dict[str, str | int]


class StateReport:
    """The state of the watchers of one host, as the fleet knows it."""

    def __init__(self, member: Membership, local: LocalWatchers, ask: Ask) -> None:
        self._member = member
        self._local = local
        self._ask = ask
        self._states: dict[str, State] = {}
        self._touched: set[str] = set()
        self._written = ("", 0)
        """The last report, and the lease with which it ends."""

    def touch(self, name: str) -> None:
        """Take in that something has happened to a watcher."""
        self._touched.add(name)
        self._member.state_changed.set()

    async def tell(self) -> None:
        """Wait until something has happened, and tell the fleet."""
        member = self._member
        await member.state_changed.wait()
        await asyncio.sleep(_PAUSE)
        with handling(member.state_changed):
            if not member.is_registered:
                return
            await self._look()
            report = json.dumps(self._states, sort_keys=True), member.lease.id
            if report != self._written:
                key = member.key(state_key(member.host))
                await member.store.write({key: report[0]}, lease=member.lease.id)
                self._written = report
        if self._touched:
            asyncio.get_running_loop().call_later(_PAUSE, member.state_changed.set)

    async def _look(self) -> None:
        touched, self._touched = self._touched, set()
        refusals = self._local.refusals
        names = self._local.names | set(refusals)
        try:
            for name in names:
                if name not in self._states or name in touched or name in refusals:
                    self._states[name] = await self._state_of(name, refusals.get(name))
        except BaseException:
            self._touched |= touched
            raise
        for name in set(self._states) - names:
            del self._states[name]

    async def _state_of(self, name: str, refusal: str | None) -> State:
        reply = await self._ask("status", name=name)
        ready = int(reply.get("ready", 0))
        if ready < int(reply.get("running", 0)):
            # No event tells that a process has become ready.
            self._touched.add(name)
        is_error = reply.get("status") == "error"
        state: State = {"ready": ready, "status": "refused" if is_error else reply["status"]}
        reason = refusal or reply.get("reason")
        return {**state, "reason": str(reason)} if reason else state
