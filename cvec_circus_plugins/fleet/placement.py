"""Which host runs how many processes of what: pure, so that any host may compute it.

``place`` takes what is wanted, the hosts that are alive, and what they run so far, and returns what
they shall run. Moves are what it saves: a process that may stay where it is stays there, unless the
hosts of its service differ by more than one. A host that is drained, or that does not meet the
condition of a service any more, gives away what it has of it.

* ``all``: each host that meets the condition runs so many.
* ``spread``: so many in the fleet, as even as the hosts and their limits allow.
* ``one``: one in the fleet. It is not moved for the sake of evenness.

What finds no host is told (`Placement.unplaced`), never forced. The order of services and hosts in
the arguments means nothing; between equal hosts a hash of both names decides, so that a thousand
small services do not all begin at the same host.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from zlib import crc32

from cvec_circus_plugins.fleet.condition import EVERYWHERE, Condition

_MANY = 1 << 30

Counts = Mapping[str, Mapping[str, int]]
"""How many processes by service and host; no zeros."""


class Mode(Enum):
    """How a service is laid out over hosts."""

    ALL = "all"
    SPREAD = "spread"
    ONE = "one"


@dataclass(frozen=True)
class Host:
    """A machine that is alive, as far as placement cares."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    is_drained: bool = False
    capacity: int | None = None
    """Most processes that it takes of ``spread`` and ``one`` together; None for any number."""


@dataclass(frozen=True)
class Service:
    """What is wanted of one watcher in the fleet."""

    name: str
    mode: Mode
    count: int = 1
    where: Condition = EVERYWHERE
    anti_affinity: frozenset[str] = frozenset()
    """Services that no host runs beside it; with its own name among them, one at each host."""
    max_per_host: int | None = None


@dataclass(frozen=True)
class Placement:
    """What shall run where."""

    counts: Counts
    unplaced: Mapping[str, int]
    """Processes that find no host, by service."""


def place(services: Iterable[Service], hosts: Iterable[Host], current: Counts) -> Placement:
    """Return what the hosts shall run, with as few changes to ``current`` as may be.

    What ``current`` says of hosts that are not there is lost, and of services that are not wanted
    any more is dropped.
    """
    layout = _Layout(hosts)
    # First what stays, so that nothing new takes the room of what is there.
    ordered = sorted(services, key=lambda service: (service.mode is not Mode.ALL, service.name))
    for service in ordered:
        layout.keep(service, current.get(service.name, {}))
    for service in ordered:
        layout.complete(service)
    return Placement(
        counts={name: counts for name, counts in layout.counts.items() if counts},
        unplaced=layout.unplaced,
    )


def by_host(counts: Counts) -> dict[str, dict[str, int]]:
    """Return the same by host and service."""
    result: dict[str, dict[str, int]] = {}
    for service, hosts in counts.items():
        for host, count in hosts.items():
            result.setdefault(host, {})[service] = count
    return result


def moves(old: Counts, new: Counts) -> int:
    """Return how many processes have to be started anew for a change."""
    return sum(
        max(0, count - old.get(service, {}).get(host, 0))
        for service, hosts in new.items()
        for host, count in hosts.items()
    )


class _Layout:
    """What has been laid out so far."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self._hosts = {host.name: host for host in hosts if not host.is_drained}
        self._loads = dict.fromkeys(self._hosts, 0)
        self._services_by_host: dict[str, set[str]] = {name: set() for name in self._hosts}
        self._excluded: dict[str, set[str]] = {name: set() for name in self._hosts}
        self._eligible: dict[str, frozenset[str]] = {}
        self.counts: dict[str, dict[str, int]] = {}
        self.unplaced: dict[str, int] = {}

    def keep(self, service: Service, current: Mapping[str, int]) -> None:
        """Let stay what may."""
        self.counts[service.name] = {}
        wanted = service.count
        eligible = self._eligible_hosts(service)
        # The fullest first, for where fewer are wanted the others are to be as even as they were.
        for host in sorted(current, key=lambda name: (-current[name], name)):
            if host not in eligible:
                continue
            if service.mode is Mode.ONE and self.counts[service.name]:
                break
            limit = service.count if service.mode is not Mode.ONE else 1
            count = min(current[host], self._room(service, host), limit)
            if count > 0:
                self._put(service, host, count)
        surplus = sum(self.counts[service.name].values()) - wanted
        if service.mode is Mode.SPREAD:
            for _ in range(surplus):
                self._take(service, self._fullest(service))

    def complete(self, service: Service) -> None:
        """Add what is missing, and make even what is not."""
        hosts = self._eligible_hosts(service)
        if service.mode is Mode.ALL:
            missing = 0
            for host in hosts:
                lacking = service.count - self.counts[service.name].get(host, 0)
                count = min(lacking, self._room(service, host))
                missing += lacking - max(0, count)
                if count > 0:
                    self._put(service, host, count)
        else:
            wanted = 1 if service.mode is Mode.ONE else service.count
            missing = wanted - sum(self.counts[service.name].values())
            if missing > 0:
                missing -= self._fill(service, hosts, missing)
            if service.mode is Mode.SPREAD:
                self._even_out(service, hosts)
        if missing > 0:
            self.unplaced[service.name] = missing

    def _fill(self, service: Service, hosts: Collection[str], missing: int) -> int:
        """Put processes on the hosts that have the fewest of them; return how many."""
        heap = [self._rank(service, host) for host in hosts if self._room(service, host) > 0]
        heapq.heapify(heap)
        placed = 0
        while heap and placed < missing:
            host = heapq.heappop(heap)[-1]
            self._put(service, host, 1)
            placed += 1
            if self._room(service, host) > 0:
                heapq.heappush(heap, self._rank(service, host))
        return placed

    def _even_out(self, service: Service, hosts: Collection[str]) -> None:
        counts = self.counts[service.name]
        if not counts or max(counts.values()) <= 1:
            return
        if len(counts) == len(hosts) and max(counts.values()) - min(counts.values()) <= 1:
            return
        heap = [self._rank(service, host) for host in hosts if self._room(service, host) > 0]
        heapq.heapify(heap)
        while heap:
            count, _, _, emptiest = heapq.heappop(heap)
            fullest = self._fullest(service)
            if counts[fullest] - count <= 1:
                return
            self._take(service, fullest)
            self._put(service, emptiest, 1)
            if self._room(service, emptiest) > 0:
                heapq.heappush(heap, self._rank(service, emptiest))

    def _rank(self, service: Service, host: str) -> tuple[int, int, int, str]:
        count = self.counts[service.name].get(host, 0)
        return count, self._loads[host], crc32(f"{service.name}\0{host}".encode()), host

    def _fullest(self, service: Service) -> str:
        counts = self.counts[service.name]
        return max(counts, key=lambda host: (counts[host], self._loads[host], host))

    def _eligible_hosts(self, service: Service) -> frozenset[str]:
        text = service.where.text
        if text not in self._eligible:
            self._eligible[text] = frozenset(
                name for name, host in self._hosts.items() if service.where.holds(host.labels)
            )
        return self._eligible[text]

    def _room(self, service: Service, host: str) -> int:
        """Return how many more of a service a host takes."""
        if service.name in self._excluded[host]:
            return 0
        if service.anti_affinity and not self._services_by_host[host].isdisjoint(
            service.anti_affinity - {service.name}
        ):
            return 0
        most = 1 if service.name in service.anti_affinity else service.max_per_host
        room = _MANY if most is None else most - self.counts[service.name].get(host, 0)
        capacity = self._hosts[host].capacity
        if capacity is not None and service.mode is not Mode.ALL:
            room = min(room, capacity - self._loads[host])
        return room

    def _put(self, service: Service, host: str, count: int) -> None:
        counts = self.counts[service.name]
        counts[host] = counts.get(host, 0) + count
        if service.mode is not Mode.ALL:
            self._loads[host] += count
        self._services_by_host[host].add(service.name)
        if service.anti_affinity:
            self._excluded[host] |= service.anti_affinity - {service.name}

    def _take(self, service: Service, host: str) -> None:
        counts = self.counts[service.name]
        counts[host] -= 1
        self._loads[host] -= 1
        if not counts[host]:
            del counts[host]
            self._services_by_host[host].discard(service.name)
