"""A store in memory, for tests and simulations: what etcd does, with a clock that is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from cvec_circus_plugins.fleet.store import (
    Change,
    Entry,
    Guard,
    HistoryLost,
    LeaseExpired,
    Snapshot,
    StoreFailure,
)


@dataclass
class _Lease:
    seconds: int
    ends_at: float
    keys: set[str] = field(default_factory=set)


class MemoryStore:
    """Keys, their history and leases of one simulated cluster, which several hosts may share."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._entries: dict[str, Entry] = {}
        self._leases: dict[int, _Lease] = {}
        self._lease_by_key: dict[str, int] = {}
        self._history: list[tuple[int, Change]] = []
        self._forgotten_to = 0
        self._changed = asyncio.Event()
        self.revision = 1
        self.writes = 0
        """How many writes there were, for those who count the traffic."""
        self.is_reachable = True
        """Whether it answers; a test or a simulation says no."""

    async def read(self, *prefixes: str) -> Snapshot:
        """Return all keys below some prefixes."""
        self._look()
        entries = {key: entry for key, entry in self._entries.items() if key.startswith(prefixes)}
        return Snapshot(entries, self.revision)

    async def write(
        self,
        values: Mapping[str, str | None],
        *,
        lease: int = 0,
        guards: Sequence[Guard] = (),
    ) -> int:
        """Write keys, all or none."""
        self._look()
        if not all(self._holds(guard) for guard in guards):
            return 0
        if lease and lease not in self._leases:
            raise LeaseExpired(f"lease {lease:x} has expired")
        self._apply(values, lease)
        return self.revision

    async def grant(self, seconds: int) -> int:
        """Return a new lease."""
        self._look()
        lease = len(self._leases) + self.revision * 1000 + 1
        while lease in self._leases:
            lease += 1
        self._leases[lease] = _Lease(seconds, self._now() + seconds)
        return lease

    async def renew(self, lease: int) -> float:
        """Make a lease good for its whole time again."""
        self._look()
        if lease not in self._leases:
            raise LeaseExpired(f"lease {lease:x} has expired")
        record = self._leases[lease]
        record.ends_at = self._now() + record.seconds
        return float(record.seconds)

    async def revoke(self, lease: int) -> None:
        """End a lease."""
        self._look()
        self._end(lease)

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[Sequence[Change]]:
        """Yield changes from a revision on."""
        seen = revision - 1
        while True:
            self._look()
            if seen < self._forgotten_to:
                raise HistoryLost(f"the changes since revision {revision} are not kept any more")
            batch = [
                change
                for at, change in self._history
                if at > seen and change.key.startswith(prefix)
            ]
            seen = self.revision
            if batch:
                yield batch
            else:
                await self._until_change()

    async def close(self) -> None:
        """Nothing is open."""

    def expire(self) -> None:
        """End the leases whose time is over, as etcd does by itself."""
        now = self._now()
        for lease in [lease for lease, record in self._leases.items() if record.ends_at <= now]:
            self._end(lease)

    def forget_history(self) -> None:
        """Keep no change up to now, as after a compaction."""
        self._forgotten_to = self.revision
        self._history.clear()

    async def _until_change(self) -> None:
        """Wait for a write, or for the next end of a lease."""
        ends = [record.ends_at - self._now() for record in self._leases.values()]
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, min(ends)) if ends else None):
                await self._changed.wait()

    def _look(self) -> None:
        if not self.is_reachable:
            raise StoreFailure("the store does not answer")
        self.expire()

    def _holds(self, guard: Guard) -> bool:
        entry = self._entries.get(guard.key)
        return (entry.created_at if entry else 0) == guard.created_at

    def _end(self, lease: int) -> None:
        record = self._leases.pop(lease, None)
        if record is not None and record.keys:
            self._apply(dict.fromkeys(sorted(record.keys)), 0)

    def _apply(self, values: Mapping[str, str | None], lease: int) -> None:
        self.revision += 1
        self.writes += 1
        for key, value in values.items():
            old = self._entries.pop(key, None)
            if (bound := self._lease_by_key.pop(key, 0)) in self._leases:
                self._leases[bound].keys.discard(key)
            entry = None
            if value is not None:
                created_at = old.created_at if old else self.revision
                entry = self._entries[key] = Entry(key, value, created_at, self.revision, lease)
                if lease:
                    self._leases[lease].keys.add(key)
                    self._lease_by_key[key] = lease
            elif old is None:
                continue
            self._history.append((self.revision, Change(key, entry)))
        self._changed.set()
        self._changed = asyncio.Event()
