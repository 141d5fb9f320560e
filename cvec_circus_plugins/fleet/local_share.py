"""The share of one host: brings its daemon there, with claims for what runs once.

A claim is taken before the first process starts, and given back when the last one is gone. A claim
that is not ours any more ends its processes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from pathlib import Path

from cvec_circus_core.api import BadKeys, CallError, leash_command, name_key, rewrite
from cvec_circus_plugins.fleet.keys import Share, claim_key, share_key
from cvec_circus_plugins.fleet.local_watchers import LocalPlan, LocalWatchers
from cvec_circus_plugins.fleet.membership import Membership, handling
from cvec_circus_plugins.fleet.placement import Mode
from cvec_circus_plugins.fleet.store import Guard, StoreFailure
from cvec_circus_plugins.fleet.wanted import Wanted, WantedWatcher, from_json, leashed, to_json

log = logging.getLogger("circus.plugins.fleet")


class LocalShare:
    """What this host runs of its fleet."""

    def __init__(self, member: Membership, local: LocalWatchers) -> None:
        self._member = member
        self._local = local
        self._file = member.settings.state_folder / "share.json"
        self._last = _read(self._file)
        """What was wanted when the store was heard last."""
        self._fences: dict[str, int] = {}
        """The revisions of the claims that are ours, by watcher."""

    async def follow(self) -> None:
        """Wait for a change, and bring the daemon to the share of this host."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._until_retry()):
                await self._member.share_changed.wait()
        with handling(self._member.share_changed):
            await self._bring_about()
        self._member.state_changed.set()

    async def fence(self, reason: str) -> None:
        """End what runs once: the claims may be somebody else's soon."""
        names, self._fences = tuple(self._fences), {}
        for name in names:
            log.error("fleet: watcher %s is killed: %s", name, reason)
            with suppress(CallError):
                await self._end(name)

    def _until_retry(self) -> float | None:
        retry_at = self._local.retry_at
        if retry_at is None:
            return None
        return max(0.05, retry_at - asyncio.get_running_loop().time())

    async def _bring_about(self) -> None:
        target = self._target()
        if target is None:
            return
        wanted, share = target
        await self._local.look()
        await self._end_lost_claims()
        counts = {name_key(name): count for name, count in share.counts.items() if count > 0}
        for name in self._local.names - set(counts):
            await self._leave(name)
        failure: StoreFailure | None = None
        for name, count in counts.items():
            watcher = wanted.watchers.get(name)
            if watcher is None:
                continue
            try:
                plan = await self._plan(watcher, count)
            except StoreFailure as error:
                failure = error
                continue
            if plan is not None:
                await self._local.ensure(plan)
        if failure is not None:
            raise failure

    def _target(self) -> tuple[Wanted, Share] | None:
        """Return what is wanted of this host; None where nobody has said anything."""
        member = self._member
        if not member.is_known:
            return self._last
        if member.view.entry(share_key(member.host)) is None or not member.is_registered:
            return None
        share = member.view.share(member.host)
        wanted = member.view.wanted(share.number)
        if share.counts and not wanted.watchers:
            return None
        self._keep(wanted, share)
        return wanted, share

    def _keep(self, wanted: Wanted, share: Share) -> None:
        """Keep it for a start without the store."""
        if self._last == (wanted, share):
            return
        self._last = wanted, share
        content = {"number": wanted.number, "wanted": to_json(wanted), "share": share.to_json()}
        try:
            rewrite(str(self._file), lambda _: json.dumps(content))
        except BadKeys as error:
            log.warning("fleet: a start without the store will not know this share: %s", error)

    async def _plan(self, watcher: WantedWatcher, count: int) -> LocalPlan | None:
        if watcher.service.mode is not Mode.ONE:
            return LocalPlan(watcher.name, watcher.options, watcher.digest, count)
        fence = await self._claim(name_key(watcher.name))
        if not fence:
            return None
        options = leashed(watcher, leash_command(str(self._member.lease.deadline_file)), fence)
        return LocalPlan(watcher.name, options, f"{watcher.digest}.{fence}", 1)

    async def _claim(self, name: str) -> int:
        """Return the fence of a claim that is ours for certain; 0 where it is not."""
        member = self._member
        if not (member.lease.is_good and member.is_known):
            return 0
        entry = member.view.entry(claim_key(name))
        if entry is not None:
            if entry.value != member.host or entry.lease != member.lease.id:
                return 0
            self._fences[name] = entry.created_at
            return entry.created_at
        if name in self._fences:
            return self._fences[name]  # the view does not know yet
        key = member.key(claim_key(name))
        guards = [Guard(key, 0)]
        fence = await member.store.write({key: member.host}, lease=member.lease.id, guards=guards)
        if not (fence and member.lease.is_good):
            return 0
        log.info("fleet: watcher %s runs on this host alone, by claim %d", name, fence)
        self._fences[name] = fence
        return fence

    async def _end_lost_claims(self) -> None:
        view = self._member.view
        for name, fence in tuple(self._fences.items()):
            entry = view.entry(claim_key(name))
            is_lost = entry.created_at != fence if entry else view.revision > fence
            if is_lost and self._member.is_known:
                log.error("fleet: watcher %s is killed: its claim is not ours any more", name)
                del self._fences[name]
                await self._end(name)

    async def _end(self, name: str) -> None:
        await self._local.kill(name)
        await self._local.remove(name)

    async def _leave(self, name: str) -> None:
        """Stop a watcher, and give its claim back when the last process is gone."""
        await self._local.remove(name)
        fence = self._fences.get(name)
        if fence is not None:
            key = self._member.key(claim_key(name))
            await self._member.store.write({key: None}, guards=[Guard(key, fence)])
            self._fences.pop(name, None)


def _read(file: Path) -> tuple[Wanted, Share] | None:
    """Return what was wanted of this host when the store was seen last."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        share = json.loads(content["share"])
        return (
            from_json(int(content["number"]), content["wanted"]),
            Share(int(share["number"]), share["counts"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
