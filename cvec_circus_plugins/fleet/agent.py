"""The agent of one host: a plugin of its daemon that keeps it to its share of the fleet.

Four tasks go side by side, and meet in the view of the keys (`keys.py`):

* *lease*: renews the lease of the host. Where that fails for too long, what runs once is killed
  here, before the store gives its claims to others; a leash (`leash_command`) sees to that where
  this process does not.
* *watch*: follows the keys of the fleet; after a broken connection everything is read again.
* *lead*: takes the key of the leader where it is free, and as the leader computes the shares.
* *follow*: brings the daemon to the share of this host, takes claims first where they are needed,
  and gives them back when the last process is gone.

Where the store is out of reach nothing is stopped but what runs once. A start without it goes on
with the share that was seen last, from a file.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from cvec_circus_core.api import (
    CallError,
    CircusPlugin,
    ConfigError,
    __version__,
    boot_seconds,
    leash_command,
    name_key,
)
from cvec_circus_plugins.fleet.host_lease import HostLease
from cvec_circus_plugins.fleet.keys import (
    LEADER,
    FleetView,
    Share,
    claim_key,
    host_key,
    share_key,
    state_key,
)
from cvec_circus_plugins.fleet.local_watchers import LocalPlan, LocalWatchers
from cvec_circus_plugins.fleet.placement import Mode, by_host, place
from cvec_circus_plugins.fleet.settings import FleetSettings, open_store
from cvec_circus_plugins.fleet.store import Guard, HistoryLost, LeaseExpired, Store, StoreFailure
from cvec_circus_plugins.fleet.wanted import Wanted, WantedWatcher, from_json, leashed, to_json

log = logging.getLogger("circus.plugins.fleet")

_RETRY, _LONGEST_RETRY = 0.5, 5.0
_MOST_WRITES = 100
"""Keys in one transaction; etcd takes 128."""
_READY_PAUSE = 0.5
"""Seconds after which is looked again at processes that were not ready yet."""
_STATE_PAUSE = 0.5
"""Seconds between two reports of what runs here."""


class FleetAgent(CircusPlugin):
    """Runs this host's share of what a fleet of hosts runs together, with etcd as its memory.

    ``circusctl fleet`` applies a configuration, and shows what runs where.
    """

    name = "fleet"
    settings_type: ClassVar[type[FleetSettings]] = FleetSettings
    settings: FleetSettings
    timeout: ClassVar[float] = 120.0
    kinds: ClassVar[frozenset[str] | None] = frozenset(
        {"start", "stop", "spawn", "reap", "kill", "updated", "ready"}
    )

    def handle_config(self) -> None:
        """Look whether there is a place for what has to be kept. Raises `ConfigError`."""
        folder = self.settings.state_folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"folder {str(folder)!r} can not be made: {error.strerror}") from None

    async def handle_init(self) -> None:
        """Begin all tasks."""
        self._store: Store = open_store(self.settings)
        self._view = FleetView(self.settings.prefix)
        self._lease = HostLease(self.settings.state_folder, self.settings.margin)
        self._lease.load()
        loop = asyncio.get_running_loop()
        self._local = LocalWatchers(self.acall, loop.time)
        self._fences: dict[str, int] = {}
        """The revisions of the claims that are ours, by watcher."""
        self._offline: tuple[Wanted, Share] | None = _read_share(self._share_file)
        self._is_known = False
        """Whether the store has been heard since the start."""
        self._follow_wanted = asyncio.Event()
        self._lead_wanted = asyncio.Event()
        self._state_wanted = asyncio.Event()
        self._last_state = ""
        self._states: dict[str, dict[str, Any]] = {}
        self._touched: set[str] = set()
        self._tasks = [
            loop.create_task(self._forever(task), name=f"fleet {task.__name__}")
            for task in (self._keep_lease, self._watch, self._lead, self._follow, self._report)
        ]
        self._follow_wanted.set()

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Tell the fleet soon what has changed here."""
        name, _, message = self.split_data(data)
        body = self.load_message(message)
        self._touched.add(name_key(str(body.get("name") or name)))
        self._state_wanted.set()

    async def handle_stop(self) -> None:
        """End all tasks. Lease and claims stay: the processes do, too."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.close()

    @property
    def _share_file(self) -> Path:
        return self.settings.state_folder / "share.json"

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step again and again; a failure is told once, and costs a pause that grows."""
        pause, complaint = _RETRY, ""
        while True:
            try:
                await step()
            except (StoreFailure, LeaseExpired, HistoryLost, CallError) as error:
                if str(error) != complaint:
                    log.warning("fleet: %s; trying again", error)
                complaint = str(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_RETRY)
            except Exception:
                log.exception("fleet: a step has failed; trying again")
                await asyncio.sleep(_LONGEST_RETRY)
            else:
                pause, complaint = _RETRY, ""

    # The lease

    async def _keep_lease(self) -> None:
        """Make the lease good once more, then wait until it is time for the next."""
        try:
            async with asyncio.timeout(self._patience):
                await self._renew()
        except (StoreFailure, TimeoutError) as error:
            if not self._lease.is_good:
                await self._fence(f"the lease could not be renewed ({_reason(error)})")
            await asyncio.sleep(min(_RETRY, max(0.05, self._lease.remaining)))
            return
        except LeaseExpired:
            await self._fence("the lease of this host has expired")
            self._lease.lost()
            return
        await asyncio.sleep(self.settings.lease / 3)

    @property
    def _patience(self) -> float:
        """How long a renewal may take: not past the moment at which we must stop."""
        remaining = self._lease.remaining
        return max(0.05, remaining) if self._lease.is_good else self.settings.lease

    async def _renew(self) -> None:
        sent_at = boot_seconds()
        if self._lease.id:
            seconds = await self._store.renew(self._lease.id)
            self._lease.renewed(self._lease.id, sent_at, seconds)
            if self._is_known and self._view.entry(host_key(self.settings.host)) is None:
                await self._register()
            return
        lease = await self._store.grant(round(self.settings.lease))
        self._lease.renewed(lease, sent_at, round(self.settings.lease))
        await self._register()

    async def _register(self) -> None:
        key = host_key(self.settings.host)
        values = {
            self._key(key): json.dumps(
                {
                    "labels": self.settings.label_values,
                    "address": self.settings.address,
                    "capacity": self.settings.capacity,
                    "version": __version__,
                }
            )
        }
        guards = [Guard(self._key(key), 0)]
        if not await self._store.write(values, lease=self._lease.id, guards=guards):
            log.warning(
                "fleet: the name %s is taken: by another host, or by this one before it was "
                "restarted, until its lease ends",
                self.settings.host,
            )
            return
        log.info("fleet: this host is %s in the fleet %s", self.settings.host, self.settings.fleet)
        self._last_state = ""
        self._state_wanted.set()

    async def _fence(self, reason: str) -> None:
        """End what runs once: the claims may be somebody else's soon."""
        names, self._fences = tuple(self._fences), {}
        for name in names:
            log.error("fleet: watcher %s is killed: %s", name, reason)
        for name in names:
            with suppress(CallError):
                await self._local.kill(name)
                await self._local.remove(name)
        if names:
            self._local.forget()

    # The keys

    async def _watch(self) -> None:
        snapshot = await self._store.read(self.settings.prefix)
        self._view.reset(snapshot)
        self._is_known = True
        self._wake_all()
        async for changes in self._store.watch(self.settings.prefix, snapshot.revision + 1):
            changed = self._view.apply(changes)
            if any(not key.startswith("states/") for key in changed):
                self._wake_all()

    def _wake_all(self) -> None:
        self._lead_wanted.set()
        self._follow_wanted.set()

    def _key(self, key: str) -> str:
        return self.settings.prefix + key

    # The leader

    async def _lead(self) -> None:
        await self._lead_wanted.wait()
        # Hosts come and go in groups: one computation for all of them.
        await asyncio.sleep(self.settings.settle)
        self._lead_wanted.clear()
        if not (self._is_known and self._lease.is_good):
            return
        leader = self._view.entry(LEADER)
        if leader is None:
            key = self._key(LEADER)
            values = {key: self.settings.host}
            guards = [Guard(key, 0)]
            if await self._store.write(values, lease=self._lease.id, guards=guards):
                log.info("fleet: this host computes what runs where")
        elif leader.value == self.settings.host:
            await self._write_shares(Guard(self._key(LEADER), leader.created_at))

    async def _write_shares(self, guard: Guard) -> None:
        view = self._view
        wanted = view.wanted()
        if wanted.number and not wanted.watchers:
            return  # a revision that can not be read here; what runs stays
        hosts = [info.host for info in view.hosts.values()]
        placement = place(wanted.services, hosts, view.counts)
        shares = by_host(placement.counts)
        values: dict[str, str | None] = {}
        for host in {*view.hosts, *view.shares}:
            # One that is gone for a while loses its share, so that it does not come back with it.
            share = Share(wanted.number, shares.get(host, {})) if host in view.hosts else None
            text = share.to_json() if share else None
            if text != (view.value(share_key(host)) or None):
                values[self._key(share_key(host))] = text
        for keys in batched(values, _MOST_WRITES):
            if not await self._store.write({key: values[key] for key in keys}, guards=[guard]):
                log.warning("fleet: another host computes what runs where meanwhile")
                return

    # The share of this host

    async def _follow(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._until_retry()):
                await self._follow_wanted.wait()
        self._follow_wanted.clear()
        try:
            await self._bring_about()
        except BaseException:
            self._follow_wanted.set()
            raise
        self._state_wanted.set()

    def _until_retry(self) -> float | None:
        retry_at = self._local.retry_at
        if retry_at is None:
            return None
        return max(0.05, retry_at - asyncio.get_running_loop().time())

    async def _bring_about(self) -> None:
        """Bring the daemon to the share of this host."""
        target = self._target()
        if target is None:
            return
        wanted, share = target
        await self._local.look()
        await self._give_up_lost_claims()
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
        if not self._is_known:
            return self._offline
        entry = self._view.entry(share_key(self.settings.host))
        host = self._view.entry(host_key(self.settings.host))
        if entry is None or host is None or host.lease != self._lease.id:
            return None
        share = self._view.share(self.settings.host)
        wanted = self._view.wanted(share.number)
        if share.counts and not wanted.watchers:
            return None
        self._keep(wanted, share)
        return wanted, share

    def _keep(self, wanted: Wanted, share: Share) -> None:
        """Keep it for a start without the store."""
        if self._offline == (wanted, share):
            return
        self._offline = wanted, share
        content = {"number": wanted.number, "wanted": to_json(wanted), "share": share.to_json()}
        beside = self._share_file.with_suffix(".new")
        beside.write_text(json.dumps(content), encoding="utf-8")
        beside.replace(self._share_file)

    async def _plan(self, watcher: WantedWatcher, count: int) -> LocalPlan | None:
        if watcher.service.mode is not Mode.ONE:
            return LocalPlan(watcher.name, watcher.options, watcher.digest, count)
        fence = await self._claim(watcher.name)
        if not fence:
            return None
        words = leash_command(str(self._lease.deadline_file))
        options = leashed(watcher, words, fence)
        return LocalPlan(watcher.name, options, f"{watcher.digest}.{fence}", 1)

    # What runs once

    async def _claim(self, name: str) -> int:
        """Return the fence of a claim that is ours for certain; 0 where it is not."""
        name = name_key(name)
        if not self._lease.is_good:
            return 0
        entry = self._view.entry(claim_key(name)) if self._is_known else None
        if entry is not None:
            if entry.value != self.settings.host or entry.lease != self._lease.id:
                return 0
            self._fences[name] = entry.created_at
            return entry.created_at
        if name in self._fences:
            return self._fences[name]  # the view does not know yet
        if not self._is_known:
            return 0
        key = self._key(claim_key(name))
        guards = [Guard(key, 0)]
        fence = await self._store.write(
            {key: self.settings.host}, lease=self._lease.id, guards=guards
        )
        if fence and self._lease.is_good:
            log.info("fleet: watcher %s runs on this host alone, by claim %d", name, fence)
            self._fences[name] = fence
            return fence
        return 0

    async def _give_up_lost_claims(self) -> None:
        for name, fence in tuple(self._fences.items()):
            entry = self._view.entry(claim_key(name))
            is_lost = entry.created_at != fence if entry else self._view.revision > fence
            if self._is_known and is_lost:
                log.error("fleet: watcher %s is killed: its claim is not ours any more", name)
                del self._fences[name]
                await self._local.kill(name)
                await self._local.remove(name)

    async def _leave(self, name: str) -> None:
        """Stop a watcher, and give its claim back when the last process is gone."""
        await self._local.remove(name)
        self._states.pop(name, None)
        fence = self._fences.get(name)
        if fence is not None:
            key = self._key(claim_key(name))
            await self._store.write({key: None}, guards=[Guard(key, fence)])
            self._fences.pop(name, None)

    # What others see of it

    async def _report(self) -> None:
        """Tell the fleet what runs here."""
        await self._state_wanted.wait()
        await asyncio.sleep(_STATE_PAUSE)
        self._state_wanted.clear()
        host = self._view.entry(host_key(self.settings.host))
        if host is None or host.lease != self._lease.id:
            return
        try:
            await self._look_at_states()
            text = json.dumps(self._states, sort_keys=True)
            if text != self._last_state:
                key = self._key(state_key(self.settings.host))
                await self._store.write({key: text}, lease=self._lease.id)
                self._last_state = text
            if self._touched:
                asyncio.get_running_loop().call_later(_READY_PAUSE, self._state_wanted.set)
        except BaseException:
            self._state_wanted.set()
            raise

    async def _look_at_states(self) -> None:
        touched, self._touched = self._touched, set()
        refusals = self._local.refusals
        for name in self._local.names | set(refusals):
            if name in self._states and name not in touched and name not in refusals:
                continue
            reply = await self.acall("status", name=name)
            state = {"ready": reply.get("ready", 0), "status": reply.get("status", "")}
            if reply.get("ready", 0) < reply.get("running", 0):
                # No event tells that a process has become ready.
                self._touched.add(name)
            if reason := refusals.get(name) or reply.get("reason"):
                state["reason"] = str(reason)
            if reply.get("status") == "error":
                state["status"] = "refused"
            self._states[name] = state
        for name in set(self._states) - self._local.names - set(refusals):
            del self._states[name]


def batched(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield keys in lists of at most so many."""
    iterator = iter(keys)
    while batch := list(islice(iterator, size)):
        yield batch


def _read_share(path: Path) -> tuple[Wanted, Share] | None:
    """Return what was wanted of this host when the store was seen last."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        share = json.loads(content["share"])
        return (
            from_json(int(content["number"]), content["wanted"]),
            Share(int(share["number"]), share["counts"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _reason(error: Exception) -> str:
    return str(error) or "it takes too long"
