"""What the fleet asks of a store of keys: ordered revisions, leases, and writes on a condition.

etcd is one (`etcd.py`); the other lives in memory, for simulations and tests (`memory_store.py`).
Another one is named by an entry point ``cvec_circus.fleet_stores``: a callable that takes the
agent's settings and returns a `Store`. The same tests are run against all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cvec_circus_core.api import CircusError


class StoreFailure(CircusError):
    """The store can not be reached, or can not do what was asked."""


class LeaseExpired(CircusError):
    """A lease is not there any more, nor is any key that was bound to it."""


class HistoryLost(CircusError):
    """Changes of the wanted revision are not kept any more: everything has to be read again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of the store."""

    key: str
    value: str
    created_at: int
    """The revision that created it: a number that never comes again, so a fencing token."""
    changed_at: int
    """The revision of its last change."""
    lease: int = 0
    """The lease with which it ends; 0 for none."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All keys below some prefixes, as they were at one revision."""

    entries: Mapping[str, Entry]
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """A key that was written, or removed where there is no entry."""

    key: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition of a write: that a key is still the one that this revision created.

    Revision 0 means that the key is not there.
    """

    key: str
    created_at: int


class Store(Protocol):
    """A store of keys. Every method may raise `StoreFailure`."""

    async def read(self, *prefixes: str) -> Snapshot:
        """Return all keys below some prefixes."""

    async def write(
        self,
        values: Mapping[str, str | None],
        *,
        lease: int = 0,
        guards: Sequence[Guard] = (),
    ) -> int:
        """Write keys, None removing one, all or none; return the revision.

        It is 0 where a guard does not hold, and nothing was written then. Keys that are written are
        bound to the ``lease``, where one is given. Raises `LeaseExpired`.
        """

    async def grant(self, seconds: int) -> int:
        """Return a new lease that is good for so long from now."""

    async def renew(self, lease: int) -> float:
        """Make a lease good for its whole time again; return that, in seconds.

        Raises `LeaseExpired`.
        """

    async def revoke(self, lease: int) -> None:
        """End a lease, and remove its keys. One that has ended is no error."""

    def watch(self, prefix: str, revision: int) -> AsyncIterator[Sequence[Change]]:
        """Yield the changes below a prefix from this revision on, without end.

        Raises `HistoryLost`, and `StoreFailure` where the connection breaks.
        """

    async def close(self) -> None:
        """Close all connections."""
