"""Prometheus live: fetched over HTTP as a Prometheus server does, and read by its own parser."""

from __future__ import annotations

import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live.conftest import Start
from tests.live.daemon import Daemon, free_port, until
from tests.programs import Environment

HERE = Environment(Path(sys.prefix))
WATCHERS = '[watcher:Some "Web".app]\ncmd = sleep 1000\nnumprocesses = 2\n'
WEB = 'Some "Web".app'

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def section(port: int, *more: str) -> str:
    """Return the section of the plugin."""
    lines = ["[plugin:metrics]", "use = prometheus", f"port = {port}", *more]
    return WATCHERS + "\n".join(lines) + "\n"


def fetched(port: int) -> str | None:
    """Return the page, if it is there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            return str(answer.read().decode())
    except urllib.error.URLError:
        return None


def samples(port: int) -> Samples:
    """Return every value by name and labels."""
    page = fetched(port) or ""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def value(port: int, name: str, **labels: str) -> float | None:
    """Return one value, if it is there."""
    return samples(port).get((name, frozenset(labels.items())))


@pytest.fixture(params=[True, False], ids=["process", "thread"])
def served(request: pytest.FixtureRequest, start: Start) -> tuple[Daemon, int]:
    port = free_port()
    daemon = start(section(port, f"isolate = {request.param}"))
    daemon.until_active(WEB)
    until(lambda: fetched(port) is not None)
    return daemon, port


def test_watchers_processes_and_the_daemon_are_told(served: tuple[Daemon, int]) -> None:
    daemon, port = served
    found = samples(port)
    of_web = frozenset({("watcher", WEB)})
    assert found["circus_up", frozenset()] == 1
    for name, expected in {"active": 1, "processes": 2, "processes_wanted": 2}.items():
        assert found[f"circus_watcher_{name}", of_web] == expected
    for wid, pid in enumerate(daemon.pids(WEB), start=1):
        process = psutil.Process(pid)
        whose = of_web | {("wid", str(wid))}
        told = found["circus_process_resident_memory_bytes", whose]
        assert told == pytest.approx(process.memory_info().rss, rel=0.3)
        assert found["circus_process_threads", whose] == 1
        began = found["circus_process_start_time_seconds", whose]
        assert began == pytest.approx(process.create_time(), abs=2)
        assert found["circus_process_cpu_seconds_total", whose] < 5
    rss = daemon.rss()
    assert value(port, "circus_daemon_resident_memory_bytes") == pytest.approx(rss, rel=0.2)
    assert any(name == "circus_info" for name, _ in found)
    daemon.ok("stop", name=WEB, waiting=True)
    assert value(port, "circus_watcher_active", watcher=WEB) == 0
    assert value(port, "circus_watcher_processes", watcher=WEB) == 0
    assert value(port, "circus_process_cpu_percent", watcher=WEB, wid="1") is None


def test_events_and_restarts_are_counted(served: tuple[Daemon, int]) -> None:
    daemon, port = served

    def counted(event: str) -> float:
        return value(port, "circus_events_total", watcher=WEB, event=event) or 0

    def hears() -> bool:
        daemon.ok("announce", name=WEB, event="probe")
        return counted("probe") > 0

    until(hears)
    reaps, spawns = counted("reap"), counted("spawn")
    assert value(port, "circus_watcher_restarts_total", watcher=WEB) == 0
    psutil.Process(daemon.pids(WEB)[0]).kill()
    until(lambda: value(port, "circus_watcher_restarts_total", watcher=WEB) == 1)
    until(lambda: (counted("reap"), counted("spawn")) == (reaps + 1, spawns + 1))
    # What was asked for is an event, and no restart.
    daemon.ok("decr", name=WEB, waiting=True)
    until(lambda: counted("reap") == reaps + 2)
    assert value(port, "circus_watcher_restarts_total", watcher=WEB) == 1


def test_only_this_machine_may_fetch_and_processes_may_be_left_out(start: Start) -> None:
    port = free_port()
    daemon = start(section(port, "processes = False"))
    daemon.until_active(WEB)
    until(lambda: fetched(port) is not None)
    names = {name for name, _ in samples(port)}
    assert "circus_watcher_processes" in names
    assert not any(name.startswith("circus_process_") for name in names)
    listening = {
        net_connection.laddr.ip
        for net_connection in psutil.net_connections("tcp")
        if net_connection.status == psutil.CONN_LISTEN and net_connection.laddr.port == port
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("isolate", [True, False])
def test_a_taken_port_is_told_in_a_sentence(start: Start, isolate: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = start(section(port, f"isolate = {isolate}", "flapping.active = False"))
        told = f"prometheus can not be served at 127.0.0.1:{port}: address already in use"
        until(lambda: daemon.said(told))
        daemon.until_active(WEB)


def test_a_daemon_that_does_not_answer_is_not_up(start: Start) -> None:
    port = free_port()
    daemon = start(WATCHERS)
    where = ("--endpoint", daemon.endpoint, "--pubsub", daemon.events)
    with HERE.running(
        *("circus-plugin", *where, "prometheus", "-o", f"port={port}"),
        log=daemon.folder / "exporter",
    ):
        until(lambda: value(port, "circus_up") == 1)
        answering = psutil.Process(daemon.main_pid)
        answering.suspend()
        try:
            assert value(port, "circus_up") == 0
            assert not any(name.startswith("circus_watcher") for name, _ in samples(port))
        finally:
            answering.resume()
        until(lambda: value(port, "circus_up") == 1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("port = 99999", "port isn't an integer from 1 to 65535: '99999'"),
        ("address = nobody.invalid", "prometheus can not be served at nobody.invalid"),
        ("certfile = x.pem", "certfile and keyfile go together"),
        ("certfile = x.pem\nkeyfile = x.key", "no such file or directory"),
    ],
)
def test_a_bad_option_is_told_in_a_sentence(start: Start, options: str, told: str) -> None:
    lines = section(free_port(), "flapping.active = False").splitlines()
    kept = [line for line in lines if not (line.startswith("port") and options.startswith("port"))]
    daemon: Any = start("\n".join([*kept, options]) + "\n")
    until(lambda: daemon.said(told))
