"""What makes a host a member of its fleet: a lease that it keeps, and the keys that it follows.

All parts of the agent (`agent.py`) work on this one picture.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from cvec_circus_core.api import __version__, boot_seconds
from cvec_circus_plugins.fleet.host_lease import HostLease
from cvec_circus_plugins.fleet.keys import LIVE, FleetView, host_key
from cvec_circus_plugins.fleet.settings import FleetSettings
from cvec_circus_plugins.fleet.store import Guard, LeaseExpired, Store, StoreFailure

log = logging.getLogger("circus.plugins.fleet")

_RETRY = 0.5

Fence = Callable[[str], Awaitable[None]]
"""Ends what runs once, for a reason."""


@contextmanager
def handling(event: asyncio.Event) -> Iterator[None]:
    """Have an event handled; where that fails, it is still to be handled."""
    event.clear()
    try:
        yield
    except BaseException:
        event.set()
        raise


class Membership:
    """One host in its fleet."""

    def __init__(self, settings: FleetSettings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.view = FleetView(settings.prefix)
        self.lease = HostLease(settings.state_folder, settings.margin)
        self.lease.load()
        self.is_known = False
        """Whether the store has been heard since the start."""
        self.changed = asyncio.Event()
        """Set for those who lead, when keys have changed."""
        self.share_changed = asyncio.Event()
        self.state_changed = asyncio.Event()

    @property
    def host(self) -> str:
        """The name of this host."""
        return self.settings.host

    @property
    def is_registered(self) -> bool:
        """Whether the fleet knows this host, and not another one of its name."""
        entry = self.view.entry(host_key(self.host))
        return entry is not None and entry.lease == self.lease.id

    def key(self, key: str) -> str:
        """Return a key of the fleet as the store knows it."""
        return self.settings.prefix + key

    async def keep_lease(self, fence: Fence) -> None:
        """Make the lease good once more, then wait until it is time for the next."""
        try:
            async with asyncio.timeout(self._patience):
                await self._renew()
        except (StoreFailure, OSError) as error:
            if not self.lease.is_good:
                reason = str(error) or "it takes too long"
                await fence(f"the lease could not be renewed ({reason})")
            # Where it is good for some moments more, these are not slept through.
            left = self.lease.remaining if self.lease.is_good else _RETRY
            await asyncio.sleep(min(_RETRY, max(0.05, left)))
        except LeaseExpired:
            await fence("the lease of this host has expired")
            self.lease.lost()
        else:
            await asyncio.sleep(self.settings.lease / 3)

    @property
    def _patience(self) -> float:
        """How long a renewal may take: not past the moment at which we must stop."""
        return max(0.05, self.lease.remaining) if self.lease.is_good else self.settings.lease

    async def _renew(self) -> None:
        sent_at = boot_seconds()
        if self.lease.id:
            was_good = self.lease.is_good
            seconds = await self.store.renew(self.lease.id)
            self.lease.renewed(self.lease.id, sent_at, seconds)
            if not was_good:
                # What runs once was ended here, though the store has not let the claims go; and
                # nobody has led meanwhile, if this is the leader.
                self._tell()
            if self.is_known and self.view.entry(host_key(self.host)) is None:
                await self._register()
            return
        seconds = round(self.settings.lease)
        lease = await self.store.grant(seconds)
        self.lease.renewed(lease, sent_at, seconds)
        await self._register()

    async def _register(self) -> None:
        key = self.key(host_key(self.host))
        content = {
            "labels": self.settings.label_values,
            "address": self.settings.address,
            "capacity": self.settings.capacity,
            "version": __version__,
        }
        values = {key: json.dumps(content)}
        if not await self.store.write(values, lease=self.lease.id, guards=[Guard(key, 0)]):
            log.warning(
                "fleet: the name %s is taken: by another host, or by this one before it was "
                "restarted, until its lease ends",
                self.host,
            )
            return
        log.info("fleet: this host is %s in the fleet %s", self.host, self.settings.fleet)
        self.state_changed.set()

    async def follow_keys(self) -> None:
        """Read all keys, then take in their changes, until the connection breaks."""
        prefix = self.settings.prefix
        snapshot = await self.store.read(*map(self.key, LIVE))
        self.view.reset(snapshot)
        if unread := self.view.unread(self.host):
            self.view.add(await self.store.read(*map(self.key, unread)))
        self.is_known = True
        self._tell()
        async for changes in self.store.watch(prefix, snapshot.revision + 1):
            keys = self.view.apply(changes)
            if any(not key.startswith("states/") for key in keys):
                self._tell()

    def _tell(self) -> None:
        self.changed.set()
        self.share_changed.set()
        # What is to be told of this host may have waited until the fleet knows it.
        self.state_changed.set()
