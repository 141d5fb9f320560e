"""What an operator does with a fleet: apply, look, drain. Everything is in the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cvec_circus_core.api import BadMessage, Conflict, name_key, unix_time
from cvec_circus_plugins.fleet.keys import (
    CURRENT,
    LEADER,
    FleetView,
    HostInfo,
    drained_key,
    wanted_key,
)
from cvec_circus_plugins.fleet.placement import Mode, Service, place
from cvec_circus_plugins.fleet.store import Guard, Store
from cvec_circus_plugins.fleet.wanted import Wanted, read_wanted, to_json

KEPT_REVISIONS = 100


async def read_view(store: Store, prefix: str) -> FleetView:
    """Return the keys of a fleet as they are now."""
    view = FleetView(prefix)
    view.reset(await store.read(prefix))
    return view


async def apply(
    store: Store, prefix: str, text: str, file: str, author: str = "", *, only_plan: bool = False
) -> dict[str, Any]:
    """Make a configuration what is wanted from now on; return its number and what changes.

    Raises `BadConfig`, in which case nothing was changed, and `Conflict` where somebody else has
    applied one at the same moment.
    """
    watchers = read_wanted(text, file)
    view = await read_view(store, prefix)
    plan = plan_of(view, Wanted(watchers=watchers))
    if only_plan:
        return {"plan": plan}
    number = max(view.numbers, default=0) + 1
    wanted = Wanted(number, watchers, text, author, unix_time())
    values: dict[str, str | None] = {
        prefix + wanted_key(number): to_json(wanted),
        prefix + CURRENT: str(number),
    }
    for old in view.numbers[:-KEPT_REVISIONS]:
        values[prefix + wanted_key(old)] = None
    guards = [Guard(prefix + wanted_key(number), 0)]
    if not await store.write(values, guards=guards):
        raise Conflict("another configuration was applied at the same moment: try again")
    return {"number": number, "plan": plan}


async def roll_back(
    store: Store, prefix: str, number: int | None, author: str = ""
) -> dict[str, Any]:
    """Apply an earlier revision once more, the one before the present where none is said."""
    view = await read_view(store, prefix)
    current = view.wanted().number
    if number is None:
        earlier = [known for known in view.numbers if known < current]
        if not earlier:
            raise BadMessage("there is no earlier revision to go back to")
        number = earlier[-1]
    wanted = view.wanted(number)
    if not wanted.watchers:
        raise BadMessage(f"there is no revision {number}")
    return await apply(store, prefix, wanted.text, f"revision {number}", author)


async def history(store: Store, prefix: str) -> dict[str, Any]:
    """Return all revisions that are kept, the latest first."""
    view = await read_view(store, prefix)
    current = view.wanted().number
    revisions = []
    for number in reversed(view.numbers):
        wanted = view.wanted(number)
        revisions.append(
            {
                "number": number,
                "current": number == current,
                "applied_at": wanted.applied_at,
                "author": wanted.author,
                "watchers": sorted(watcher.name for watcher in wanted.watchers.values()),
            }
        )
    return {"revisions": revisions}


async def hosts(store: Store, prefix: str) -> dict[str, Any]:
    """Return all hosts that are alive, or drained."""
    view = await read_view(store, prefix)
    rows: dict[str, Any] = {
        name: {"alive": False, "drained": True, "labels": {}, "processes": 0}
        for name in view.drained
    }
    leader = view.value(LEADER)
    for name, info in view.hosts.items():
        rows[name] = {
            "alive": True,
            "drained": info.host.is_drained,
            "leader": name == leader,
            "labels": dict(info.host.labels),
            "address": info.address,
            "version": info.version,
            "processes": sum(view.share(name).counts.values()),
        }
    return {"hosts": dict(sorted(rows.items()))}


async def drain(store: Store, prefix: str, host: str, *, is_drained: bool) -> dict[str, Any]:
    """Have a host run nothing of the fleet, or let it run again."""
    view = await read_view(store, prefix)
    if is_drained and host not in view.hosts and host not in view.drained:
        known = ", ".join(view.hosts) or "none"
        raise BadMessage(f"no host is named {host!r} (known: {known})")
    if not is_drained and host not in view.drained:
        raise BadMessage(f"host {host!r} is not drained")
    await store.write({prefix + drained_key(host): "" if is_drained else None})
    return {}


async def status(store: Store, prefix: str) -> dict[str, Any]:
    """Return what is wanted, and what runs where."""
    view = await read_view(store, prefix)
    wanted = view.wanted()
    counts, alive = view.counts, view.hosts
    states = {host: view.state(host) for host in sorted(alive)}
    watchers = {}
    for watcher in wanted.watchers.values():
        service = watcher.service
        shares = counts.get(service.name, {})
        rows = {}
        for host, host_states in states.items():
            state = host_states.get(name_key(service.name))
            if host in shares or state is not None:
                rows[host] = {"wanted": shares.get(host, 0), **(state or {"ready": 0})}
        ready = sum(int(row.get("ready", 0)) for row in rows.values())
        watchers[service.name] = {
            "fleet": service.mode.value,
            "wanted": _wanted_count(service, alive.values()),
            "ready": ready,
            "hosts": rows,
        }
    return {"number": wanted.number, "leader": view.value(LEADER), "watchers": watchers}


def plan_of(view: FleetView, wanted: Wanted) -> dict[str, Any]:
    """Return what each host would run, and what finds no host."""
    infos = [info.host for info in view.hosts.values()]
    placement = place(wanted.services, infos, view.counts)
    plan: dict[str, Any] = {}
    for host in sorted(view.hosts):
        before = dict(view.share(host).counts)
        after = {name: counts[host] for name, counts in placement.counts.items() if host in counts}
        plan[host] = {
            name: {"from": before.get(name, 0), "to": after.get(name, 0)}
            for name in sorted({*before, *after})
        }
    return {"hosts": plan, "unplaced": dict(placement.unplaced)}


def _wanted_count(service: Service, hosts: Iterable[HostInfo]) -> int:
    if service.mode is not Mode.ALL:
        return service.count
    return service.count * sum(
        not info.host.is_drained and service.where.holds(info.host.labels) for info in hosts
    )
