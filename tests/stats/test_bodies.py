"""What is published: bodies with the keys of the older system, sums and averages, cached texts."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from cvec_circus_plugins.stats.bodies import extra_sums, group_body, process_body, sums_of
from cvec_circus_plugins.stats.body_cache import BodyCache

OLDER_KEYS = {
    *("mem_info1", "mem_info2", "cpu", "mem", "ctime", "pid", "username", "nice"),
    *("create_time", "cmdline", "children", "subtopic", "name"),
}


class FakeReading(NamedTuple):
    """What a census finds of a process."""

    told: dict[str, Any]
    cpu: float | str = 0.0
    age: float | str = 1.0
    children_cpu: float = 0.0
    children_rss: int = 0


def steady_body(pid: int, **more: Any) -> dict[str, Any]:
    return {
        "pid": pid,
        "cmdline": "x",
        "username": "root",
        "nice": 0,
        "mem": 0.5,
        "mem_info1": "1.00K",
        "mem_info2": "2.00K",
        "ctime": "0:00.00",
        "create_time": 5.0,
        "rss": 1024,
        "vms": 2048,
        "threads": 1,
        "fds": 3,
        "state": "sleeping",
        **more,
    }


def test_a_process_has_all_that_older_readers_look_for() -> None:
    body = process_body(FakeReading(steady_body(7)), None, watcher="web", wid=1)
    assert body.keys() >= OLDER_KEYS
    assert (body["subtopic"], body["children"], body["name"]) == (7, [], None)
    assert (body["watcher"], body["wid"]) == ("web", 1)
    assert "extra" not in body
    assert process_body(FakeReading(steady_body(7)), {"queue": 3}, name="circusd")["extra"] == {
        "queue": 3
    }


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        (
            [],
            {"pid": [], "cpu": 0.0, "cpu_sum": 0.0, "mem": 0, "age": 0.0, "processes": 0, "rss": 0},
        ),
        (
            [
                FakeReading(steady_body(1), 10.0, 5.0, 50.0, 100),
                FakeReading(steady_body(2), 20.5, 7.25, 0.0, 1),
            ],
            {
                "pid": [1, 2],
                "cpu": 15.25,
                "cpu_sum": 30.5,
                "mem": 1.0,
                "age": 7.25,
                "processes": 2,
                "rss": 2048,
                "vms": 4096,
                "threads": 2,
                "fds": 6,
                "children_cpu": 50.0,
                "children_rss": 101,
            },
        ),
        (
            [
                FakeReading(steady_body(1, rss="N/A", mem="N/A"), "N/A", "N/A"),
                FakeReading(steady_body(2), 20.0, 3.0),
            ],
            {"pid": [1, 2], "cpu": 20.0, "cpu_sum": 20.0, "mem": 0.5, "age": 3.0, "rss": 1024},
        ),
        (
            [FakeReading(steady_body(1, rss="N/A", mem="N/A"), "N/A", "N/A")],
            {"pid": [1], "cpu": "N/A", "cpu_sum": "N/A", "mem": "N/A", "age": "N/A", "rss": "N/A"},
        ),
    ],
)
def test_a_group_is_summed_up(readings: list[FakeReading], expected: dict[str, Any]) -> None:
    body = group_body(readings, sums_of([reading.told for reading in readings]))
    assert {key: body[key] for key in expected} == expected
    assert "pss" not in body or not readings


def test_numbers_of_others_are_added_up() -> None:
    extras: list[dict[str, Any]] = [{"queue": 3, "up": True, "who": "a"}, {"queue": 4.5}, {}]
    assert extra_sums(extras) == {"queue": 7.5}
    assert group_body([FakeReading(steady_body(1))], sums_of([steady_body(1)]), extras)[
        "extra"
    ] == {"queue": 7.5}


class Counted:
    """Makes a body, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> dict[str, Any]:
        self.made += 1
        return {"pid": 1}


def test_a_text_is_written_anew_only_where_something_has_changed() -> None:
    cache, make, same = BodyCache(), Counted(), steady_body(1)

    def printed(reading: FakeReading, extra: Any = None) -> Any:
        text = cache.process_body("web.1", reading, extra, make)
        cache.rotate()
        return json.loads(text)

    assert printed(FakeReading(same, age=1.25)) == {"pid": 1, "age": 1.25}
    assert printed(FakeReading(same, age=2.25)) == {"pid": 1, "age": 2.25}
    assert make.made == 1
    for number, (reading, extra) in enumerate(
        [
            (FakeReading(same, cpu=5.0), None),
            (FakeReading(steady_body(1), cpu=5.0), None),
            (FakeReading(same, children_cpu=1.0), None),
            (FakeReading(same, children_cpu=1.0), {"queue": 1}),
            (FakeReading(same, age="N/A"), None),
        ],
        start=2,
    ):
        printed(reading, extra)
        assert make.made == number
    cache.rotate()
    printed(FakeReading(same, age="N/A"))
    assert make.made == 7


def test_sums_are_kept_while_nothing_changes() -> None:
    cache, readings = BodyCache(), [FakeReading(steady_body(1)), FakeReading(steady_body(2))]
    first = cache.sums("web", readings)
    cache.rotate()
    assert cache.sums("web", [reading._replace(cpu=9.0) for reading in readings]) is first
    cache.rotate()
    assert cache.sums("web", readings[:1]) == sums_of([readings[0].told])
