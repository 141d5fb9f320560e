"""A simulated month of a large fleet: hosts fail and come back, and what has to be so stays so.

The whole placement is the real one; time and hosts are not. ``python -m tests.fleet.simulation``
prints what it cost: the processor time of one placement, what moved, and how much etcd would write.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass

from cvec_circus_plugins.fleet.condition import read_condition
from cvec_circus_plugins.fleet.placement import Counts, Host, Mode, Service, by_host, moves, place

DAY = 86400.0
_ZONES = "abcde"


@dataclass
class Figures:
    """What a simulation has shown."""

    hosts: int = 0
    days: float = 0.0
    events: int = 0
    placements: int = 0
    longest: float = 0.0
    """Seconds of processor time of one placement."""
    moved: int = 0
    lost: int = 0
    """Processes that hosts had when they failed, which had to move."""
    key_writes: int = 0
    busiest_second: int = 0

    def __str__(self) -> str:
        return (
            f"{self.events} failures and returns, {self.placements} placements of at most "
            f"{self.longest:.2f} s of processor time; {self.lost} processes lost their host, "
            f"{self.moved} were started elsewhere; {self.key_writes} keys written, at most "
            f"{self.busiest_second} at once: {self.key_writes / (self.days * DAY):.2f} writes and "
            f"{self.key_writes * self.hosts / (self.days * DAY):.0f} watch events a second, "
            f"{self.busiest_second * self.hosts} events after the worst failure"
        )


def services(count: int, processes: int, draw: random.Random) -> list[Service]:
    """Return services of all kinds, of so many processes together."""
    zoned = [read_condition(f'zone == "{zone}"') for zone in _ZONES]
    result = [Service("logs", Mode.ALL), Service("metrics", Mode.ALL)]
    result += [Service(f"one{number}", Mode.ONE) for number in range(count // 10)]
    spread = count - len(result)
    for number in range(spread):
        where = draw.choice(zoned) if number % 4 == 0 else read_condition("")
        result.append(Service(f"web{number}", Mode.SPREAD, processes // spread, where))
    return result


def check(wanted: list[Service], hosts: dict[str, Host], counts: Counts) -> None:
    """Check what has to be so."""
    for service in wanted:
        shares = counts.get(service.name, {})
        eligible = [host for host in hosts.values() if service.where.holds(host.labels)]
        assert set(shares) <= {host.name for host in eligible}
        match service.mode:
            case Mode.ALL:
                assert len(shares) == len(eligible)
            case Mode.ONE:
                assert sum(shares.values()) == min(1, len(eligible))
            case Mode.SPREAD:
                assert sum(shares.values()) == (service.count if eligible else 0)
                if len(shares) == len(eligible) and eligible:
                    assert max(shares.values()) - min(shares.values()) <= 1


def simulate(
    host_count: int, service_count: int, processes: int, days: float, seed: int
) -> Figures:
    """Let hosts fail once a month each, and come back within hours."""
    draw = random.Random(seed)
    every = {
        f"host{number:04}": Host(f"host{number:04}", {"zone": _ZONES[number % len(_ZONES)]})
        for number in range(host_count)
    }
    alive = dict(every)
    wanted = services(service_count, processes, draw)
    figures = Figures(hosts=host_count, days=days)
    counts: Counts = {}
    now = 0.0
    returns: list[tuple[float, str]] = []  # when hosts come back
    while now < days * DAY:
        before = counts
        begun = time.process_time()
        placement = place(wanted, alive.values(), counts)
        figures.longest = max(figures.longest, time.process_time() - begun)
        counts = placement.counts
        check(wanted, alive, counts)
        figures.placements += 1
        if before:
            figures.moved += moves(before, counts)
        old, new = by_host(before), by_host(counts)
        written = sum(old.get(name) != new.get(name) for name in {*old, *new})
        figures.key_writes += written
        figures.busiest_second = max(figures.busiest_second, written if before else 0)
        fails_at = now + draw.expovariate(host_count / (30 * DAY))
        figures.events += 1
        if returns and min(returns)[0] < fails_at:
            now, name = min(returns)
            returns.remove((now, name))
            alive[name] = every[name]
            continue
        now = fails_at
        if alive:
            name = draw.choice(sorted(alive))
            del alive[name]
            returns.append((now + draw.uniform(60, 0.25 * DAY), name))
            figures.lost += sum(by_host(counts).get(name, {}).values())
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(simulate(options.hosts, options.services, options.processes, options.days, options.seed))
