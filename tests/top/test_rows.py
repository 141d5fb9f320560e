"""Which rows are shown, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cvec_circus_cli.top.facts import Process
from cvec_circus_cli.top.row import Branch, Sheet
from cvec_circus_cli.top.rows import extras_of, health_text, rows_of
from cvec_circus_cli.top.snapshot import Health, Snapshot
from cvec_circus_cli.top.view import View
from tests.top.worlds import DB, OFF, SNAPSHOT, WEB, group, process

ALL = ["web", "web/12", "web/11", "web/13", "db", "db/21", "circus", "circus/1", "off"]


@pytest.mark.parametrize(
    ("view", "ids"),
    [
        (View(), ALL),
        (
            View(is_reversed=True),
            ["circus", "circus/1", "db", "db/21", "web", "web/11", "web/12", "web/13", "off"],
        ),
        (
            View(sort="name"),
            ["circus", "circus/1", "db", "db/21", "off", "web", "web/11", "web/12", "web/13"],
        ),
        (
            View(sort="name", is_reversed=True),
            ["web", "web/13", "web/12", "web/11", "off", "db", "db/21", "circus", "circus/1"],
        ),
        (
            View(sort="memory"),
            ["db", "db/21", "web", "web/12", "web/11", "web/13", "circus", "circus/1", "off"],
        ),
        (
            View(sort="age", folded=frozenset({"web"})),
            ["db", "db/21", "web", "circus", "circus/1", "off"],
        ),
        (View(folded=frozenset({"web", "db", "circus"})), ["web", "db", "circus", "off"]),
        (View(is_flat=True), ["web/12", "db/21", "web/11", "circus/1", "web/13"]),
        (View(is_flat=True, sort="pid"), ["circus/1", "web/11", "web/12", "web/13", "db/21"]),
        (View(filter="WEB"), ["web", "web/12", "web/11", "web/13"]),
        (View(filter="gunicorn"), ["web", "web/12", "web/11", "web/13"]),
        (View(filter="12"), ["web", "web/12"]),
        (View(filter="pg"), ["db", "db/21"]),
        (View(filter="off"), ["off"]),
        (View(filter="nothing"), []),
        (View(filter="21", is_flat=True), ["db/21"]),
        (View(Sheet.SOCKETS, "reads"), ["socket/8", "socket/7"]),
        (View(Sheet.SOCKETS, "address"), ["socket/8", "socket/7"]),
        (View(Sheet.SOCKETS, "reads", filter="web"), ["socket/7"]),
    ],
)
def test_rows(view: View, ids: list[str]) -> None:
    assert [row.id for row in rows_of(SNAPSHOT, view)] == ids


def test_numbers_are_sorted_as_numbers() -> None:
    some = [process("a", pid, cpu) for pid, cpu in ((1, 9.0), (2, 80.0), (3, 100.5), (4, 10.0))]
    rows = rows_of(Snapshot(groups=(group("a", *some),)), View())
    assert [row.values["cpu"] for row in rows[1:]] == [100.5, 80.0, 10.0, 9.0]


def test_workers_are_sorted_by_their_number_though_it_stands_in_their_name() -> None:
    some = [process("a", pid, wid=wid) for pid, wid in ((1, 10), (2, 2), (3, 1))]
    rows = rows_of(Snapshot(groups=(group("a", *some),)), View(sort="name"))
    assert [row.values["name"] for row in rows[1:]] == ["1 sleep", "2 sleep", "10 sleep"]


@pytest.mark.parametrize(("is_mean", "share"), [(False, 89.0), (True, 44.5)])
def test_a_watcher_has_the_sum_or_the_average(is_mean: bool, share: float) -> None:
    rows = rows_of(Snapshot(groups=(WEB,)), View(is_mean=is_mean))
    assert rows[0].values["cpu"] == share


def test_the_tree_hangs_together() -> None:
    child = Process("web", 99, "child")
    parent = replace(WEB.processes[0], children=(child,))
    snapshot = Snapshot(groups=(replace(WEB, processes=(parent, WEB.processes[1])), DB, OFF))
    rows = rows_of(snapshot, View(folded=frozenset({"db"})))
    assert [(row.id, row.depth, row.branch) for row in rows] == [
        ("web", 0, Branch.OPEN),
        ("web/12", 1, Branch.FORK),
        ("web/11", 1, Branch.LAST),
        ("web/99", 2, Branch.LAST),
        ("db", 0, Branch.FOLDED),
        ("off", 0, Branch.OPEN),
    ]


@pytest.mark.parametrize(
    ("health", "text"),
    [
        (None, ""),
        (Health("w", "active", 3, 3), "active"),
        (Health("w", "active", 2, 3), "active 2/3"),
        (Health("w", "stopped", 0, 3), "stopped"),
        (Health("w", "stopping", 2, 3), "stopping 2/3"),
        (Health("w", "active", 0, 3), "active 0/3"),
        (Health("w", "stopped"), "stopped"),
    ],
)
def test_how_a_watcher_fares(health: Health | None, text: str) -> None:
    assert health_text(group("w", health=health)) == text


def test_no_name_gives_orders_to_the_terminal() -> None:
    bad = process("a\x1b[2J", 1, label="b\x07\n")
    rows = rows_of(Snapshot(groups=(group("a\x1b[2J", bad),)), View())
    assert [row.values["name"] for row in rows] == ["a?[2J", "b??"]


def test_extra_numbers_can_be_sorted_by() -> None:
    some = [process("a", pid, extra={"requests": float(n)}) for pid, n in ((1, 5), (2, 70), (3, 9))]
    snapshot = Snapshot(groups=(group("a", *some, process("a", 4)),))
    assert extras_of(snapshot, Sheet.PROCESSES) == ["requests"]
    rows = rows_of(snapshot, View(sort="requests"))
    assert [row.pid for row in rows] == [None, 2, 3, 1, 4]
    assert extras_of(SNAPSHOT, Sheet.SOCKETS) == ["refused"]
