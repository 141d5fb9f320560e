"""Which host runs what: tables, and random fleets with what has to be so of all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from cvec_circus_plugins.fleet.condition import read_condition
from cvec_circus_plugins.fleet.placement import Counts, Host, Mode, Service, moves, place


def hosts(*names: str, drained: str = "", **labels: str) -> list[Host]:
    return [Host(name, {"zone": labels.get(name, "a")}, name in drained) for name in names]


def spread(count: int, name: str = "web", **more: Any) -> Service:
    return Service(name, Mode.SPREAD, count, **more)


ONE = Service("cron", Mode.ONE)
IN_B = read_condition('zone == "b"')


@pytest.mark.parametrize(
    ("services", "fleet", "current", "counts"),
    [
        ([spread(6)], hosts(*"abc"), {}, {"web": {"a": 2, "b": 2, "c": 2}}),
        # A host is lost: only what it had moves.
        (
            [spread(6)],
            hosts(*"ab"),
            {"web": {"a": 2, "b": 2, "c": 2}},
            {"web": {"a": 3, "b": 3}},
        ),
        # A host comes: as many moves as make it even.
        ([spread(6)], hosts(*"abc"), {"web": {"a": 3, "b": 3}}, {"web": {"a": 2, "b": 2, "c": 2}}),
        # Fewer are wanted: the fullest give.
        ([spread(2)], hosts(*"abc"), {"web": {"a": 3, "b": 1}}, {"web": {"a": 1, "b": 1}}),
        ([spread(2)], hosts(*"ab", drained="a"), {"web": {"a": 2}}, {"web": {"b": 2}}),
        ([spread(4, max_per_host=1)], hosts(*"ab"), {}, {"web": {"a": 1, "b": 1}}),
        ([spread(2, where=IN_B)], hosts(*"abc", b="b"), {"web": {"a": 2}}, {"web": {"b": 2}}),
        ([Service("node", Mode.ALL, 2)], hosts(*"ab"), {}, {"node": {"a": 2, "b": 2}}),
        ([Service("node", Mode.ALL)], hosts(*"ab"), {"node": {"a": 3}}, {"node": {"a": 1, "b": 1}}),
        ([ONE], hosts(*"ab"), {"cron": {"b": 1}}, {"cron": {"b": 1}}),
        ([ONE], hosts("a"), {"cron": {"b": 1}}, {"cron": {"a": 1}}),
        ([ONE], [], {"cron": {"b": 1}}, {}),
        # Not wanted any more.
        ([], hosts(*"ab"), {"web": {"a": 1}}, {}),
        # Never beside each other.
        (
            [spread(1), Service("db", Mode.ONE, anti_affinity=frozenset({"web"}))],
            hosts(*"ab"),
            {"web": {"a": 1}},
            {"web": {"a": 1}, "db": {"b": 1}},
        ),
        (
            [spread(1), Service("db", Mode.ONE, anti_affinity=frozenset({"web"}))],
            hosts(*"ab"),
            {"db": {"b": 1}},
            {"web": {"a": 1}, "db": {"b": 1}},
        ),
    ],
)
def test_what_runs_where(
    services: list[Service], fleet: list[Host], current: Counts, counts: Counts
) -> None:
    assert place(services, fleet, current).counts == counts


def test_what_finds_no_host_is_told() -> None:
    assert place([spread(5, max_per_host=2)], hosts(*"ab"), {}).unplaced == {"web": 1}
    assert place([ONE], [], {}).unplaced == {"cron": 1}
    assert place([spread(3)], [Host("a", capacity=2)], {}).unplaced == {"web": 1}


def test_small_services_do_not_all_begin_at_one_host() -> None:
    services = [spread(1, f"web{number}") for number in range(90)]
    counts = place(services, hosts(*"abc"), {}).counts
    for host in "abc":
        assert sum(host in shares for shares in counts.values()) == 30


names = st.sampled_from("abcdefgh")


@st.composite
def some_hosts(draw: st.DrawFn) -> list[Host]:
    """Draw a fleet."""
    return [
        Host(
            name,
            {"zone": draw(st.sampled_from("ab"))},
            draw(st.booleans()),
            draw(st.none() | st.integers(0, 9)),
        )
        for name in draw(st.sets(names))
    ]


@st.composite
def some_services(draw: st.DrawFn) -> list[Service]:
    """Draw what is wanted."""
    services = []
    for name in draw(st.sets(st.sampled_from(["web", "db", "cron", "node", "cache"]))):
        mode = draw(st.sampled_from(Mode))
        services.append(
            Service(
                name,
                mode,
                1 if mode is Mode.ONE else draw(st.integers(0, 12)),
                read_condition(
                    draw(st.sampled_from(["", *(f'zone == "{zone}"' for zone in "abc")]))
                ),
                draw(st.frozensets(st.sampled_from(["web", "db", "cron"]), max_size=2)),
                draw(st.none() | st.integers(1, 4)),
            )
        )
    return services


fleets = some_hosts()
wishes = some_services()


def check(services: list[Service], fleet: list[Host], counts: Counts) -> None:
    """Check what has to be so of any placement."""
    by_name = {host.name: host for host in fleet}
    for service in services:
        shares = counts.get(service.name, {})
        assert all(count > 0 for count in shares.values())
        for name, count in shares.items():
            assert not by_name[name].is_drained
            assert service.where.holds(by_name[name].labels)
            assert service.max_per_host is None or count <= service.max_per_host
            assert not any(
                name in counts.get(other, {})
                for other in service.anti_affinity
                if other != service.name
            )
            assert service.name not in service.anti_affinity or count == 1
            assert service.mode is not Mode.ALL or count <= service.count
        if service.mode is Mode.ONE:
            assert sum(shares.values()) <= 1
        if service.mode is Mode.SPREAD:
            assert sum(shares.values()) <= service.count
    for host in fleet:
        load = sum(
            counts.get(service.name, {}).get(host.name, 0)
            for service in services
            if service.mode is not Mode.ALL
        )
        assert host.capacity is None or load <= host.capacity
    assert set(counts) <= {service.name for service in services}


@given(wishes, fleets, wishes, fleets)
def test_any_fleet(
    services: list[Service], fleet: list[Host], later: list[Service], changed: list[Host]
) -> None:
    first = place(services, fleet, {})
    check(services, fleet, first.counts)
    # Nothing changed: nothing moves.
    assert place(services, fleet, first.counts) == first
    # The order of the arguments means nothing.
    assert place(services[::-1], fleet[::-1], {}) == first
    second = place(later, changed, first.counts)
    check(later, changed, second.counts)
    assert place(later, changed, second.counts) == second


@given(wishes, st.integers(2, 8), st.data())
def test_a_lost_host_moves_only_its_own(
    services: list[Service], count: int, data: st.DataObject
) -> None:
    plain = [Service(service.name, service.mode, service.count) for service in services]
    fleet = [Host(name) for name in "abcdefgh"[:count]]
    before = place(plain, fleet, {}).counts
    lost = data.draw(st.sampled_from(fleet)).name
    rest = [host for host in fleet if host.name != lost]
    after = place(plain, rest, before).counts
    own = sum(
        before.get(service.name, {}).get(lost, 0)
        for service in plain
        if service.mode is not Mode.ALL
    )
    assert moves(before, after) == own
