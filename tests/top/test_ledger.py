"""Bodies add up to snapshots, and what is not heard of again is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_cli.top.ledger import REMEMBERED, Ledger
from cvec_circus_cli.top.snapshot import Health, Snapshot, read_healths
from tests.top.publishing import World, process


def heard(
    *worlds: World, ledger: Ledger | None = None, start: float = 100.0, every: float = 1.0
) -> Snapshot:
    """Return what is known when these rounds were told, so many seconds apart."""
    ledger = ledger or Ledger()
    for number, world in enumerate(worlds):
        for topic, body in world.told():
            ledger.take(topic, body, start + number * every)
    return ledger.snapshot()


def shown(snapshot: Snapshot) -> dict[str, list[int]]:
    """Return the pids by group."""
    return {group.name: [one.pid for one in group.processes] for group in snapshot.groups}


def test_a_round_of_everything() -> None:
    sockets = [{"fd": 7, "subtopic": 7, "reads": 4, "address": "127.0.0.1:80"}]
    world = World({"web": [process(1, 10.0), process(2, 30.5)], "off": []}, sockets)
    found = heard(world)
    assert shown(found) == {"web": [1, 2], "off": []}
    assert (found.cpu, found.watchers, found.processes, found.reads) == (40.5, 2, 2, 4.0)
    assert [socket.address for socket in found.sockets] == ["127.0.0.1:80"]
    web = found.groups[0]
    assert (web.cpu, web.mean, web.memory, web.age) == (40.5, 20.25, 0.012, 36.45)


@pytest.mark.parametrize("name", ["web.app", "a.1", "sockets.of.mine", "with space", "1"])
def test_names_with_dots_and_blanks_are_names(name: str) -> None:
    assert shown(heard(World({name: [process(1)]}))) == {name: [1]}


def test_the_real_name_in_a_body_goes_before_the_topic() -> None:
    ledger = Ledger()
    ledger.take("stat.some_web.1", process(1, watcher="Some Web"), 1.0)
    ledger.take("stat.some_web", {"pid": [1], "watcher": "Some Web"}, 1.0)
    assert shown(ledger.snapshot()) == {"Some Web": [1]}


def test_a_pid_that_its_watcher_does_not_name_is_gone_at_once() -> None:
    found = heard(World({"web": [process(1), process(2)]}), World({"web": [process(2)]}))
    assert shown(found) == {"web": [2]}


def test_what_is_not_heard_of_is_forgotten_by_the_clock_of_the_stream() -> None:
    both = World({"web": [process(1)], "gone": [process(2)]})
    one = World({"web": [process(1)]})
    assert shown(heard(both, one, one)) == {"web": [1], "gone": [2]}
    assert shown(heard(both, *[one] * 4)) == {"web": [1]}


def test_a_slow_stream_loses_nothing() -> None:
    both = World({"web": [process(1)], "gone": [process(2)]})
    one = World({"web": [process(1)]})
    found = heard(*[both] * 4, every=60.0)
    assert shown(found) == {"web": [1], "gone": [2]}
    assert len(found.groups[0].processes[0].history) == 4
    assert shown(heard(both, one, every=60.0)) == {"web": [1], "gone": [2]}
    assert shown(heard(both, one, one, every=60.0)) == {"web": [1]}


def test_nothing_is_forgotten_while_nobody_talks() -> None:
    ledger = Ledger()
    heard(World({"web": [process(1)]}), ledger=ledger)
    assert shown(ledger.snapshot()) == {"web": [1]}
    # Another daemon has come: what the old one told is gone after a while.
    new = World({"other": [process(9)]})
    assert shown(heard(*[new] * 3, ledger=ledger, start=500.0)) == {"other": [9]}


def test_histories_have_a_sample_a_round_and_an_end() -> None:
    rounds = [World({"web": [process(1, cpu), process(2, 1.0)]}) for cpu in (5.0, 7.0, 9.0)]
    found = heard(*rounds)
    web = found.groups[0]
    assert [one.history for one in web.processes] == [(5.0, 7.0, 9.0), (1.0, 1.0, 1.0)]
    assert web.history == (6.0, 8.0, 10.0)
    assert found.cpu_history == (6.0, 8.0)  # the last round may not be over yet
    many = heard(*[World({"web": [process(1, 1.0)]})] * (2 * REMEMBERED))
    assert len(many.cpu_history) == len(many.groups[0].history) == REMEMBERED


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("watcher.web.spawn", {"pid": [1]}),
        ("stat.web.1", None),
        ("stat.web.1", [1]),
        ("stat.web.1", {"pid": "N/A"}),
        ("stat.sockets.7", {"fd": "seven"}),
        ("stat.", {}),
    ],
)
def test_what_can_not_be_understood_is_left_out(topic: str, body: Any) -> None:
    ledger = Ledger()
    ledger.take(topic, body, 1.0)
    found = ledger.snapshot()
    assert (shown(found), found.sockets) == ({}, ())


def test_watchers_that_only_the_daemon_names_are_there_with_their_state() -> None:
    ledger = Ledger()
    details = {
        "Some Web": {"state": "active", "running": 1, "wanted": 2, "restarts": 3},
        "off": {"state": "stopped"},
        "strange": None,
    }
    ledger.healths = read_healths({"status": "ok", "details": details})
    found = heard(World({"some_web": [process(1)]}), ledger=ledger)
    assert shown(found) == {"Some Web": [1], "off": []}
    assert found.groups[0].health == Health("Some Web", "active", 1, 2, 3)
    assert found.groups[1].health == Health("off", "stopped")


def test_the_statistics_process_is_not_shown_twice() -> None:
    own = [process(1, name="circusd"), process(2, name="circusd-stats")]
    found = heard(World({"circus": own, "circusd-stats": [process(2)], "web": [process(3)]}))
    assert shown(found) == {"circus": [1, 2], "web": [3]}
    assert found.watchers == 1


def test_a_hundred_thousand_processes_leave_nothing_behind() -> None:
    ledger = Ledger()
    for second in range(1000):
        bodies = [process(100 * second + n) for n in range(100)]
        heard(World({"web": bodies}), ledger=ledger, start=float(second))
    (web,) = ledger.snapshot().groups
    assert [one.pid for one in web.processes] == [100 * 999 + n for n in range(100)]
