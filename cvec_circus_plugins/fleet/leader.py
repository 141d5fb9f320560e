"""The leader: the one host that computes what all run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import islice

from cvec_circus_plugins.fleet.keys import LEADER, Share, share_key
from cvec_circus_plugins.fleet.membership import Membership, handling
from cvec_circus_plugins.fleet.placement import by_host, place
from cvec_circus_plugins.fleet.store import Guard

log = logging.getLogger("circus.plugins.fleet")

_MOST_WRITES = 100
"""Keys in one transaction; etcd takes 128."""


async def lead(member: Membership) -> None:
    """Wait for a change; become the leader where there is none, and write shares as the leader."""
    await member.changed.wait()
    # Hosts come and go in groups: one computation for all of them.
    await asyncio.sleep(member.settings.settle)
    with handling(member.changed):
        await _lead(member)


async def _lead(member: Membership) -> None:
    if not (member.is_known and member.lease.is_good):
        return
    key = member.key(LEADER)
    leader = member.view.entry(LEADER)
    if leader is None:
        guards = [Guard(key, 0)]
        if await member.store.write({key: member.host}, lease=member.lease.id, guards=guards):
            log.info("fleet: this host computes what runs where")
    elif leader.value == member.host and leader.lease == member.lease.id:
        await _write_shares(member, Guard(key, leader.created_at))


async def _write_shares(member: Membership, guard: Guard) -> None:
    view = member.view
    wanted = view.wanted()
    if wanted.number and not wanted.watchers:
        return  # a revision that can not be read here; what runs stays
    hosts = view.hosts
    placement = place(wanted.services, [info.host for info in hosts.values()], view.counts)
    shares = by_host(placement.counts)
    values: dict[str, str | None] = {}
    for host in {*hosts, *view.shares}:
        # One that is gone loses its share, so that it does not come back with it.
        text = Share(wanted.number, shares.get(host, {})).to_json() if host in hosts else None
        if text != (view.value(share_key(host)) or None):
            values[member.key(share_key(host))] = text
    for keys in _batches(values):
        if not await member.store.write({key: values[key] for key in keys}, guards=[guard]):
            log.warning("fleet: another host computes what runs where meanwhile")
            return


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(keys)
    while batch := list(islice(iterator, _MOST_WRITES)):
        yield batch
