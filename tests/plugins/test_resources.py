"""What processes use is read, added up, and held against limits."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.errors import ConfigError
from cvec_circus_plugins._resources import (
    MEMORY,
    PERCENT,
    Limits,
    Load,
    Memory,
    Subject,
    UsageMeter,
    process_subject,
    read_size,
    total,
    watcher_subject,
)
from cvec_circus_plugins.resource_watcher import ResourceSettings, ResourceWatcher

M = 1024.0**2


def info(
    pid: int = 1, ctime: str = "0:00.00", mem: Any = 1.0, size: str = "1.00M", **more: Any
) -> dict[str, Any]:
    """Return an info object, as the daemon tells it."""
    known = {"pid": pid, "create_time": 5.0, "cpu": 0.0, "ctime": ctime, "children": []}
    return {**known, "mem": mem, "mem_info1": size, **more}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512B", 512.0),
        ("1.40M", 1.4 * M),
        ("2G", 2048 * M),
        ("2g", 2048 * M),
        ("64MB", 64 * M),
        ("64 MiB", 64 * M),
        ("90", None),
        ("90%", None),
        ("N/A", None),
        ("1.2.3M", None),
    ],
)
def test_sizes(text: str, size: float | None) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("90", Memory(90)),
        ("7.5%", Memory(7.5)),
        ("512M", Memory(512 * M, in_bytes=True)),
        ("none", None),
        ("", None),
    ],
)
def test_limits_of_memory(text: str, read: Memory | None) -> None:
    assert MEMORY.parse(text) == read


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Memory(90), "90%"),
        (Memory(512, in_bytes=True), "512B"),
        (Memory(512 * M, in_bytes=True), "512M"),
        (Memory(1.25 * 1024 * M, in_bytes=True), "1.25G"),
    ],
)
def test_a_limit_is_shown_as_it_is_written(limit: Memory, text: str) -> None:
    assert MEMORY.show(limit) == text
    assert MEMORY.parse(text) == limit


@pytest.mark.parametrize("text", ["lots", "-1", "12X", "nan", "inf"])
def test_what_is_no_limit(text: str) -> None:
    for kind in (MEMORY, PERCENT):
        with pytest.raises(ValueError, match=r"a (finite )?number|a percentage"):
            kind.parse(text)


@pytest.mark.parametrize(
    ("used", "share"),
    [
        (("0:00.00", "0:05.00"), 50.0),
        (("0:59.00", "1:09.00"), 100.0),
        (("59:58.00", "0:03.00"), 50.0),
        (("0:01.00", "0:01.00"), 0.0),
    ],
    ids=["half", "over a minute", "over an hour", "idle"],
)
def test_the_processor_is_measured_from_look_to_look(used: tuple[str, str], share: float) -> None:
    meter = UsageMeter()
    assert meter.load(info(ctime=used[0]), 100.0).cpu is None
    meter.begin()
    assert meter.load(info(ctime=used[1]), 110.0).cpu == pytest.approx(share)


def test_a_successor_with_the_same_pid_begins_anew() -> None:
    meter = UsageMeter()
    meter.load(info(ctime="0:09.00"), 100.0)
    meter.begin()
    assert meter.load(info(ctime="0:10.00", create_time=104.0), 110.0).cpu is None


def test_what_may_not_be_read_counts_as_all_of_it() -> None:
    load = UsageMeter().load(info(ctime="N/A", mem="N/A", size="N/A", cpu="N/A"), 1.0)
    assert load == Load(cpu=100.0, memory=100.0, size=None)


def test_what_children_use_is_added_where_that_is_wanted() -> None:
    below = info(3, "0:02.00", mem=4.0, size="4.00M")
    child = info(2, "0:01.00", mem=2.0, size="2.00M", children=[below])
    family = info(1, "0:00.50", children=[child])
    alone, together = UsageMeter(), UsageMeter(with_children=True)
    assert alone.load(family, 1.0).size == 1 * M
    assert together.load(family, 1.0) == Load(None, 7.0, 7 * M)
    later = info(1, "0:00.50", children=[info(2, "0:02.00", children=[info(3, "0:03.00")])])
    together.begin()
    assert together.load(later, 11.0).cpu == pytest.approx(20.0)


LIGHT, HEAVY = Load(5.0, 1.0, 10 * M), Load(95.0, 60.0, 900 * M)


@pytest.mark.parametrize(
    ("limits", "subject", "broken"),
    [
        (Limits(max_cpu=90), process_subject(HEAVY), ["over_cpu"]),
        (Limits(max_cpu=95), process_subject(HEAVY), []),
        (Limits(max_cpu=90), watcher_subject([LIGHT, HEAVY]), ["over_cpu"]),
        (Limits(max_cpu=90), process_subject(total([LIGHT, HEAVY])), ["over_cpu"]),
        (Limits(max_cpu=99), process_subject(total([LIGHT, HEAVY])), ["over_cpu"]),
        (Limits(min_cpu=5), watcher_subject([LIGHT, HEAVY]), ["under_cpu"]),
        (Limits(min_cpu=0), process_subject(Load(0.0, 1.0, M)), ["under_cpu"]),
        (Limits(min_cpu=0), process_subject(LIGHT), []),
        (Limits(max_memory=Memory(50)), process_subject(HEAVY), ["over_memory"]),
        (Limits(max_memory=Memory(500 * M, True)), process_subject(HEAVY), ["over_memory"]),
        (Limits(max_memory=Memory(950 * M, True)), process_subject(total([LIGHT, HEAVY])), []),
        (
            Limits(min_memory=Memory(20 * M, True)),
            watcher_subject([LIGHT, HEAVY]),
            ["under_memory"],
        ),
        (Limits(min_memory=Memory(0.5)), process_subject(LIGHT), []),
        (Limits(health=75), process_subject(HEAVY), ["over_health"]),
        (Limits(health=78), process_subject(HEAVY), []),
        (Limits(), process_subject(HEAVY), []),
    ],
)
def test_verdicts(limits: Limits, subject: Subject, broken: list[str]) -> None:
    assert [verdict.limit for verdict in limits.verdicts(subject) if verdict.broken] == broken


def test_of_what_is_not_known_there_is_no_verdict() -> None:
    unknown = process_subject(Load(None, None, None))
    limits = Limits(90, 0, Memory(90), Memory(M, True), 75)
    assert [verdict.broken for verdict in limits.verdicts(unknown)] == [None] * 5
    assert watcher_subject([]).high == Load(None, None, None)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "watcher is missing"),
        ({"watcher": " , "}, "watcher is missing"),
        ({"watcher": "web", "max_mem": "lots"}, "max_mem isn't .*'lots'"),
        ({"watcher": "web", "action": "explode"}, "action isn't one of .*'explode'"),
        ({"watcher": "web", "measure": "total", "action": "replace"}, "names no process"),
        ({"watcher": "web", "child_signal": "SIGNOPE"}, "child_signal isn't a signal"),
    ],
)
def test_bad_options_are_told(config: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        ResourceWatcher("endpoint", "events", 5.0, **config)


def test_the_older_name_of_the_watcher_and_several_of_them() -> None:
    plugin = ResourceWatcher("endpoint", "events", 5.0, service="Some Web.app, work*")
    assert plugin.settings.names == ("some web.app", "work*")
    assert ResourceSettings(watcher="a").limits == Limits(
        max_cpu=90.0, max_memory=Memory(90), health=75.0
    )
