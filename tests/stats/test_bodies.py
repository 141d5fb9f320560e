"""What is published: bodies with the keys of the older system, sums and averages, cached texts."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from cvec_circus_plugins.stats.bodies import extra_sums, of_group, of_process, sums_of
from cvec_circus_plugins.stats.press import Press

OLDER_KEYS = {
    *("mem_info1", "mem_info2", "cpu", "mem", "ctime", "pid", "username", "nice"),
    *("create_time", "cmdline", "children", "subtopic", "name"),
}


class Found(NamedTuple):
    """What a census finds of a process."""

    told: dict[str, Any]
    cpu: float | str = 0.0
    age: float | str = 1.0
    children_cpu: float = 0.0
    children_rss: int = 0


def told(pid: int, **more: Any) -> dict[str, Any]:
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
    body = of_process(Found(told(7)), None, watcher="web", wid=1)
    assert body.keys() >= OLDER_KEYS
    assert (body["subtopic"], body["children"], body["name"]) == (7, [], None)
    assert (body["watcher"], body["wid"]) == ("web", 1)
    assert "extra" not in body
    assert of_process(Found(told(7)), {"queue": 3}, name="circusd")["extra"] == {"queue": 3}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            [],
            {"pid": [], "cpu": 0.0, "cpu_sum": 0.0, "mem": 0, "age": 0.0, "processes": 0, "rss": 0},
        ),
        (
            [Found(told(1), 10.0, 5.0, 50.0, 100), Found(told(2), 20.5, 7.25, 0.0, 1)],
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
            [Found(told(1, rss="N/A", mem="N/A"), "N/A", "N/A"), Found(told(2), 20.0, 3.0)],
            {"pid": [1, 2], "cpu": 20.0, "cpu_sum": 20.0, "mem": 0.5, "age": 3.0, "rss": 1024},
        ),
        (
            [Found(told(1, rss="N/A", mem="N/A"), "N/A", "N/A")],
            {"pid": [1], "cpu": "N/A", "cpu_sum": "N/A", "mem": "N/A", "age": "N/A", "rss": "N/A"},
        ),
    ],
)
def test_a_group_is_summed_up(found: list[Found], expected: dict[str, Any]) -> None:
    body = of_group(found, sums_of([one.told for one in found]))
    assert {key: body[key] for key in expected} == expected
    assert "pss" not in body or not found


def test_numbers_of_others_are_added_up() -> None:
    some = [{"queue": 3, "up": True, "who": "a"}, {"queue": 4.5}, {}]
    assert extra_sums(some) == {"queue": 7.5}
    assert of_group([Found(told(1))], sums_of([told(1)]), some)["extra"] == {"queue": 7.5}


class Counted:
    """Makes a body, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> dict[str, Any]:
        self.made += 1
        return {"pid": 1}


def test_a_text_is_written_anew_only_where_something_has_changed() -> None:
    press, make, same = Press(), Counted(), told(1)

    def printed(found: Found, extra: Any = None) -> Any:
        text = press.process("web.1", found, extra, make)
        press.turn()
        return json.loads(text)

    assert printed(Found(same, age=1.25)) == {"pid": 1, "age": 1.25}
    assert printed(Found(same, age=2.25)) == {"pid": 1, "age": 2.25}
    assert make.made == 1
    for number, (found, extra) in enumerate(
        [
            (Found(same, cpu=5.0), None),
            (Found(told(1), cpu=5.0), None),
            (Found(same, children_cpu=1.0), None),
            (Found(same, children_cpu=1.0), {"queue": 1}),
            (Found(same, age="N/A"), None),
        ],
        start=2,
    ):
        printed(found, extra)
        assert make.made == number
    press.turn()
    printed(Found(same, age="N/A"))
    assert make.made == 7


def test_sums_are_kept_while_nothing_changes() -> None:
    press, some = Press(), [Found(told(1)), Found(told(2))]
    first = press.sums("web", some)
    press.turn()
    assert press.sums("web", [one._replace(cpu=9.0) for one in some]) is first
    press.turn()
    assert press.sums("web", some[:1]) == sums_of([some[0].told])
