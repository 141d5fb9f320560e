"""What one body becomes, whoever sent it."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_cli.top.facts import read_process, read_socket, seconds, size
from tests.top.publishing import process

K, M, G = 1024, 1024**2, 1024**3


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512B", 512),
        ("1.40M", 1.40 * M),
        ("2.44G", 2.44 * G),
        ("3K", 3 * K),
        (4096, 4096),
        ("N/A", None),
        ("much", None),
        ("1.2.3M", None),
        (None, None),
        (True, None),
        (float("nan"), None),
    ],
)
def test_sizes(text: Any, amount: float | None) -> None:
    assert size(text) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0:00.41", 0.41), ("1:02.5", 62.5), ("1:00:01", 3601), (7.5, 7.5), ("N/A", None), ("", None)],
)
def test_processor_times(text: Any, amount: float | None) -> None:
    assert seconds(text) == amount


def test_a_process_as_the_protocol_has_it() -> None:
    found = read_process("web", process(4711, 12.5, wid=3, cmdline="gunicorn", ctime="1:00.0"))
    assert found is not None
    assert (found.watcher, found.pid, found.wid, found.label) == ("web", 4711, 3, "gunicorn")
    assert (found.cpu, found.memory, found.age, found.time) == (12.5, 0.006, 36.45, 60.0)
    assert (found.resident, found.virtual) == (1.40 * M, 2.44 * M)
    assert (found.user, found.nice, dict(found.extra)) == ("root", 0, {})


@pytest.mark.parametrize("absent", ["N/A", None, {}, [], True, float("inf")])
def test_what_may_not_be_read_is_not_known(absent: Any) -> None:
    body = dict.fromkeys(process(1), absent) | {"pid": 1}
    found = read_process("web", body)
    assert found is not None
    assert {found.cpu, found.memory, found.age, found.time, found.resident, found.nice} == {None}
    assert (found.user, found.label, dict(found.extra), found.children) == ("", "1", {}, ())


@pytest.mark.parametrize("body", [{}, {"pid": "N/A"}, {"pid": None}, {"pid": 1.5}])
def test_no_process_without_a_pid(body: dict[str, Any]) -> None:
    assert read_process("web", body) is None


def test_newer_numbers_are_read_where_they_are_told() -> None:
    body = process(1, rss=4096, vms=8192, pss=1024, cpu_time=7.5, threads=3, fds=9, state="running")
    found = read_process("web", {**body, "children_cpu": 2.5, "children_rss": 2048})
    assert found is not None
    assert (found.resident, found.virtual, found.pss, found.time) == (4096, 8192, 1024, 7.5)
    assert (found.threads, found.files, found.state) == (3, 9, "running")
    assert (found.below_cpu, found.below_resident, dict(found.extra)) == (2.5, 2048, {})


def test_numbers_of_plugins_are_kept_under_their_names() -> None:
    body = process(1, requests=17, pool={"free": 3, "name": "main"}, ok=True, gone=None, list=[1])
    found = read_process("web", body)
    assert found is not None
    assert dict(found.extra) == {"requests": 17.0, "free": 3.0, "name": "main", "ok": "yes"}


def test_children_are_processes_below() -> None:
    found = read_process("web", process(1, children=[process(2, cmdline="sub"), "N/A"]))
    assert found is not None
    assert [(one.pid, one.label) for one in found.children] == [(2, "sub")]


def test_a_role_goes_before_a_command() -> None:
    found = read_process("circus", process(1, name="circusd", cmdline="python3"))
    assert found is not None
    assert found.label == "circusd"


def test_a_socket() -> None:
    body = {"fd": 7, "subtopic": 7, "address": "[::1]:80", "reads": 3, "queued": 2, "more": 1}
    found = read_socket(body)
    assert found is not None
    assert (found.fd, found.address, found.reads, found.queued) == (7, "[::1]:80", 3.0, 2.0)
    assert (found.backlog, found.connections, dict(found.extra)) == (None, None, {"more": 1.0})
    assert read_socket({"address": "x"}) is None
